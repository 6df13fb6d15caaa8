"""Quantisation-aware training: a Whisper that rounds in PyTorch where harkd's compiled graphs round.

The number formats are those of `models/compiler` (quantize.ts, matrix.ts, profiles.ts) and of ONNX Runtime:

int8   weights with a scale for each output, the largest value becoming 127. The input of a product is
       rounded to 0..255 between its smallest and largest value (DynamicQuantizeLinear): in the encoder those
       of the whole utterance, in the decoder those of what is fed at once, first the prompt, then each token.
int4   what wide models get on processors with kernels for it: the decoder in blocks of 32 inputs with a scale
       each, the head in blocks of 128, inputs rounded to -127..127 within the same blocks (MatMulNBits,
       accuracy level 4); the encoder, the keys and values of the sound and the table of tokens stay int8.

Weights remain float32 parameters under their own names: what was learnt is saved as before, and compiled by
harkd. Gradients pass the rounding unchanged; there is nothing to clip, every range being that of the values.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from training.errors import TrainingFault
from training.model import TokenEmbedding, Whisper

FORMATS = ("int8", "int4")
_LARGEST_WEIGHT = 127
_LARGEST_INPUT = 255
_BLOCK = 32
_HEAD_BLOCK = 128
#: where the value farthest from zero of a block of four-bit weights goes (quantize.ts)
_PLACEMENTS = (-7.4, -8.0, -8.8)


class _Rounded(torch.autograd.Function):
    """Stands for `x / scale` rounded to the whole numbers `numbers`; the gradient is that of `x / scale`."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, numbers: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(scale)
        return numbers

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (scale,) = ctx.saved_tensors
        return gradient / scale, None, None


def _half_up(x: Tensor) -> Tensor:
    """`Math.round` of JavaScript, with which the compiler rounds weights; kernels round halves to even."""
    return torch.floor(x + 0.5)


def eight_bit_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers of -127..127 like `weight` [outs, ...], and their scales [outs, 1, ...], both float32."""
    low, high = weight.detach().flatten(1).aminmax(dim=1)
    largest = torch.maximum(-low, high).double().view(-1, *[1] * (weight.ndim - 1))
    # a row of zeros keeps a usable scale
    empty = largest == 0
    numbers = weight.detach().double().mul_(torch.where(empty, 0, _LARGEST_WEIGHT / largest))
    return numbers.add_(0.5).floor_().float(), torch.where(empty, 1, largest / _LARGEST_WEIGHT).float()


def _in_blocks(x: Tensor, block: int) -> Tensor:
    """[..., n] to [..., ceil(n / block), block], filled up with zeros."""
    return F.pad(x, (0, -x.shape[-1] % block)).unflatten(-1, (-1, block))


def four_bit_blocks(weight: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Whole numbers of -8..7 [outs, blocks, block] for `weight` [outs, ins], and scales [outs, blocks, 1].

    Of three placements of the value farthest from zero, the one with the smallest squared error is taken.
    """
    values = _in_blocks(weight.detach().double(), block)
    farthest = values.gather(-1, values.abs().argmax(-1, keepdim=True))
    empty = farthest == 0
    best = torch.full_like(farthest, -1)
    scales = torch.ones_like(farthest)
    numbers = torch.zeros_like(values)
    for placement in _PLACEMENTS:
        tried = _half_up(values * torch.where(empty, 0, placement / farthest)).clamp(-8, 7)
        product = (tried * values).sum(-1, keepdim=True)
        square = (tried * tried).sum(-1, keepdim=True).clamp(min=1)
        explained = product * product / square
        better = ~empty & (explained > best)
        best = torch.where(better, explained, best)
        scales = torch.where(better, product / square, scales)
        numbers = torch.where(better, tried, numbers)
    return numbers.float(), scales.float()


#: smallest and largest value of what each row of x is quantised with, to be broadcast against x
Ranges = Callable[[Tensor], tuple[Tensor, Tensor]]


