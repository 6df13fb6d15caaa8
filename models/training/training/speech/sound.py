"""From an engine's wave file to 16 kHz samples of the right speaker, length and level."""

import wave
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import firwin, resample_poly

SAMPLE_RATE_HZ = 16000
MARGIN = 960  # 60 ms kept before and after the speech
SILENCE = 0.01  # of the peak: quieter is the engine's own silence
LARGEST_RATIO = 400  # of the resampling; the speed is then at most 1 in 1000 off


def read_wave(file: Path) -> tuple[np.ndarray, int]:
    """float32 [n] at the scale of int16, and the sample rate in Hz. ValueError if not 16-bit PCM or empty."""
    with wave.open(str(file), "rb") as source:
        if source.getsampwidth() != 2:
            raise ValueError(f"expected 16-bit samples in {file.name}, came {8 * source.getsampwidth()}-bit")
        channels, rate_hz = source.getnchannels(), source.getframerate()
        samples = np.frombuffer(source.readframes(source.getnframes()), dtype="<i2")
    if not samples.size:
        raise ValueError(f"expected sound in {file.name}, came none")
    return samples.reshape(-1, channels)[:, 0].astype(np.float32), rate_hz


def resample(samples: np.ndarray, rate_hz: int, factor: float = 1.0) -> np.ndarray:
    """float32 [n] at `rate_hz` to 16 kHz, played `factor` times as fast: pitch and formants move together."""
    ratio = Fraction(SAMPLE_RATE_HZ / (rate_hz * factor)).limit_denominator(LARGEST_RATIO)
    if ratio == 1:
        return samples
    up, down = ratio.numerator, ratio.denominator
    return resample_poly(samples, up, down, window=_low_pass(up, down)).astype(np.float32)


@lru_cache(maxsize=512)
def _low_pass(up: int, down: int) -> np.ndarray:
    """Passes to 95 % of the lower Nyquist frequency, 70 dB down beyond it."""
    widest = max(up, down)
    return firwin(2 * 16 * widest + 1, 0.95 / widest, window=("kaiser", 7.0)).astype(np.float32)


def trim(samples: np.ndarray) -> np.ndarray:
    """Without the engine's silence at both ends, but for 60 ms. Empty if all is silent."""
    level = np.abs(samples)
    loud = np.flatnonzero(level > max(level.max(initial=0) * SILENCE, 20))
    if not loud.size:
        return samples[:0]
    return samples[max(0, loud[0] - MARGIN) : loud[-1] + 1 + MARGIN]


def level(samples: np.ndarray, peak: int) -> np.ndarray:
    """int16 [n] with the loudest sample at `peak`."""
    loudest = float(np.abs(samples).max(initial=0))
    return np.rint(samples * (peak / max(loudest, 1.0))).astype(np.int16)
