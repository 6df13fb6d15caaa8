"""One update of the weights in training, and in which numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of all weights from now on."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def clipped_step(
    optimiser: torch.optim.Optimizer, weights: Sequence[Tensor], longest: float
) -> tuple[float, bool]:
    """A step along the gradient of `weights`, shortened where its norm is above `longest`.

    Returns the norm, and whether there was a step: a gradient that is not finite changes nothing.
    """
    norm = torch.nn.utils.clip_grad_norm_(weights, longest, foreach=True).item()
    finite = math.isfinite(norm)
    if finite:
        optimiser.step()
    return norm, finite


def mixed_precision() -> torch.autocast:
    """bfloat16 where the processor multiplies it by itself; elsewhere float32 takes a twelfth of the time (AVX2)."""
    can = torch.cpu.get_capabilities()
    return torch.autocast("cpu", torch.bfloat16, enabled=bool(can.get("amx_bf16") or can.get("avx512_bf16")))
