"""Distillation: a student made of a teacher's layers, and what the teacher's guesses teach it.

The teacher runs beside the student and hears the same augmented sound. Kept guesses (the likeliest tokens of
each utterance, written once) would fit only the utterance as it was recorded, not one that was stretched,
joined with another or given other tokens to go on from; and a forward pass without gradients is a third of a
step. A teacher that is too large for that teaches by its words alone: `training/label.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from training.errors import TrainingFault
from training.losses import IGNORED
from training.model import Shape, Whisper, load_checkpoint, save_checkpoint


def distillation_loss(logits: Tensor, wanted: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Mean divergence of logits [B, L, V] from the teacher's `wanted`, where targets [B, L] count.

    Kullback-Leibler, both at `temperature`, times its square so that the gradient keeps its size (Hinton et
    al. 2015).
    """
    counted = targets != IGNORED
    student = F.log_softmax(logits[counted].float() / temperature, -1)
    teacher = F.log_softmax(wanted[counted].float() / temperature, -1)
    return F.kl_div(student, teacher, log_target=True, reduction="batchmean") * temperature**2


def load_teacher(folder: Path, student: Shape) -> Whisper:
    """A teacher for such a student, without gradients. Raises TEACHER_UNLIKE and CHECKPOINT_INVALID."""
    teacher = load_checkpoint(folder).eval().requires_grad_(False)
    for name in ("vocab_size", "num_mel_bins"):
        theirs, ours = getattr(teacher.shape, name), getattr(student, name)
        if theirs != ours:
            raise TrainingFault(
                "TEACHER_UNLIKE",
                f"a teacher with {name} {ours}",
                str(theirs),
                "select the student from its layers",
            )
    return teacher


def evenly(layers: int) -> list[int]:
    """Half of `layers`, rounded up, evenly spread from the first to the last."""
    kept = (layers + 1) // 2
    return [round(at * (layers - 1) / max(1, kept - 1)) for at in range(kept)]


def _check(what: str, kept: Sequence[int], layers: int) -> list[int]:
    rising = all(a < b for a, b in zip(kept, kept[1:]))
    if not kept or not rising or kept[0] < 0 or kept[-1] >= layers:
        expected = f"layers of the {what}, rising, from 0 to {layers - 1}"
        raise TrainingFault("LAYERS_INVALID", expected, ",".join(map(str, kept)) or "none", "name others")
    return list(kept)


def select(teacher: Whisper, encoder_layers: Sequence[int], decoder_layers: Sequence[int]) -> Whisper:
    """A student with those layers of the teacher, and everything else. Raises LAYERS_INVALID."""
    shape = teacher.shape
    kept = {
        "encoder": _check("encoder", encoder_layers, shape.encoder_layers),
        "decoder": _check("decoder", decoder_layers, shape.decoder_layers),
    }
    fewer = {f"{stack}_layers": len(layers) for stack, layers in kept.items()}
    student = Whisper(replace(shape, **fewer))
    weights = teacher.state_dict()
    for stack, layers in kept.items():
        prefix = f"model.{stack}.layers."
        chosen = {}
        for name in [name for name in weights if name.startswith(prefix)]:
            layer, _, rest = name.removeprefix(prefix).partition(".")
            weight = weights.pop(name)
            if int(layer) in layers:
                chosen[f"{prefix}{layers.index(int(layer))}.{rest}"] = weight
        weights |= chosen
    student.load_state_dict(weights)
    return student


def save_student(folder: Path, student: Whisper, teacher: Path, decoder_layers: Sequence[int]) -> None:
    """Writes the student's model folder; what is told of heads of layers that are gone, is told no more."""
    save_checkpoint(folder, student, teacher)
    file = folder / "generation_config.json"
    if not file.exists():
        return
    generation = json.loads(file.read_text())
    if generation.get("alignment_heads"):
        heads = [
            [list(decoder_layers).index(layer), head]
            for layer, head in generation["alignment_heads"]
            if layer in decoder_layers
        ]
        generation["alignment_heads"] = heads
        if not heads:
            del generation["alignment_heads"]
        file.write_text(json.dumps(generation, indent=2) + "\n")


@torch.no_grad()
def teachers_guess(teacher: Whisper, mel: Tensor, inputs: Tensor) -> Tensor:
    """The teacher's logits [B, L, V] for log-mel [B, bins, frames] and decoder inputs [B, L]."""
    return teacher.decode(inputs, teacher.encode(mel))
