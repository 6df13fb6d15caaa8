"""Fake quantisation against an independent computation, and against harkd's compiled graphs."""

import numpy as np
import pytest
import torch
from compiled import EMBEDDED, heard_by_harkd, logits_of

from training.distil import select
from training.errors import TrainingFault
from training.model import load_checkpoint, save_checkpoint
from training.quantise import (
    EightBitConvolution,
    EightBitLinear,
    FourBitLinear,
    RoundedInput,
    eight_bit_rows,
    four_bit_blocks,
    imitate,
    range_of_utterance,
    ranges_of_steps,
)


def embedded(weights=None, folder=EMBEDDED):
    model = load_checkpoint(folder).eval()
    if weights is not None:
        imitate(model, weights, 4)
    return model


def javascript_round(x):
    return int(np.floor(x + 0.5))


def numpy_eight_bit_product(x, weight):
    """One row at a time, by the definitions of DynamicQuantizeLinear and MatMulInteger, in whole numbers.

    x [rows, ins] is quantised as a whole.
    """
    low, high = min(np.float32(0), x.min()), max(np.float32(0), x.max())
    scale = np.float32((high - low) / np.float32(255))
    zero = int(np.rint(np.clip(np.float32(0) - low / scale, 0, 255)))
    numbers = np.clip(np.rint(x / scale).astype(np.int64) + zero, 0, 255)
    out = np.zeros((len(x), len(weight)), np.float32)
    for column, row in enumerate(weight):
        largest = float(np.abs(row).max())
        rounded = np.array([javascript_round(float(value) * (127 / largest)) for value in row])
        assert np.abs(rounded).max() == 127
        out[:, column] = ((numbers - zero) @ rounded) * np.float64(scale) * np.float32(largest / 127)
    return out


def test_eight_bit_products_are_those_of_the_definitions():
    generator = torch.Generator().manual_seed(1)
    linear = torch.nn.Linear(96, 40, bias=False)
    sounds = torch.randn(2, 7, 96, generator=generator) * torch.tensor([1.0, 3.0])[:, None, None] + 0.3
    got = EightBitLinear(linear, RoundedInput(range_of_utterance))(sounds).detach().numpy()
    weight = linear.weight.detach().numpy()
    for sound, wanted in zip(sounds.numpy(), got):
        np.testing.assert_allclose(wanted, numpy_eight_bit_product(sound, weight), rtol=1e-5, atol=1e-6)
    # the decoder: four tokens at once, then one by one
    got = EightBitLinear(linear, RoundedInput(ranges_of_steps(4)))(sounds).detach().numpy()
    for sound, wanted in zip(sounds.numpy(), got):
        parts = [sound[:4], *(sound[at : at + 1] for at in range(4, 7))]
        by_parts = np.concatenate([numpy_eight_bit_product(part, weight) for part in parts])
        np.testing.assert_allclose(wanted, by_parts, rtol=1e-5, atol=1e-6)


def test_convolutions_are_products_over_three_neighbours():
    convolution = torch.nn.Conv1d(8, 16, 3, stride=2, padding=1)
    sound = torch.randn(1, 8, 20)
    got = EightBitConvolution(convolution)(sound).detach().numpy()[0]
    padded = np.pad(sound[0].numpy().T, ((1, 1), (0, 0)))
    taps = np.concatenate([padded[:-2:2], padded[1:-1:2], padded[2::2]], 1)
    weight = convolution.weight.detach().numpy().transpose(0, 2, 1).reshape(16, 24)
    wanted = numpy_eight_bit_product(taps, weight) + convolution.bias.detach().numpy()
    np.testing.assert_allclose(got, wanted.T, rtol=1e-5, atol=1e-6)


def numpy_four_bit_block(values):
    farthest = 0.0
    for value in values:
        if abs(value) > abs(farthest):
            farthest = float(value)
    candidates = []
    for placement in (-7.4, -8, -8.8):
        steps = placement / farthest
        numbers = np.array([min(7, max(-8, javascript_round(float(value) * steps))) for value in values])
        scale = float(numbers @ values.astype(np.float64)) / float(numbers @ numbers)
        error = float(((values - scale * numbers) ** 2).sum())
        candidates.append((error, numbers, scale))
    return min(candidates, key=lambda candidate: candidate[0])


