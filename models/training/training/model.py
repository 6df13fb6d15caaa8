"""Whisper in PyTorch, with the names of Hugging Face's `WhisperForConditionalGeneration`.

The time axis is dynamic: positions are sliced to the length of the sound, nothing is padded to 30 s.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.errors import TrainingFault


@dataclass(frozen=True)
class Shape:
    """What a Whisper is made of; the names are those of `config.json`."""

    vocab_size: int
    num_mel_bins: int
    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_layers: int
    decoder_attention_heads: int
    decoder_ffn_dim: int
    max_source_positions: int
    max_target_positions: int

    @staticmethod
    def of(config: dict) -> Shape:
        """Raises CHECKPOINT_INVALID where a field is missing or no positive whole number."""
        fields = {}
        for name in Shape.__dataclass_fields__:
            value = config.get(name)
            if not isinstance(value, int) or value < 1:
                raise TrainingFault(
                    "CHECKPOINT_INVALID", f"{name} in config.json", repr(value), "repair the file"
                )
            fields[name] = value
        return Shape(**fields)


def sinusoids(positions: int, channels: int) -> Tensor:
    """Position codes [positions, channels] of Whisper's encoder: sines, then cosines."""
    step = math.log(10000) / (channels // 2 - 1)
    angles = torch.arange(positions)[:, None] * torch.exp(-step * torch.arange(channels // 2))[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


def window_mask(positions: int, window: int) -> Tensor:
    """Which of [query, key] may meet in an encoder that attends within `window` positions (a multiple of 4).

    The rule is that of `models/compiler/local-attention.ts`: blocks of half a window, each attending to one window
    that reaches a quarter of a window to either side and is moved inwards at the ends.
    """
    starts = torch.arange(positions) // (window // 2) * (window // 2) - window // 4
    starts = starts.clamp(min=0).clamp(max=max(0, positions - window))
    keys = torch.arange(positions)[None]
    return (keys >= starts[:, None]) & (keys < starts[:, None] + window)


def check_window(window: int) -> None:
    """Raises WINDOW_INVALID for what harkd would not compile with."""
    if window % 4 or not 16 <= window <= 65_536:
        expected = "a multiple of 4 from 16 to 65536 positions of 20 ms"
        raise TrainingFault("WINDOW_INVALID", expected, str(window), "try 512, which is 10.24 s")


class Attention(nn.Module):
    """Multi-head attention; `weights` of the last call are kept where `keep_weights` is set."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.keep_weights = False
        self.weights: Tensor | None = None

    def forward(self, x: Tensor, source: Tensor, allowed: Tensor | None = None) -> Tensor:
        """x [B, T, D] attends to source [B, S, D]; `allowed` [T, S] or [B, 1, 1, S] is False where it may not."""

        def split(y: Tensor) -> Tensor:
            return y.view(y.shape[0], y.shape[1], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.q_proj(x)), split(self.k_proj(source)), split(self.v_proj(source))
        # written out: on the CPU the backward pass of the fused attention takes longer than all products together
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, -1, dtype=scores.dtype)
        self.weights = weights if self.keep_weights else None
        return self.out_proj((weights @ v).transpose(1, 2).reshape(x.shape))


class EncoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor | None) -> Tensor:
        y = self.self_attn_layer_norm(x)
        x = x + self.dropout(self.self_attn(y, y, allowed))
        return x + self.dropout(self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))))


class DecoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.encoder_attn = Attention(width, heads)
        self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, sound: Tensor, causal: Tensor) -> Tensor:
        y = self.self_attn_layer_norm(x)
        x = x + self.dropout(self.self_attn(y, y, causal))
        x = x + self.dropout(self.encoder_attn(self.encoder_attn_layer_norm(x), sound))
        return x + self.dropout(self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))))


class Encoder(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        width = shape.d_model
        self.conv1 = nn.Conv1d(shape.num_mel_bins, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(shape.max_source_positions, width)
        self.embed_positions.weight.requires_grad_(False).copy_(sinusoids(shape.max_source_positions, width))
        self.layers = nn.ModuleList(
            EncoderLayer(width, shape.encoder_attention_heads, shape.encoder_ffn_dim, dropout)
            for _ in range(shape.encoder_layers)
        )
        self.layer_norm = nn.LayerNorm(width)
        self.attention_window: int | None = None

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, bins, frames] → [B, frames / 2, D]; at most `max_source_positions` positions."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        positions = x.shape[1]
        if positions > len(self.embed_positions.weight):
            limit = len(self.embed_positions.weight)
            raise TrainingFault(
                "SOUND_TOO_LONG", f"at most {limit} positions", str(positions), "cut the sound"
            )
        x = x + self.embed_positions.weight[:positions]
        window = self.attention_window
        allowed = None if window is None or positions <= window else window_mask(positions, window)
        for layer in self.layers:
            x = layer(x, allowed)
        return self.layer_norm(x)


class TokenEmbedding(nn.Embedding):
    """The table of tokens, and the head, which is tied to it."""

    def logits(self, x: Tensor) -> Tensor:
        """x [..., D] → [..., vocabulary]."""
        return x @ self.weight.T


class Decoder(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        width = shape.d_model
        self.embed_tokens = TokenEmbedding(shape.vocab_size, width)
        self.embed_positions = nn.Embedding(shape.max_target_positions, width)
        self.layers = nn.ModuleList(
            DecoderLayer(width, shape.decoder_attention_heads, shape.decoder_ffn_dim, dropout)
            for _ in range(shape.decoder_layers)
        )
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, sound: Tensor) -> Tensor:
        """tokens [B, L] and sound [B, S, D] → logits [B, L, vocabulary], each for the token after."""
        length = tokens.shape[1]
        x = self.embed_tokens(tokens) + self.embed_positions.weight[:length]
        causal = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        for layer in self.layers:
            x = layer(x, sound, causal)
        return self.embed_tokens.logits(self.layer_norm(x))


class WhisperModel(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.encoder = Encoder(shape, dropout)
        self.decoder = Decoder(shape, dropout)


class Whisper(nn.Module):
    """A Whisper of any shape with tied embeddings, initialised for training from nothing."""

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.model = WhisperModel(shape, dropout)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        shape, decoder = self.shape, self.model.decoder
        decoder.embed_tokens.weight.normal_(std=shape.d_model**-0.5)
        decoder.embed_positions.weight.normal_(std=0.01)
        for stack, layers in ((self.model.encoder, shape.encoder_layers), (decoder, shape.decoder_layers)):
            for name, weight in stack.named_parameters():
                # what each layer adds to the sum starts small, so that deep stacks start near the identity
                if name.endswith(("out_proj.weight", "fc2.weight")):
                    weight.mul_((2 * layers) ** -0.5)

    def encode(self, mel: Tensor) -> Tensor:
        return self.model.encoder(mel)

    def decode(self, tokens: Tensor, sound: Tensor) -> Tensor:
        return self.model.decoder(tokens, sound)

    def parameter_count(self) -> int:
        """Every weight that is exported, position codes included."""
        return sum(weight.numel() for weight in self.parameters())


@torch.no_grad()
def deepen(model: Whisper, encoder_layers: int, like: Whisper | None = None) -> Whisper:
    """The same function with more encoder layers: the new ones, at the end, add nothing until they are trained.

    They begin at random, or as those of `like` are but for what they add. Raises USAGE_INVALID where `like` is of
    another shape.
    """
    shape = replace(model.shape, encoder_layers=encoder_layers)
    if like is not None and like.shape != shape:
        raise TrainingFault(
            "USAGE_INVALID", f"a model of shape {shape}", f"{like.shape}", "name two models of one training"
        )
    deeper = Whisper(shape)
    if like is not None:
        deeper.load_state_dict(like.state_dict())
    weights = model.state_dict()
    for name, weight in deeper.state_dict().items():
        if name in weights:
            weight.copy_(weights[name])
        elif name.endswith(("out_proj.weight", "out_proj.bias", "fc2.weight", "fc2.bias")):
            weight.zero_()
    return deeper


def load_checkpoint(folder: Path) -> Whisper:
    """Reads `config.json` and `model.safetensors`. Raises CHECKPOINT_INVALID, naming the file or tensor."""
    try:
        shape = Shape.of(json.loads((folder / "config.json").read_text()))
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainingFault(
            "CHECKPOINT_INVALID",
            f"config.json and model.safetensors in {folder}",
            repr(error),
            "name a model folder",
        ) from error
    model = Whisper(shape)
    wanted = model.state_dict()
    weights.pop("proj_out.weight", None)
    for name in wanted.keys() | weights.keys():
        wanted_shape = tuple(wanted[name].shape) if name in wanted else "no such tensor"
        came = tuple(weights[name].shape) if name in weights else "none"
        if wanted_shape != came:
            raise TrainingFault(
                "CHECKPOINT_INVALID", f"{name} {wanted_shape}", f"{came}", "check config.json"
            )
    model.load_state_dict(weights)
    return model


def save_checkpoint(folder: Path, model: Whisper, like: Path) -> None:
    """Writes a model folder that `harkd models add` takes; tokenizer and generation settings are those of `like`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        if (like / name).exists() and (like / name).resolve() != (folder / name).resolve():
            shutil.copyfile(like / name, folder / name)
    config = json.loads((like / "config.json").read_text()) | asdict(model.shape)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: weight.detach().float().contiguous() for name, weight in model.state_dict().items()}
    beside = folder / "model.safetensors.new"
    save_file(dict(sorted(weights.items())), beside)
    beside.replace(folder / "model.safetensors")
