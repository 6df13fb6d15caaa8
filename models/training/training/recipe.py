"""What decides what comes out of a training, but the corpus; and how far it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from training.batches import Batching


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out, but the corpus."""

    #: the training ends after as many utterances, or as many minutes, whichever is first
    presentations: int = 500_000
    minutes: float = 24 * 60.0
    processes: int = 2
    seed: int = 1
    #: layers of the encoder; more than the start has are added as ones that do nothing yet
    encoder_layers: int = 4
    peak_learning_rate: float = 8e-4
    final_learning_rate: float = 1e-5
    warm_up_steps: int = 300
    #: 'adamw', or 'muon' for the matrices of the layers
    optimiser: str = "adamw"
    weight_decay: float = 0.03
    gradient_norm: float = 1.0
    #: the weights that are saved are a running mean over about 1 / (1 - decay) steps
    mean_decay: float = 0.999
    dropout: float = 0.0
    label_smoothing: float = 0.03
    #: weight of the phoneme loss beside that of the text
    phone_weight: float = 0.3
    #: weight of the guided attention at the start; it ends half-way
    guidance_weight: float = 0.2
    #: share of tokens hidden from the decoder, until 60 % of the training, then fading
    token_dropout: float = 0.12
    #: of the augmentation, and the share of the training in which it grows to that from a fifth; 0 where the start
    #: has learnt with it already
    strength: float = 1.0
    strength_easing: float = 0.5
    #: steps in which the head for phones, which starts from nothing, learns without moving the encoder
    phone_head_steps: int = 0
    #: kinds of sentences that are left out of the corpora, with commas between
    leave_out: str = ""
    #: file of words: only sentences made of them are learnt
    words: str = ""
    #: share of the training in which only the encoder and its phones learn
    encoder_first: float = 0.0
    #: how many times on the way the model is kept for later comparison
    snapshots: int = 16
    #: model folder of a teacher whose guesses are learnt beside the text, or nothing
    teacher: str = ""
    teacher_weight: float = 0.8
    #: what the guesses of both are softened by
    temperature: float = 2.0
    #: number format of compiled models to be imitated (training/quantise.py), from this share of the training on
    imitate: str = ""
    imitate_from: float = 0.8
    #: positions (20 ms) that attend to each other in the encoder; 0: all. Shorter sounds are not affected
    attention_window: int = 0
    batching: Batching = field(default_factory=Batching)


@dataclass
class Progress:
    step: int = 0
    presentations: int = 0
    elapsed_s: float = 0.0
    sound_s: float = 0.0

    def share(self, recipe: Recipe) -> float:
        """How much of the training is over, 0 to 1."""
        return share_over(self.presentations / recipe.presentations, self.elapsed_s, recipe.minutes)


def share_over(done: float, elapsed_s: float, minutes: float) -> float:
    """How much of a training is over, 0 to 1: by the share of it that is done, or by the clock if that is ahead."""
    return min(1.0, max(done, elapsed_s / 60 / minutes))


def learning_rate(recipe: Recipe, step: int, share: float) -> float:
    """A linear warm-up, then half a cosine down to the final rate."""
    warm = min(1.0, (step + 1) / recipe.warm_up_steps)
    cosine = 0.5 + 0.5 * math.cos(math.pi * share)
    return warm * (
        recipe.final_learning_rate + (recipe.peak_learning_rate - recipe.final_learning_rate) * cosine
    )


def strength_at(recipe: Recipe, share: float) -> float:
    """Of the augmentation, at a share of the training."""
    eased = 1.0 if share >= recipe.strength_easing else share / recipe.strength_easing
    return recipe.strength * (0.2 + 0.8 * eased)
