"""Models between two models."""

import pytest
import torch
from compiled import EMBEDDED

from training.errors import TrainingFault
from training.mean import between
from training.model import deepen, load_checkpoint


def test_the_ends_are_the_models_and_the_middle_is_their_mean():
    first = load_checkpoint(EMBEDDED)
    second = load_checkpoint(EMBEDDED)
    with torch.no_grad():
        for weight in second.parameters():
            weight.add_(1)
    for share in (0.0, 0.25, 1.0):
        made = between(first, second, share).state_dict()
        for name, weight in first.state_dict().items():
            assert torch.allclose(made[name], weight + share, atol=1e-5), name


def test_other_shapes_and_shares_are_refused():
    model = load_checkpoint(EMBEDDED)
    with pytest.raises(TrainingFault, match="USAGE_INVALID.*encoder_layers=6"):
        between(model, deepen(model, 6), 0.5)
    with pytest.raises(TrainingFault, match="--share"):
        between(model, model, 1.5)
