"""The features against those that harkd computed (test/golden/nano)."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from training.features import log_mel

GOLDEN = Path(__file__).resolve().parents[3] / "test" / "golden" / "nano"


def golden_wav(name: str) -> np.ndarray:
    with wave.open(str(GOLDEN / name)) as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(np.float32) / 32768


CASES = json.loads((GOLDEN / "golden.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["wav"])
def test_equals_harkd(case: dict) -> None:
    samples = golden_wav(case["wav"])
    padded = np.zeros(case["melFrames"] * 160, np.float32)
    padded[: len(samples)] = samples[: len(padded)]
    name = case["wav"].replace(".wav", ".logmel.f32")
    expected = np.fromfile(GOLDEN / name, "<f4").reshape(80, case["melFrames"])
    ours = log_mel(torch.from_numpy(padded)[None])[0].numpy()
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() < 1e-4


def test_each_utterance_has_its_own_floor() -> None:
    noise = torch.randn(2, 3200, generator=torch.Generator().manual_seed(0))
    loud, quiet = noise[0], noise[1] * 1e-3
    together = log_mel(torch.stack([loud, quiet]))
    assert torch.allclose(together[1], log_mel(quiet[None])[0], atol=1e-6)


@pytest.mark.parametrize("shape", [(3200,), (1, 3201), (1, 160), (1, 0)])
def test_refuses_what_it_cannot_take(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiple of 320"):
        log_mel(torch.zeros(shape))


def test_silence_is_finite() -> None:
    assert torch.isfinite(log_mel(torch.zeros(2, 320))).all()
