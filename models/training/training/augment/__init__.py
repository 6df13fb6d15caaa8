"""Augmentation: what rooms, microphones, speakers and households do to an utterance, from one seed."""

from training.augment.augmenter import Augmented, Augmenter
from training.augment.spectrogram import (
    AugmentedMel,
    augmented_mel,
    mel_stretch_factor,
    spec_augment,
    stretch_mel,
)
from training.augment.table import DEFAULT_TABLE, Effect, Table

__all__ = [
    "DEFAULT_TABLE",
    "Augmented",
    "AugmentedMel",
    "Augmenter",
    "Effect",
    "Table",
    "augmented_mel",
    "mel_stretch_factor",
    "spec_augment",
    "stretch_mel",
]