def range_of_utterance(x: Tensor) -> tuple[Tensor, Tensor]:
    """x [B, ...]: one range each, as the encoder hears one utterance at a time."""
    low, high = x.flatten(1).aminmax(dim=1)
    one_each = (-1, *[1] * (x.ndim - 1))
    return low.view(one_each), high.view(one_each)


def ranges_of_steps(prompt_tokens: int, head: bool = False) -> Ranges:
    """For x [B, L, D] of the decoder: the prompt is fed at once, the rest token by token.

    The head sees only two rows of the prompt, the first (is there speech?) and the last.
    """
    seen = [0, prompt_tokens - 1] if head else list(range(prompt_tokens))

    def ranges(x: Tensor) -> tuple[Tensor, Tensor]:
        low, high = x.aminmax(dim=-1, keepdim=True)
        rows = [row for row in seen if row < x.shape[1]]
        low[:, :prompt_tokens] = low[:, rows].amin(1, keepdim=True)
        high[:, :prompt_tokens] = high[:, rows].amax(1, keepdim=True)
        return low, high

    return ranges


def eight_bit_input(x: Tensor, ranges: Ranges) -> tuple[Tensor, Tensor]:
    """x as whole numbers, zero point taken off (so 0 stays 0), and the scale to multiply them with."""
    values = x.detach().float()
    low, high = ranges(values)
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = torch.where(high == low, 1, (high - low) / _LARGEST_INPUT)
    zero = (-low / scale).clamp(0, _LARGEST_INPUT).round()
    numbers = values.div(scale).round_().clamp_(-zero, _LARGEST_INPUT - zero)
    return _Rounded.apply(x.float(), numbers, scale), scale


class RoundedInput:
    """Rounds once what several layers are given: query, key and value, or all keys and values of a sound."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._given: Tensor | None = None
        self._rounded: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self._given is not x or self._rounded is None:
            self._given, self._rounded = x, eight_bit_input(x, self._ranges)
        return self._rounded


def _blockwise_input(x: Tensor, block: int) -> Tensor:
    """x with each block of each row rounded to 127 steps either side of zero, float32."""
    values = _in_blocks(x.detach().float(), block)
    largest = values.abs().amax(-1, keepdim=True)
    numbers = torch.where(largest == 0, 0, values * (127 / largest)).round()
    rounded = (numbers * (largest / 127)).flatten(-2)[..., : x.shape[-1]]
    return _Rounded.apply(x.float(), rounded, torch.ones(()))


def _four_bit_product(x: Tensor, weight: Tensor, bias: Tensor | None, block: int) -> Tensor:
    """x [..., ins] times weight [outs, ins] as MatMulNBits; float32 also where the rest is bfloat16."""
    numbers, scales = four_bit_blocks(weight, block)
    rounded = (numbers * scales).flatten(-2)[:, : weight.shape[1]]
    with torch.autocast(x.device.type, enabled=False):
        return F.linear(_blockwise_input(x, block), _Rounded.apply(weight, rounded, torch.ones(())), bias)


def _eight_bit_product(x: Tensor, weight: Tensor, bias: Tensor | None, rounded: RoundedInput) -> Tensor:
    """x [..., ins] times weight [outs, ins] as DynamicQuantizeMatMul.

    It is the whole numbers that are multiplied: up to 256 they are exact in bfloat16 too.
    """
    numbers, scales = eight_bit_rows(weight)
    inputs, scale = rounded(x)
    product = F.linear(inputs, _Rounded.apply(weight, numbers, scales)) * (scale * scales[:, 0])
    return product if bias is None else product + bias


class _Imitating(nn.Module):
    """Takes the place of a layer and shares its parameters, under the same names."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.weight = layer.weight
        self.register_parameter("bias", getattr(layer, "bias", None))


class EightBitLinear(_Imitating):
    """`nn.Linear` in int8."""

    def __init__(self, layer: nn.Linear, rounded: RoundedInput) -> None:
        super().__init__(layer)
        self._rounded = rounded

    def forward(self, x: Tensor) -> Tensor:
        return _eight_bit_product(x, self.weight, self.bias, self._rounded)


