"""Other voices from spectrograms alone: vocal tract, timbre and rhythm of an utterance changed in the mel domain.

Synthesisers have few speakers, and a model that has learnt those by heart hears others badly. What is changed here
leaves the words as they are.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from training.augment.table import Table
from training.features import SAMPLE_RATE_HZ, mel_edges_hz, mel_from_hz

_WARPS = 41
_TILTS = 9
#: Most that a band's mean moves, in units of the spectrogram (four decades of power each): 12 dB.
_MOST_TIMBRE = 0.3
#: Frames between changes of tempo: 0.4 s, a word or two.
_RHYTHM_FRAMES = 40


def other_voices(mel: Tensor, strength: float, rng: np.random.Generator, table: Table) -> Tensor:
    """A new `mel` [B, bins, T], each utterance in a voice of its own, of the same length."""
    out = _other_tract(mel, strength, rng, table)
    out = _other_timbre(out, strength, rng, table)
    return _other_rhythm(out, strength, rng, table)


@lru_cache
def _warps(
    mel_bins: int, lowest: float, highest: float, tilt: float
) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """Logarithms of factors [W] and tilts [V], and the matrices [W, V, bins, bins] that move frequencies so."""
    log_factors = np.linspace(lowest, highest, _WARPS)
    tilts = np.linspace(-tilt, tilt, _TILTS)
    centres_hz = mel_edges_hz(mel_bins)[1:-1]
    step = float(mel_from_hz(SAMPLE_RATE_HZ / 2)) / (mel_bins + 1)
    along = np.linspace(-1, 1, mel_bins)
    matrices = np.zeros((_WARPS, _TILTS, mel_bins, mel_bins), np.float32)
    for warp, log_factor in enumerate(log_factors):
        for bent, log_tilt in enumerate(tilts):
            # What shows at a frequency was a factor lower; at the ends the outermost bin is repeated
            source_hz = centres_hz / np.exp(log_factor + log_tilt * along)
            source = np.clip(mel_from_hz(source_hz) / step - 1, 0, mel_bins - 1)
            low = np.minimum(source.astype(int), mel_bins - 2)
            rows = np.arange(mel_bins)
            matrices[warp, bent, rows, low] = 1 - (source - low)
            matrices[warp, bent, rows, low + 1] += source - low
    return log_factors, tilts, torch.from_numpy(matrices)


def _other_tract(mel: Tensor, strength: float, rng: np.random.Generator, table: Table) -> Tensor:
    """Formants higher or lower (Jaitly and Hinton 2013), the upper ones by another factor than the lower."""
    effect, tilt = table.tract_log_factor, table.tract_log_tilt
    warped = [item for item in range(len(mel)) if effect.happens(strength, rng)]
    out = mel.clone()
    if warped:
        log_factors, tilts, matrices = _warps(mel.shape[1], effect.low, effect.high, tilt.high)
        factors = [int(np.abs(log_factors - effect.amount(strength, rng)).argmin()) for _ in warped]
        bent = [
            int(np.abs(tilts - (tilt.amount(strength, rng) if tilt.happens(strength, rng) else 0)).argmin())
            for _ in warped
        ]
        out[warped] = torch.bmm(matrices[factors, bent].to(mel.dtype), mel[warped])
    return out


def _other_timbre(mel: Tensor, strength: float, rng: np.random.Generator, table: Table) -> Tensor:
    """The mean spectrum moved towards that of another utterance of the batch, the level kept.

    Statistics of the input mixed between speakers, as MixStyle (Zhou et al. 2021) mixes those of hidden layers.
    """
    effect, batch = table.timbre, len(mel)
    changed = [item for item in range(batch) if batch > 1 and effect.happens(strength, rng)]
    if not changed:
        return mel
    level = mel.mean(dim=1, keepdim=True)
    # of the louder frames alone: silence has no timbre
    loud = (level > level.mean(dim=2, keepdim=True)).to(mel.dtype)
    means = (mel * loud).sum(dim=2) / loud.sum(dim=2).clamp(min=1)
    others = [(item + int(rng.integers(1, batch))) % batch for item in changed]
    amounts = torch.tensor([effect.amount(strength, rng) for _ in changed], dtype=mel.dtype)
    moved = means[others] - means[changed]
    moved = (moved - moved.mean(dim=1, keepdim=True)).clamp(-_MOST_TIMBRE, _MOST_TIMBRE)
    floors = mel[changed].amin(dim=(1, 2), keepdim=True)
    out = mel.clone()
    # what lies at the floor of the spectrogram is cut off there, whatever the timbre
    out[changed] = torch.maximum(mel[changed] + (amounts[:, None] * moved)[:, :, None], floors)
    return out


def _other_rhythm(mel: Tensor, strength: float, rng: np.random.Generator, table: Table) -> Tensor:
    """Some words slower and others faster, the whole as long as before."""
    effect, (batch, bins, frames) = table.rhythm_log_factor, mel.shape
    changed = [item for item in range(batch) if effect.happens(strength, rng)]
    if not changed or frames < 2:
        return mel
    knots = 1 + max(1, round(frames / _RHYTHM_FRAMES))
    places = np.empty((len(changed), frames))
    for row in places:
        tempo = [np.exp(effect.amount(strength, rng)) for _ in range(knots)]
        heard = np.concatenate([[0.0], np.cumsum(tempo)]) * ((frames - 1) / sum(tempo))
        row[:] = np.interp(np.arange(frames), np.linspace(0, frames - 1, knots + 1), heard)
    low = np.minimum(places.astype(np.int64), frames - 2)
    share = torch.from_numpy(places - low).to(mel.dtype)[:, None, :]
    at = torch.from_numpy(low)[:, None, :].expand(-1, bins, -1)
    source = mel[changed]
    out = mel.clone()
    out[changed] = torch.lerp(source.gather(2, at), source.gather(2, at + 1), share.expand(-1, bins, -1))
    return out
