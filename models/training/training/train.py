"""The trainer: text, phones and guided attention together; two processes share the work by averaging gradients.

The schedule follows the number of utterances presented, or the clock where that is over first: training on a CPU has
an evening, not a number of steps. A checkpoint holds everything but the position in the data, and resumes.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.augment import Augmenter, augmented_mel
from training.batches import Batch, Batches
from training.corpora import Corpora, read_words
from training.distil import distillation_loss, load_teacher, teachers_guess
from training.errors import TrainingFault
from training.losses import (
    decoder_texts,
    drop_tokens,
    guidance_loss,
    keep_cross_attention,
    phone_loss,
    text_loss,
)
from training.model import Whisper, check_window, deepen, load_checkpoint, save_checkpoint
from training.phones import PHONES, Pronunciations
from training.quantise import check_format, imitate
from training.recipe import Progress, Recipe, learning_rate, strength_at
from training.text import vocabulary
from training.tokens import Tokenizer
from training.update import clipped_step, mixed_precision, optimisers_for, set_rate

#: Texts of a batch are as long as a multiple of this many tokens, so that few shapes come up (see training/batches.py).
TEXT_STEP = 4


class Student(nn.Module):
    """The model in training, with the head for phones that is dropped at export."""

    def __init__(self, whisper: Whisper) -> None:
        super().__init__()
        self.whisper = whisper
        self.phones = nn.Linear(whisper.shape.d_model, len(PHONES))


@dataclass(frozen=True)
class Forward:
    """What became of a batch of B utterances with S positions of sound and L tokens."""

    ids: list[list[int]]
    #: where speech starts and ends in each after the stretching, s
    spans_s: list[tuple[float, float]]
    #: [B, L]
    targets: Tensor
    #: logits [B, S, phones]
    phones: Tensor
    #: [B, L, vocabulary], or nothing while only the encoder learns
    logits: Tensor | None
    #: the teacher's of the same shape, where there is one
    guess: Tensor | None


class Trainer:
    """One process of the training. Rank 0 also writes metrics (`metrics.jsonl`) and checkpoints to `out`."""

    def __init__(self, recipe: Recipe, start: Path, corpora: list[Path], out: Path, rank: int) -> None:
        self.recipe = recipe
        self._start = start
        self._out = out
        self._rank = rank
        seed = recipe.seed + 1000 * rank
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        # tiny numbers at the end of the mean and of the optimiser's moments are slow, and nothing
        torch.set_flush_denormal(True)
        self.tokenizer = Tokenizer.load(start / "tokenizer.json")
        self._pronunciations = Pronunciations(out / "phones.json")
        words = read_words(Path(recipe.words)) if recipe.words else None
        self._corpus = Corpora(corpora, frozenset(recipe.leave_out.split(",")), words)
        self._learn_words()
        whisper = load_checkpoint(start)
        if recipe.encoder_layers > whisper.shape.encoder_layers:
            whisper = deepen(whisper, recipe.encoder_layers)
        if recipe.imitate:
            check_format(recipe.imitate)
        if recipe.attention_window:
            check_window(recipe.attention_window)
            whisper.model.encoder.attention_window = recipe.attention_window
        self._teacher = load_teacher(Path(recipe.teacher), whisper.shape) if recipe.teacher else None
        self.student = Student(whisper)
        for module in whisper.modules():
            if isinstance(module, nn.Dropout):
                module.p = recipe.dropout
        self._trained = [weight for weight in self.student.parameters() if weight.requires_grad]
        self._mean = [weight.detach().clone() for weight in self._trained]
        self._optimisers = optimisers_for(
            recipe.optimiser,
            self.student.named_parameters(),
            recipe.peak_learning_rate,
            recipe.weight_decay,
        )
        self.progress = Progress()
        self._resume()
        if dist.is_initialized():
            for weight in self.student.parameters():
                dist.broadcast(weight.data, 0)
        seed += self.progress.step
        longest_text = whisper.shape.max_target_positions - len(self.tokenizer.specials.prompt) - 1
        self._batches = Batches(
            self._corpus, Augmenter(self._corpus, seed), self.tokenizer, longest_text, recipe.batching, seed
        )
        self._numpy_random = np.random.default_rng(seed)
        self._generator = torch.Generator().manual_seed(seed)

    def _learn_words(self) -> None:
        """Rank 0 looks the pronunciations of new words up; the others read what it wrote.

        All words of the generator are looked up, since the corpora may still be growing. Without the loss that
        needs them nothing is: the texts may be of another language.
        """
        if self.recipe.phone_weight == 0:
            return
        if self._rank == 0:
            self._pronunciations.learn([*vocabulary(), *(u.text for u in self._corpus.utterances)])
        if dist.is_initialized():
            dist.barrier()
            if self._rank > 0:
                self._pronunciations = Pronunciations(self._out / "phones.json")

    @property
    def _checkpoint_file(self) -> Path:
        return self._out / "resume.pt"

    def _resume(self) -> None:
        if not self._checkpoint_file.exists():
            return
        saved = torch.load(self._checkpoint_file, weights_only=True)
        self.student.load_state_dict(saved["student"])
        for mean, weight in zip(self._mean, saved["mean"], strict=True):
            mean.copy_(weight)
        for optimiser, state in zip(self._optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.progress = Progress(**saved["progress"])

    def save(self) -> None:
        """The means as a model folder (`model/`), and all that is needed to go on (`resume.pt`)."""
        save_checkpoint(self._out / "model", self.mean_model(), self._start)
        beside = self._checkpoint_file.with_suffix(".new")
        torch.save(
            {
                "student": self.student.state_dict(),
                "mean": self._mean,
                "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
                "progress": asdict(self.progress),
                "recipe": asdict(self.recipe),
            },
            beside,
        )
        beside.replace(self._checkpoint_file)

    @torch.no_grad()
    def mean_model(self) -> Whisper:
        """A Whisper with the running means as weights."""
        whisper = Whisper(self.student.whisper.shape)
        whisper.load_state_dict(self.student.whisper.state_dict())
        whisper.model.encoder.attention_window = self.recipe.attention_window or None
        means = dict(zip((id(weight) for weight in self._trained), self._mean))
        for copy, weight in zip(whisper.parameters(), self.student.whisper.parameters(), strict=True):
            if id(weight) in means:
                copy.copy_(means[id(weight)])
        return whisper.eval()

    def losses(self, batch: Batch, share: float) -> dict[str, Tensor]:
        """The parts of the loss for a batch, at a share of the training, and `total`: their weighted sum."""
        recipe = self.recipe
        guided = recipe.guidance_weight * max(0.0, 1 - 2 * share)
        keep_cross_attention(self.student.whisper, guided > 0)
        said = self._forward(batch, share)
        parts = {}
        if recipe.phone_weight > 0:
            parts["phones"] = phone_loss(said.phones, [self._pronunciations.of(text) for text in batch.texts])
        if said.logits is None:
            return parts | {"total": parts["phones"]}
        parts["text"] = text_loss(said.logits, said.targets, recipe.label_smoothing)
        total = (1 - recipe.phone_weight) * parts["text"]
        if recipe.phone_weight > 0:
            total = total + recipe.phone_weight * parts["phones"]
        if said.guess is not None:
            parts["teacher"] = distillation_loss(said.logits, said.guess, said.targets, recipe.temperature)
            total = total + recipe.teacher_weight * parts["teacher"]
        if guided > 0:
            parts["guidance"] = guidance_loss(self.student.whisper, said.ids, said.spans_s, self.tokenizer)
            total = total + guided * parts["guidance"]
        return parts | {"total": total}

    def _forward(self, batch: Batch, share: float) -> Forward:
        """Augments the spectrograms, hides tokens, and asks the student and its teacher."""
        recipe, tokenizer, whisper = self.recipe, self.tokenizer, self.student.whisper
        bins = whisper.shape.num_mel_bins
        mel = augmented_mel(batch.samples, bins, strength_at(recipe, share), self._numpy_random)
        ids = [tokenizer.encode(text) for text in batch.texts]
        positions = whisper.shape.max_target_positions
        inputs, targets = decoder_texts(ids, tokenizer, TEXT_STEP if positions % TEXT_STEP == 0 else 1)
        dropout = recipe.token_dropout * min(1.0, (1 - share) / 0.4)
        inputs = drop_tokens(inputs, dropout, tokenizer, self._generator)
        if recipe.imitate and share >= recipe.imitate_from:
            imitate(whisper, recipe.imitate, len(tokenizer.specials.prompt))
        encoder_only = share < recipe.encoder_first and recipe.phone_weight > 0
        logits = guess = None
        with mixed_precision():
            sound = whisper.encode(mel.masked)
            alone = self.progress.step < recipe.phone_head_steps
            phones = self.student.phones(sound.detach() if alone else sound)
            if not encoder_only:
                logits = whisper.decode(inputs, sound)
                if self._teacher is not None:
                    # the teacher hears what is hidden from the student
                    guess = teachers_guess(self._teacher, mel.unmasked, inputs)
        spans_s = [(start * mel.stretched, end * mel.stretched) for start, end in batch.spans_s]
        return Forward(ids, spans_s, targets, phones, logits, guess)

    def _average_gradients(self) -> None:
        gradients = [
            torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in self._trained
        ]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        at = 0
        for weight in self._trained:
            weight.grad = flat[at : at + weight.numel()].view_as(weight)
            at += weight.numel()

    def step(self, batch: Batch, share: float) -> dict[str, float]:
        """One update. A batch whose gradient is not finite changes nothing."""
        recipe = self.recipe
        rate = learning_rate(recipe, self.progress.step, share)
        set_rate(self._optimisers, rate)
        parts = self.losses(batch, share)
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        parts["total"].backward()
        if dist.is_initialized():
            self._average_gradients()
        norm, done = clipped_step(self._optimisers, self._trained, recipe.gradient_norm)
        if done:
            decay = min(recipe.mean_decay, (self.progress.step + 1) / (self.progress.step + 20))
            torch._foreach_lerp_(self._mean, [weight.detach() for weight in self._trained], 1 - decay)
        self.progress.step += 1
        self.progress.presentations += len(batch.texts) * recipe.processes
        self.progress.sound_s += batch.samples.numel() / 16000 * recipe.processes
        return {name: part.item() for name, part in parts.items()} | {"norm": norm, "rate": rate}

    def _shared_share(self) -> float:
        """The share of the training that is over, the same in all processes: their clocks differ."""
        share = torch.tensor([self.progress.share(self.recipe)])
        if dist.is_initialized():
            dist.broadcast(share, 0)
        return float(share)

    def run(self, log_every: int = 100, save_every_s: float = 300) -> None:
        """Trains until the schedule is over. Interrupted, it goes on from the last checkpoint when run again."""
        before_s, began_s = self.progress.elapsed_s, time.monotonic()
        saved_s = logged_s = began_s
        sums: dict[str, float] = {}
        logged = self.progress.presentations
        share = self.progress.share(self.recipe)
        snapshots = int(share * self.recipe.snapshots)
        batches = self._batches.forever(lambda: strength_at(self.recipe, share))
        self.student.train()
        while (share := self._shared_share()) < 1:
            for name, value in self.step(next(batches), share).items():
                sums[name] = sums.get(name, 0) + value / log_every
            now_s = time.monotonic()
            self.progress.elapsed_s = before_s + now_s - began_s
            if self.progress.step % log_every == 0:
                self._log(share, sums, (self.progress.presentations - logged) / (now_s - logged_s))
                logged, logged_s, sums = self.progress.presentations, now_s, {}
                if self._corpus.refresh() > 0 and self.recipe.phone_weight > 0:
                    self._pronunciations.learn(u.text for u in self._corpus.utterances)
            if self._rank == 0 and share * self.recipe.snapshots >= snapshots + 1:
                snapshots = int(share * self.recipe.snapshots)
                self._save_snapshot()
            if self._rank == 0 and now_s - saved_s > save_every_s:
                self.save()
                saved_s = now_s
        if self._rank == 0:
            self._save_snapshot()
            self.save()

    def _save_snapshot(self) -> None:
        """What the model was by now, to plot its way: `snapshots/<utterances presented>/`."""
        folder = self._out / "snapshots" / f"{self.progress.presentations:08d}"
        save_checkpoint(folder, self.mean_model(), self._start)

    def _log(self, share: float, means: dict[str, float], utterances_per_s: float) -> None:
        if self._rank > 0:
            return
        metrics = asdict(self.progress) | {"share": share, "utterances_per_s": utterances_per_s} | means
        rounded = {
            name: round(value, 5) if isinstance(value, float) else value for name, value in metrics.items()
        }
        with (self._out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(rounded) + "\n")
        print(
            f"{share:6.1%}  step {self.progress.step}  {self.progress.presentations} utterances  "
            + "  ".join(f"{name} {value:.3f}" for name, value in means.items() if name != "rate")
            + f"  {utterances_per_s:.0f}/s",
            flush=True,
        )


def _process(
    rank: int, recipe: Recipe, start: Path, corpora: list[Path], out: Path, log_every: int, port: int
) -> None:
    if recipe.processes > 1:
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", str(port)
        dist.init_process_group("gloo", rank=rank, world_size=recipe.processes)
    Trainer(recipe, start, corpora, out, rank).run(log_every)
    if recipe.processes > 1:
        dist.destroy_process_group()


def train(recipe: Recipe, start: Path, corpora: list[Path], out: Path, log_every: int = 100) -> None:
    """Trains `start` on the corpora into `out` (model/, resume.pt, metrics.jsonl, recipe.json).

    Raises RECIPE_CHANGED where `out` holds the beginning of a training by another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    said = json.dumps(
        {"recipe": asdict(recipe), "start": str(start), "corpora": list(map(str, corpora))}, indent=2
    )
    file = out / "recipe.json"
    if file.exists() and file.read_text() != said:
        raise TrainingFault("RECIPE_CHANGED", f"the recipe in {file}", "another", "name an empty folder")
    file.write_text(said)
    if recipe.processes == 1:
        _process(0, recipe, start, corpora, out, log_every, 0)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = (recipe, start, corpora, out, log_every, port)
    torch.multiprocessing.spawn(_process, given, nprocs=recipe.processes)
