"""What of a model learns in an adaptation, and how it becomes an ordinary model again."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.errors import TrainingFault
from training.model import Whisper

#: The update counts this many times: the matrices may then stay small (alpha = 2 rank in Hu et al. 2021).
SCALE = 2.0
#: Layers of the encoder that learn, counted from its end: those before hear, these make something of it.
ENCODER_LAYERS = 2


class LowRank(nn.Module):
    """A frozen linear layer, and beside it an update of low rank that learns (Hu et al. 2021, LoRA).

    `up` starts at zero: at first nothing is changed.
    """

    def __init__(self, linear: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = linear
        width = linear.in_features
        self.down = nn.Parameter(torch.randn(rank, width, generator=generator) * width**-0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in] → [..., out]."""
        return self.linear(x) + SCALE * F.linear(F.linear(x, self.down), self.up)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The frozen layer with the update in its weights."""
        self.linear.weight += SCALE * self.up @ self.down
        return self.linear


def _layers(model: Whisper) -> list[nn.Module]:
    return [*model.model.encoder.layers[-ENCODER_LAYERS:], *model.model.decoder.layers]


def low_rank(model: Whisper, rank: int, seed: int) -> list[nn.Parameter]:
    """Freezes `model` and gives the last layers' projections updates of `rank`, which are returned.

    Raises USAGE_INVALID unless `rank` is at least 1 and less than the model is wide.
    """
    width = model.shape.d_model
    if not 1 <= rank < width:
        raise TrainingFault("USAGE_INVALID", f"a rank of 1 to {width - 1}", str(rank), "give --rank 8, say")
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    learning: list[nn.Parameter] = []
    for layer in _layers(model):
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear) and not isinstance(parent, LowRank):
                    update = LowRank(child, rank, generator)
                    setattr(parent, name, update)
                    learning += [update.down, update.up]
    return learning


def last_layer(model: Whisper, pieces: list[int]) -> list[nn.Parameter]:
    """Freezes `model` but for the decoder's last layer and norm, and the rows of `pieces` of its tokens."""
    model.requires_grad_(False)
    decoder = model.model.decoder
    rows = torch.zeros(len(decoder.embed_tokens.weight), 1)
    rows[pieces] = 1
    table = decoder.embed_tokens.weight.requires_grad_(True)
    table.register_hook(lambda gradient: gradient * rows)
    own = [*decoder.layers[-1].parameters(), *decoder.layer_norm.parameters()]
    return [table, *(weight.requires_grad_(True) for weight in own)]


def merge(model: Whisper) -> Whisper:
    """`model` itself, with all updates of low rank in the weights they belong to."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LowRank):
                setattr(parent, name, child.merged())
    return model
