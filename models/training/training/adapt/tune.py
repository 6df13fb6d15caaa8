"""The few minutes in which the update learns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.augment import Augmenter, augmented_mel
from training.batches import Batch, Batches, Batching
from training.corpora import Corpora
from training.losses import decoder_texts, drop_tokens, text_loss
from training.model import Whisper
from training.recipe import share_over
from training.tokens import Tokenizer
from training.update import clipped_step, mixed_precision, set_rate

#: fewer of each than a long training has: making them would take longer than what they are for
ROOMS, NOISE_CLIPS = 30, 15


@dataclass(frozen=True)
class TuningRecipe:
    """Everything that decides what comes out, but the corpora. The clock, too: it ends `steps` early."""

    steps: int = 300
    minutes: float = 5.0
    #: of the update, where there is one
    rank: int = 8
    learning_rate: float = 1e-3
    warm_up_steps: int = 20
    gradient_norm: float = 1.0
    label_smoothing: float = 0.03
    #: share of tokens hidden from the decoder, so that it goes on listening
    token_dropout: float = 0.1
    #: of the augmentation
    strength: float = 0.6
    seed: int = 1
    frames: int = 4000

    @property
    def batching(self) -> Batching:
        return Batching(frames=self.frames, pool=300, empty=0.08, long_pad=0.05, joined=0.05)


@dataclass
class TuningProgress:
    step: int = 0
    elapsed_s: float = 0.0

    def share(self, recipe: TuningRecipe) -> float:
        """How much is over, 0 to 1."""
        return share_over(self.step / recipe.steps, self.elapsed_s, recipe.minutes)


class Tuner:
    """Trains the weights of `model` that require a gradient; goes on from `state_file` if there is one."""

    def __init__(
        self, model: Whisper, tokenizer: Tokenizer, corpus: Corpora, recipe: TuningRecipe, state_file: Path
    ) -> None:
        self.progress = TuningProgress()
        self._model = model
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._state_file = state_file
        self._learning = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._optimiser = torch.optim.AdamW(
            list(self._learning.values()), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.0
        )
        self._resume()
        seed = recipe.seed + self.progress.step
        torch.manual_seed(seed)
        torch.set_flush_denormal(True)
        longest_text = model.shape.max_target_positions - len(tokenizer.specials.prompt) - 1
        augmenter = Augmenter(corpus, seed, rooms=ROOMS, noise_clips=NOISE_CLIPS)
        self._batches = Batches(corpus, augmenter, tokenizer, longest_text, recipe.batching, seed)
        self._numpy_random = np.random.default_rng(seed)
        self._generator = torch.Generator().manual_seed(seed)

    def _resume(self) -> None:
        if self._state_file.exists():
            saved = torch.load(self._state_file, weights_only=True)
            with torch.no_grad():
                for name, weight in saved["weights"].items():
                    self._learning[name].copy_(weight)
            self._optimiser.load_state_dict(saved["optimiser"])
            self.progress = TuningProgress(**saved["progress"])

    def save(self) -> None:
        """What an interrupted run goes on from; whole or as before."""
        beside = self._state_file.with_suffix(".new")
        state = {
            "weights": {name: weight.detach() for name, weight in self._learning.items()},
            "optimiser": self._optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        torch.save(state, beside)
        beside.replace(self._state_file)

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy per token of an augmented batch."""
        recipe, tokenizer = self._recipe, self._tokenizer
        bins = self._model.shape.num_mel_bins
        mel = augmented_mel(batch.samples, bins, recipe.strength, self._numpy_random)
        inputs, targets = decoder_texts([tokenizer.encode(text) for text in batch.texts], tokenizer)
        inputs = drop_tokens(inputs, recipe.token_dropout, tokenizer, self._generator)
        with mixed_precision():
            logits = self._model.decode(inputs, self._model.encode(mel.masked))
        return text_loss(logits, targets, recipe.label_smoothing)

    def step(self, batch: Batch, share: float) -> float:
        """One update at a share of the training; returns the loss. A gradient not finite changes nothing."""
        recipe = self._recipe
        warm = min(1.0, (self.progress.step + 1) / recipe.warm_up_steps)
        set_rate([self._optimiser], recipe.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * share)))
        loss = self.loss(batch)
        self._optimiser.zero_grad()
        loss.backward()
        clipped_step([self._optimiser], list(self._learning.values()), recipe.gradient_norm)
        self.progress.step += 1
        return loss.item()

    def run(self, report: Callable[[float, float], None]) -> None:
        """Trains to the end; `report` is told share and loss. Whatever interrupts it, what it has is kept."""
        before_s, began_s = self.progress.elapsed_s, time.monotonic()
        batches = self._batches.forever(lambda: self._recipe.strength)
        self._model.train()
        try:
            while (share := self.progress.share(self._recipe)) < 1:
                loss = self.step(next(batches), share)
                self.progress.elapsed_s = before_s + time.monotonic() - began_s
                report(self.progress.share(self._recipe), loss)
        finally:
            self._model.eval()
            self.save()
