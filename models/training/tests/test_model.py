"""The model, its files and its tokenizer, against the golden vectors of an independent reference."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.decode import greedy
from training.errors import TrainingFault
from training.model import deepen, load_checkpoint, save_checkpoint, window_mask
from training.tokens import Tokenizer

REPO = Path(__file__).parents[3]
EMBEDDED = REPO / "models" / "embedded"
GOLDEN = REPO / "test" / "golden" / "nano"


def golden():
    return json.loads((GOLDEN / "golden.json").read_text())


@pytest.fixture(scope="module")
def model():
    return load_checkpoint(EMBEDDED).eval()


def test_tokenizer_reads_its_own_writing():
    tokenizer = Tokenizer.load(EMBEDDED / "tokenizer.json")
    text = "don't set the thermostat in grandma's zxqj room"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.specials.prompt == [1, 2, 3, 4]
    with pytest.raises(TrainingFault, match="'é'"):
        tokenizer.encode("café")


def test_a_window_as_wide_as_the_sound_hides_nothing():
    assert window_mask(100, 128).all()
    mask = window_mask(200, 64)
    assert (mask.sum(1) == 64).all()
    assert mask.diagonal().all()


def test_deeper_is_the_same_function_until_it_is_trained(model):
    mel = torch.randn(2, 80, 200)
    deeper = deepen(model, model.shape.encoder_layers + 2).eval()
    assert len(deeper.model.encoder.layers) == model.shape.encoder_layers + 2
    with torch.inference_mode():
        assert torch.equal(deeper.encode(mel), model.encode(mel))
    deeper.encode(mel).sum().backward()
    assert deeper.model.encoder.layers[-1].fc2.weight.grad.abs().sum() > 0


def test_a_saved_checkpoint_is_the_same_model(model, tmp_path):
    save_checkpoint(tmp_path, model, EMBEDDED)
    again = load_checkpoint(tmp_path)
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in model.state_dict().items())
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads(
        (EMBEDDED / "config.json").read_text()
    )


def test_a_missing_tensor_is_named(model, tmp_path):
    save_checkpoint(tmp_path, model, EMBEDDED)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"encoder_layers": 7}))
    with pytest.raises(TrainingFault, match="model.encoder.layers.6.*none"):
        load_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(TrainingFault, match="CHECKPOINT_INVALID"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("case", golden(), ids=lambda case: case["wav"])
def test_golden_transcripts(model, case):
    tokenizer = Tokenizer.load(EMBEDDED / "tokenizer.json")
    name = case["wav"].removesuffix(".wav")
    mel = np.fromfile(GOLDEN / f"{name}.logmel.f32", np.float32).reshape(1, 80, case["melFrames"])
    with torch.inference_mode():
        sound = model.encode(torch.from_numpy(mel))
        [heard] = greedy(model, sound, tokenizer)
        tokens = torch.tensor([tokenizer.specials.prompt + case["tokens"]])
        logits = model.decode(tokens, sound)[0, 3:].numpy()
    wanted = np.fromfile(GOLDEN / f"{name}.logits.f32", np.float32).reshape(case["steps"], 1000)
    assert np.abs(logits[: len(wanted)] - wanted).max() < 1e-3
    assert heard.text == case["text"]
    assert heard.average_log_probability == pytest.approx(case["avgLogProb"], abs=1e-3)
    assert tokenizer.decode(case["tokens"]) == case["text"]
