"""Augmentation of log-mel spectrograms: stretching, vocal tract length, SpecAugment."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.augment.table import DEFAULT_TABLE, Table
from training.features import SAMPLE_RATE_HZ, log_mel, mel_edges_hz, mel_from_hz

#: What a Whisper encoder takes at most.
MOST_FRAMES = 3000
_WARPS = 41


@dataclass(frozen=True)
class AugmentedMel:
    """Log-mel spectrograms [B, bins, T] of augmented utterances."""

    #: with warped frequencies, and some of it masked
    masked: Tensor
    #: the same without either
    unmasked: Tensor
    #: how many times as long as the sound it is: positions in time go along with it
    stretched: float


def augmented_mel(
    samples: Tensor, mel_bins: int, strength: float, rng: np.random.Generator, table: Table = DEFAULT_TABLE
) -> AugmentedMel:
    """What a model in training hears of `samples` [B, samples]: stretched all alike, then masked one by one."""
    mel = log_mel(samples, mel_bins)
    stretched = stretch_mel(mel, mel_stretch_factor(strength, rng, table))
    masked = spec_augment(stretched, strength, rng, table)
    return AugmentedMel(masked, stretched, stretched.shape[2] / mel.shape[2])


def mel_stretch_factor(strength: float, rng: np.random.Generator, table: Table = DEFAULT_TABLE) -> float:
    """A factor for `stretch_mel`, 1.0 where the table draws none."""
    return table.mel_stretch.amount(strength, rng) if table.mel_stretch.happens(strength, rng) else 1.0


def stretch_mel(mel: Tensor, factor: float) -> Tensor:
    """`mel` [B, bins, T] lasting about `factor` times as long at the same pitch: [B, bins, T'].

    T' is even and at most 3000. Multiply positions in time by T' / T to carry them along.
    """
    frames = mel.shape[2]
    wanted = min(max(2, 2 * round(frames * factor / 2)), MOST_FRAMES)
    return mel if wanted == frames else F.interpolate(mel, size=wanted, mode="linear")


@lru_cache
def _warps(mel_bins: int, lowest: float, highest: float) -> tuple[np.ndarray, Tensor]:
    """Logarithms of factors [W], and for each the matrix [bins, bins] that moves frequencies by it."""
    log_factors = np.linspace(lowest, highest, _WARPS)
    centres_hz = mel_edges_hz(mel_bins)[1:-1]
    step = float(mel_from_hz(SAMPLE_RATE_HZ / 2)) / (mel_bins + 1)
    matrices = np.zeros((_WARPS, mel_bins, mel_bins), np.float32)
    for warp, log_factor in enumerate(log_factors):
        # What shows at a frequency was a factor lower; at the ends the outermost bin is repeated
        source = np.clip(mel_from_hz(centres_hz / np.exp(log_factor)) / step - 1, 0, mel_bins - 1)
        low = np.minimum(source.astype(int), mel_bins - 2)
        rows = np.arange(mel_bins)
        matrices[warp, rows, low] = 1 - (source - low)
        matrices[warp, rows, low + 1] += source - low
    return log_factors, torch.from_numpy(matrices)


def spec_augment(
    mel: Tensor, strength: float, rng: np.random.Generator, table: Table = DEFAULT_TABLE
) -> Tensor:
    """A new `mel` [B, bins, T], each utterance with its own warp of frequencies and masked bands and moments.

    Masks take the utterance's mean (Park et al. 2019). Vocal tract warps: Jaitly and Hinton 2013.
    """
    batch, bins, frames = mel.shape
    effect = table.tract_log_factor
    log_factors, matrices = _warps(bins, effect.low, effect.high)
    warped = [item for item in range(batch) if effect.happens(strength, rng)]
    out = mel.clone()
    if warped:
        drawn = [effect.amount(strength, rng) for _ in warped]
        nearest = [int(np.abs(log_factors - value).argmin()) for value in drawn]
        out[warped] = torch.bmm(matrices[nearest].to(mel.dtype), mel[warped])
    means = out.mean(dim=(1, 2)).tolist()
    for item in range(batch):
        for effect, length, axis in (
            (table.frequency_mask_bins, bins, 0),
            (table.time_mask_frames, frames, 1),
        ):
            for _ in range(2):
                if not effect.happens(strength, rng):
                    continue
                width = min(length, round(effect.amount(strength, rng)))
                start = int(rng.integers(length - width + 1))
                out[item].narrow(axis, start, width).fill_(means[item])
    return out