@pytest.mark.parametrize("block", [32, 128])
def test_four_bit_blocks_have_the_least_squared_error(block):
    weight = torch.randn(6, 192)
    weight[2, :block] = 0
    numbers, scales = four_bit_blocks(weight, block)
    assert numbers.shape == (6, -(-192 // block), block)
    for row in range(6):
        for at in range(numbers.shape[1]):
            values = weight[row, at * block : (at + 1) * block].numpy()
            if not values.any():
                assert scales[row, at, 0] == 1 and not numbers[row, at].any()
                continue
            error, wanted, scale = numpy_four_bit_block(values)
            np.testing.assert_array_equal(numbers[row, at, : len(values)].numpy(), wanted)
            assert scales[row, at, 0] == np.float32(scale)


def test_four_bit_products_round_inputs_by_blocks():
    linear = torch.nn.Linear(96, 5)
    x = torch.randn(1, 2, 96)
    got = FourBitLinear(linear)(x).detach().numpy()[0]
    weight = linear.weight.detach().numpy()
    wanted = np.tile(linear.bias.detach().numpy(), (2, 1))
    for at in range(0, 96, 32):
        for row, given in enumerate(x[0, :, at : at + 32].numpy()):
            scale = np.abs(given).max() / np.float32(127)
            numbers = np.rint(given * (np.float32(127) / np.abs(given).max())).astype(np.int64)
            for out in range(5):
                _, rounded, weight_scale = numpy_four_bit_block(weight[out, at : at + 32])
                wanted[row, out] += (numbers @ rounded) * scale * np.float32(weight_scale)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_a_row_of_zeros_stays_zero():
    numbers, scales = eight_bit_rows(torch.zeros(2, 3))
    assert not numbers.any() and (scales == 1).all()
    layer = EightBitLinear(torch.nn.Linear(3, 2, bias=False), RoundedInput(range_of_utterance))
    assert not layer(torch.zeros(1, 4, 3)).any()


def test_gradients_pass_the_rounding():
    linear = torch.nn.Linear(64, 8)
    x = torch.randn(2, 5, 64, requires_grad=True)
    rounded = EightBitLinear(linear, RoundedInput(range_of_utterance))(x)
    towards = torch.randn_like(rounded)
    (rounded * towards).sum().backward()
    by_x, by_weight = x.grad.clone(), linear.weight.grad.clone()
    x.grad = linear.weight.grad = None
    (linear(x) * towards).sum().backward()
    # what is multiplied with is rounded, so a little differs, and no more
    assert (by_x - x.grad).norm() < 0.02 * x.grad.norm()
    assert (by_weight - linear.weight.grad).norm() < 0.02 * linear.weight.grad.norm()


def test_bfloat16_multiplies_the_same_whole_numbers():
    layer = EightBitLinear(torch.nn.Linear(192, 192, bias=False), RoundedInput(range_of_utterance))
    x = torch.randn(1, 50, 192)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        close = layer(x)
    # one rounding of the sum to eight bits, none of what is summed
    assert ((close - exact).abs() <= exact.abs() * 2**-8 + 1e-6).all()


def test_parameters_stay_what_and_where_they_were(tmp_path):
    model = embedded()
    before = [(name, id(weight)) for name, weight in model.named_parameters()]
    for _ in range(2):
        imitate(model, "int4", 4)
        assert [(name, id(weight)) for name, weight in model.named_parameters()] == before
    save_checkpoint(tmp_path, model, EMBEDDED)
    saved = load_checkpoint(tmp_path).state_dict()
    assert all(torch.equal(weight, saved[name]) for name, weight in embedded().state_dict().items())
    with pytest.raises(TrainingFault, match="FORMAT_INVALID.*int8, int4.*'int2'"):
        imitate(model, "int2", 4)


@pytest.fixture(scope="module", params=["int8", "int4"])
def compared(request, tmp_path_factory):
    """A student of three layers: a rounding that is tipped tips others in every layer after it."""
    weights = request.param
    folder = tmp_path_factory.mktemp(weights)
    save_checkpoint(folder / "shallow", select(load_checkpoint(EMBEDDED), [0, 1], [0]), EMBEDDED)
    (folder / "heard").mkdir()
    return weights, folder / "shallow", heard_by_harkd(folder / "heard", folder / "shallow", weights)


def root_mean_square(differences):
    return torch.cat([difference.flatten() for difference in differences]).square().mean().sqrt().item()


@torch.inference_mode()
def test_the_encoder_rounds_as_the_compiled_one(compared):
    weights, folder, cases = compared
    imitating, plain = embedded(weights, folder), embedded(None, folder)
    rounded = [imitating.encode(case.log_mel) - case.hidden for case in cases]
    unrounded = [plain.encode(case.log_mel) - case.hidden for case in cases]
    # Sums in another order differ in the seventh digit, which now and then tips one rounding, and that others:
    # on some processors in every utterance, on others not in one to three of the ten, which then agree to 1e-5.
    closest = min(root_mean_square([difference]) for difference in rounded)
    assert closest < 0.05 * root_mean_square(unrounded)
    assert root_mean_square(rounded) < 0.6 * root_mean_square(unrounded)
    assert all(difference.abs().max() > 0.05 for difference in unrounded)


@torch.inference_mode()
def test_the_decoder_rounds_as_the_compiled_one(compared):
    weights, folder, cases = compared
    imitating, plain = embedded(weights, folder), embedded(None, folder)
    rounded = [logits_of(imitating, case.tokens, case.hidden) - case.logits for case in cases]
    unrounded = [logits_of(plain, case.tokens, case.hidden) - case.logits for case in cases]
    # a rounding that is tipped stays in the cache, and the rows after it differ, too
    rows = torch.cat([difference.abs().amax(1) for difference in rounded])
    assert (rows < 1e-4).float().mean() > 0.75
    assert root_mean_square(rounded) < 0.25 * root_mean_square(unrounded)
