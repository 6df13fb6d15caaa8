"""One update of the weights in training, and in which numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from training.errors import TrainingFault

OPTIMISERS = ("adamw", "muon")


def optimisers_for(
    kind: str, named: Iterable[tuple[str, Tensor]], rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """`adamw`: AdamW for all weights. `muon`: Muon for the matrices of the layers and AdamW for the rest.

    Muon (Jordan et al. 2024) steps along the gradient's nearest orthogonal matrix, scaled as by Liu et al. 2025 so that
    it takes AdamW's rate and decay. Embeddings and heads are tables, not maps, and stay with AdamW. Raises
    USAGE_INVALID for another kind.
    """
    if kind not in OPTIMISERS:
        raise TrainingFault("USAGE_INVALID", " or ".join(OPTIMISERS), repr(kind), "name one of them")
    weights = [(name, weight) for name, weight in named if weight.requires_grad]
    mapping = [
        weight for name, weight in weights if kind == "muon" and ".layers." in name and weight.ndim == 2
    ]
    taken = set(map(id, mapping))
    rest = [weight for _, weight in weights if id(weight) not in taken]
    adam = torch.optim.AdamW(
        [
            {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": weight_decay},
            {"params": [weight for weight in rest if weight.ndim < 2], "weight_decay": 0.0},
        ],
        lr=rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    if not mapping:
        return [adam]
    muon = torch.optim.Muon(mapping, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
    return [adam, muon]


def set_rate(optimisers: Iterable[torch.optim.Optimizer], rate: float) -> None:
    """The learning rate of all weights from now on."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate


def clipped_step(
    optimisers: Iterable[torch.optim.Optimizer], weights: Sequence[Tensor], longest: float
) -> tuple[float, bool]:
    """A step along the gradient of `weights`, shortened where its norm is above `longest`.

    Returns the norm, and whether there was a step: a gradient that is not finite changes nothing.
    """
    norm = torch.nn.utils.clip_grad_norm_(weights, longest, foreach=True).item()
    finite = math.isfinite(norm)
    if finite:
        for optimiser in optimisers:
            optimiser.step()
    return norm, finite


def mixed_precision() -> torch.autocast:
    """bfloat16 where the processor multiplies it by itself; elsewhere float32 takes a twelfth of the time (AVX2)."""
    can = torch.cpu.get_capabilities()
    return torch.autocast("cpu", torch.bfloat16, enabled=bool(can.get("amx_bf16") or can.get("avx512_bf16")))
