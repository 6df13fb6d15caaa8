"""The losses against small cases worked out by hand or by brute force."""

import itertools
import math
from pathlib import Path

import pytest
import torch

from training.losses import (
    IGNORED,
    decoder_texts,
    drop_tokens,
    guidance_loss,
    keep_cross_attention,
    phone_loss,
    text_loss,
)
from training.model import load_checkpoint
from training.tokens import Tokenizer

EMBEDDED = Path(__file__).parents[3] / "models" / "embedded"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.load(EMBEDDED / "tokenizer.json")


def test_the_decoder_guesses_the_text_the_end_and_whether_there_is_speech(tokenizer):
    inputs, targets = decoder_texts([[10, 11], []], tokenizer)
    assert inputs.tolist() == [[1, 2, 3, 4, 10, 11], [1, 2, 3, 4, 0, 0]]
    assert targets.tolist() == [[2, IGNORED, IGNORED, 10, 11, 0], [5, IGNORED, IGNORED, 0, IGNORED, IGNORED]]


def test_texts_may_be_filled_up_to_a_multiple(tokenizer):
    inputs, targets = decoder_texts([[10, 11], []], tokenizer, 4)
    assert inputs.shape == targets.shape == (2, 8)
    shorter, counted = decoder_texts([[10, 11], []], tokenizer)
    assert torch.equal(inputs[:, :6], shorter) and torch.equal(targets[:, :6], counted)
    assert (targets[:, 6:] == IGNORED).all()
    assert decoder_texts([[10] * 4], tokenizer, 4)[0].shape == (1, 8)


def test_only_text_tokens_are_dropped(tokenizer):
    inputs = torch.full((200, 14), 500)
    inputs[:, :4] = torch.tensor([1, 2, 3, 4])
    dropped = drop_tokens(inputs, 0.25, tokenizer, torch.Generator().manual_seed(3))
    assert torch.equal(dropped[:, :4], inputs[:, :4])
    share = (dropped[:, 4:] != 500).float().mean().item()
    assert 0.2 < share < 0.3
    assert dropped.min() >= 1 and dropped[:, 4:].min() >= 6
    assert torch.equal(drop_tokens(inputs, 0.0, tokenizer, torch.Generator()), inputs)


def test_text_loss_counts_what_is_not_ignored():
    logits = torch.tensor([[[0.0, 0.0], [5.0, 0.0]]])
    assert text_loss(logits, torch.tensor([[1, IGNORED]]), 0.0).item() == pytest.approx(math.log(2))


def test_phone_loss_is_the_sum_over_all_alignments():
    logits = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(1))
    probabilities = logits[0].softmax(-1)
    total = 0.0
    for path in itertools.product(range(3), repeat=4):
        said = [phone for phone, _ in itertools.groupby(path) if phone != 0]
        if said == [1, 2]:
            total += math.prod(probabilities[at, phone].item() for at, phone in enumerate(path))
    # two phones and one row: the sum is shared by three
    assert phone_loss(logits, [[1, 2]]).item() == pytest.approx(-math.log(total) / 3, rel=1e-5)


def test_guidance_prefers_a_decoder_that_looks_where_it_is_said(tokenizer):
    model = load_checkpoint(EMBEDDED)
    keep_cross_attention(model, True)
    ids = [tokenizer.encode("turn on the kitchen lights"), []]
    inputs, _ = decoder_texts(ids, tokenizer)
    model.decode(inputs, torch.randn(2, 100, 192))

    def looking(at):
        for layer in model.model.decoder.layers:
            weights = torch.zeros_like(layer.encoder_attn.weights)
            weights.scatter_(-1, at[None, None, :, None].expand(*weights.shape[:3], 1), 1.0)
            layer.encoder_attn.weights = weights
        return guidance_loss(model, ids, [(0.2, 1.8), (0.0, 0.0)], tokenizer).item()

    steps = inputs.shape[1]
    forwards = torch.linspace(0, 90, steps).long()
    spoken = torch.cat([torch.zeros(3).long(), torch.linspace(12, 90, steps - 3).long()])
    assert looking(spoken) < looking(forwards.flip(0))
    assert looking(spoken) < 1.0
    keep_cross_attention(model, False)