class FourBitLinear(_Imitating):
    """`nn.Linear` in blocks of four bits."""

    def forward(self, x: Tensor) -> Tensor:
        return _four_bit_product(x, self.weight, self.bias, _BLOCK)


class EightBitConvolution(_Imitating):
    """`nn.Conv1d` in int8: in the graph a product over three neighbours, whose padding is exactly zero."""

    def __init__(self, layer: nn.Conv1d) -> None:
        super().__init__(layer)
        self._stride, self._padding = layer.stride, layer.padding

    def forward(self, x: Tensor) -> Tensor:
        numbers, scales = eight_bit_rows(self.weight)
        inputs, scale = eight_bit_input(x, range_of_utterance)
        rounded = _Rounded.apply(self.weight, numbers, scales)
        product = F.conv1d(inputs, rounded, stride=self._stride, padding=self._padding)
        return product * (scale * scales[:, 0]) + self.bias[:, None]


class EightBitEmbedding(TokenEmbedding):
    """The table of tokens in int8, and the same weights as the head."""

    def __init__(self, layer: TokenEmbedding, prompt_tokens: int, head_in_four_bits: bool) -> None:
        super().__init__(layer.num_embeddings, layer.embedding_dim, _weight=layer.weight)
        self.weight = layer.weight
        self._rounded = RoundedInput(ranges_of_steps(prompt_tokens, head=True))
        self._head_in_four_bits = head_in_four_bits

    def forward(self, tokens: Tensor) -> Tensor:
        rows = super().forward(tokens)
        numbers, scales = eight_bit_rows(rows.flatten(0, -2))
        numbers, scales = numbers.view(rows.shape), scales.view(*rows.shape[:-1], 1)
        return _Rounded.apply(rows, numbers, scales) * scales

    def logits(self, x: Tensor) -> Tensor:
        if self._head_in_four_bits:
            return _four_bit_product(x, self.weight, None, _HEAD_BLOCK)
        return _eight_bit_product(x, self.weight, None, self._rounded)


def check_format(weights: str) -> None:
    """Raises FORMAT_INVALID unless `weights` can be imitated."""
    if weights not in FORMATS:
        known = ", ".join(FORMATS)
        raise TrainingFault("FORMAT_INVALID", f"one of {known}", repr(weights), "name a number format")


def imitate(model: Whisper, weights: str, prompt_tokens: int) -> None:
    """Makes `model` round as the graphs do that harkd compiles with `weights` ('int8' or 'int4'), in place.

    `prompt_tokens`: how many tokens are fed before the first that is guessed. Parameters, their names and
    their order stay. In a batch the padding counts for the range of an utterance, which harkd does not have;
    and Arm processors with KleidiAI round the inputs of four-bit products by rows instead of blocks. Doing it
    twice changes nothing.
    Raises FORMAT_INVALID.
    """
    check_format(weights)
    four_bits = weights == "int4"
    steps = ranges_of_steps(prompt_tokens)
    shared: dict[str, RoundedInput] = {}
    for name, layer in list(model.named_modules()):
        path, _, own = name.rpartition(".")
        of_sound = "decoder" not in path or (path.endswith("encoder_attn") and own in ("k_proj", "v_proj"))
        if isinstance(layer, nn.Linear):
            # query, key and value are made of the same, all keys and values of the sound too
            of_same = (
                "sound" if of_sound and "decoder" in path else path if path.endswith("self_attn") else name
            )
            if own == "out_proj":
                of_same = name
            ranges = range_of_utterance if of_sound else steps
            rounded = shared.setdefault(of_same, RoundedInput(ranges))
            in_four_bits = four_bits and not of_sound
            imitation = FourBitLinear(layer) if in_four_bits else EightBitLinear(layer, rounded)
        elif isinstance(layer, nn.Conv1d):
            imitation = EightBitConvolution(layer)
        elif isinstance(layer, TokenEmbedding) and not isinstance(layer, EightBitEmbedding):
            imitation = EightBitEmbedding(layer, prompt_tokens, four_bits)
        else:
            continue
        setattr(model.get_submodule(path), own, imitation)
