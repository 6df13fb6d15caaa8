"""Weights between two models, of which one was trained from the other.

A model that goes on learning from other sentences forgets some of what it knew; half-way between the two it has kept
that and learnt the new (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). It costs nothing at run time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from training.errors import TrainingFault
from training.model import Whisper, deepen, load_checkpoint, save_checkpoint

HELP = """Write a model between two: --share 0 is the first, 1 the second. They must be of the same shape, but for
encoder layers that the second has got in training, and one must have been trained from the other: weights of trainings
that began apart mean nothing in between."""


@torch.no_grad()
def between(first: Whisper, second: Whisper, share: float) -> Whisper:
    """Weights (1 - share) of `first` + share of `second`. Raises USAGE_INVALID for other shapes or shares.

    Encoder layers that `second` has more than `first` were made by `deepen`: they are the second's, and what they add
    to the sum, which was nothing in the beginning, is `share` of the second's.
    """
    if first.shape != second.shape and first.shape.encoder_layers < second.shape.encoder_layers:
        first = deepen(first, second.shape.encoder_layers, second)
    if first.shape != second.shape:
        raise TrainingFault(
            "USAGE_INVALID",
            f"a model of shape {first.shape}",
            f"{second.shape}",
            "name two models of one training",
        )
    if not 0 <= share <= 1:
        raise TrainingFault("USAGE_INVALID", "--share from 0 to 1", str(share), "give another share")
    mean = Whisper(first.shape)
    ends = second.state_dict()
    mean.load_state_dict(
        {name: torch.lerp(weight, ends[name], share) for name, weight in first.state_dict().items()}
    )
    return mean


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--first", type=Path, required=True, help="model folder; tokenizer and settings are its"
    )
    parser.add_argument("--second", type=Path, required=True, help="model folder")
    parser.add_argument("--share", type=float, default=0.5, help="of the second (default 0.5)")
    parser.add_argument("--out", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    mean = between(load_checkpoint(args.first), load_checkpoint(args.second), args.share)
    save_checkpoint(args.out, mean, args.first)
