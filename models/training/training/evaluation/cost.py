"""What a model costs: parameters, multiply-adds, and the time one core takes."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from training.model import Shape, Whisper

#: The length of a command, in seconds, mel frames and positions of the encoder; and the tokens of its text.
COMMAND_S = 3.0
FRAMES_PER_S, POSITIONS_PER_S = 100, 50
COMMAND_TOKENS = 8
REPEATS = 9


@dataclass(frozen=True)
class Cost:
    """For a command of 3 s with 8 tokens. Times are those of float32 PyTorch: for comparing, not harkd's."""

    parameters: int
    encoder_multiply_adds: int
    decoder_multiply_adds: int
    encoder_ms: float


def encoder_multiply_adds(shape: Shape, seconds: float, attention_window: int | None = None) -> int:
    """Products of the encoder's convolutions and matrices for a sound of `seconds`."""
    frames, positions = round(FRAMES_PER_S * seconds), round(POSITIONS_PER_S * seconds)
    width = shape.d_model
    seen = positions if attention_window is None else min(positions, attention_window)
    stem = 3 * width * (frames * shape.num_mel_bins + positions * width)
    matrices = positions * width * (4 * width + 2 * shape.encoder_ffn_dim)
    attention = 2 * positions * seen * width
    return stem + shape.encoder_layers * (matrices + attention)


def decoder_multiply_adds(shape: Shape, seconds: float, tokens: int) -> int:
    """Products of the decoder for `tokens`, keys and values kept: each token goes through it once."""
    width, positions = shape.d_model, round(POSITIONS_PER_S * seconds)
    sound = 2 * positions * width * width
    matrices = tokens * width * (6 * width + 2 * shape.decoder_ffn_dim)
    attention = 2 * width * (tokens * positions + tokens * (tokens + 1) // 2)
    return shape.decoder_layers * (sound + matrices + attention) + tokens * width * shape.vocab_size


@torch.inference_mode()
def cost_of(model: Whisper) -> Cost:
    shape = model.shape
    mel = torch.zeros(1, shape.num_mel_bins, round(FRAMES_PER_S * COMMAND_S))
    times_ms = []
    for _ in range(REPEATS):
        # of this process, for others may be busy
        began_s = time.process_time()
        model.encode(mel)
        times_ms.append(1000 * (time.process_time() - began_s))
    return Cost(
        model.parameter_count(),
        encoder_multiply_adds(shape, COMMAND_S, model.model.encoder.attention_window),
        decoder_multiply_adds(shape, COMMAND_S, COMMAND_TOKENS),
        statistics.median(times_ms),
    )
