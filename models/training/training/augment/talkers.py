"""Babble and television from the utterances of the corpus."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from training.augment.fourier import SHORT_BLOCK, bins_hz, filtered
from training.augment.noises import unit_rms
from training.features import SAMPLE_RATE_HZ

#: With fewer at once single words stay intelligible, and "write nothing" would be a wrong label.
FEWEST_TALKERS = 3


class Said(Protocol):
    """The part of `training.corpus.Utterance` that babble needs."""

    def samples(self) -> np.ndarray: ...


class Speech(Protocol):
    """The part of `training.corpus.Corpus` that babble needs."""

    @property
    def utterances(self) -> Sequence[Said]: ...


def _talker(speech: Speech, n: int, rng: np.random.Generator) -> np.ndarray:
    """One voice talking for all of [n]: utterances one after another, each levelled, begun in mid-word."""
    out = np.zeros(n, np.float32)
    at = 0
    while at < n:
        said = speech.utterances[rng.integers(len(speech.utterances))].samples()
        if at == 0 and len(said) > 8000:
            said = said[rng.integers(len(said) // 2) :]
        said = said[: n - at]
        if not len(said):
            at += SAMPLE_RATE_HZ // 4  # an empty utterance must not hold us here for ever
            continue
        out[at : at + len(said)] = said * (1 / max(float(np.sqrt(np.mean(said * said))), 1e-4))
        at += len(said) + int(rng.integers(SAMPLE_RATE_HZ // 8))
    return out


def talkers(speech: Speech, n: int, rng: np.random.Generator, most: int = 7) -> list[np.ndarray]:
    """Three to `most` voices [n] talking at once, no one more than 6 dB above another."""
    count = int(rng.integers(FEWEST_TALKERS, most + 1))
    return [_talker(speech, n, rng) * np.float32(rng.uniform(0.5, 1)) for _ in range(count)]


def babble(speech: Speech, n: int, rng: np.random.Generator) -> np.ndarray:
    """Three to seven people talking at once, root mean square 1, float32 [n]."""
    voices = talkers(speech, n, rng)
    total = voices[0]
    for voice in voices[1:]:
        total += voice
    return unit_rms(total)


def television(speech: Speech, music: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Babble over `music` [n] through a small loudspeaker (about 200 Hz to 5 kHz), root mean square 1."""
    mixed = babble(speech, len(music), rng) + np.float32(rng.uniform(0.2, 1.2)) * music
    hz = np.maximum(bins_hz(SHORT_BLOCK), 1)
    gain = 1 / np.sqrt((1 + (rng.uniform(120, 350) / hz) ** 6) * (1 + (hz / rng.uniform(3000, 6000)) ** 6))
    return unit_rms(filtered(mixed, gain.astype(np.float32)))
