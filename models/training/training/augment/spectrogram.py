"""Augmentation of log-mel spectrograms: stretching, other voices, SpecAugment."""

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from training.augment.other_voice import other_voices
from training.augment.table import DEFAULT_TABLE, Table
from training.features import log_mel

#: What a Whisper encoder takes at most.
MOST_FRAMES = 3000
#: What a model in training hears has a multiple of these, so that few shapes come up (see training/batches.py).
_FRAMES_STEP = 16


@dataclass(frozen=True)
class AugmentedMel:
    """Log-mel spectrograms [B, bins, T] of augmented utterances."""

    #: in other voices, and some of it masked
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
    frames = mel.shape[2] * mel_stretch_factor(strength, rng, table)
    frames = max(1, round(frames / _FRAMES_STEP)) * _FRAMES_STEP
    stretched = stretch_mel(mel, frames / mel.shape[2])
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


def spec_augment(
    mel: Tensor, strength: float, rng: np.random.Generator, table: Table = DEFAULT_TABLE
) -> Tensor:
    """A new `mel` [B, bins, T], each utterance in another voice and with its own masked bands and moments.

    Masks take the utterance's mean (Park et al. 2019).
    """
    batch, bins, frames = mel.shape
    out = other_voices(mel, strength, rng, table)
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
