"""Models between two models."""

from dataclasses import replace

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


def test_layers_that_the_first_has_not_yet_come_in_by_the_share():
    first = load_checkpoint(EMBEDDED).eval()
    second = deepen(load_checkpoint(EMBEDDED), first.shape.encoder_layers + 2).eval()
    with torch.no_grad():
        for weight in second.model.encoder.layers[-1].parameters():
            weight.add_(0.01)
    mel = torch.randn(1, 80, 100)
    with torch.inference_mode():
        assert torch.allclose(between(first, second, 0.0).encode(mel), first.encode(mel), atol=1e-5)
        assert torch.allclose(between(first, second, 1.0).encode(mel), second.encode(mel), atol=1e-5)
    last, half = (model.model.encoder.layers[-1] for model in (second, between(first, second, 0.5)))
    assert torch.equal(half.fc1.weight, last.fc1.weight)
    assert torch.allclose(half.fc2.weight, last.fc2.weight / 2)


def test_other_shapes_and_shares_are_refused():
    model = load_checkpoint(EMBEDDED)
    layers = model.shape.encoder_layers
    with pytest.raises(TrainingFault, match=f"USAGE_INVALID.*encoder_layers={layers},"):
        between(deepen(model, layers + 2), model, 0.5)
    other = deepen(load_checkpoint(EMBEDDED), layers + 2)
    other.shape = replace(other.shape, decoder_layers=1)
    with pytest.raises(TrainingFault, match="USAGE_INVALID.*decoder_layers=1"):
        between(model, other, 0.5)
    with pytest.raises(TrainingFault, match="--share"):
        between(model, model, 1.5)
