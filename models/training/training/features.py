"""Log-mel features exactly as harkd computes them (models/whisper/mel.ts), on batches, in torch."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SAMPLE_RATE_HZ = 16_000
FFT_SAMPLES = 400
HOP_SAMPLES = 160
MEL_BINS = 80
#: The encoder halves the frames, so the sound must fill an even number of hops.
SAMPLES_MULTIPLE = 2 * HOP_SAMPLES


def mel_from_hz(hz: np.ndarray | float) -> np.ndarray:
    """The Slaney mel scale: linear below 1 kHz, logarithmic above (Slaney, Auditory Toolbox, 1998)."""
    hz = np.asarray(hz, dtype=np.float64)
    return np.where(hz < 1000, 3 * hz / 200, 15 + np.log(np.maximum(hz, 1e-9) / 1000) / (np.log(6.4) / 27))


def hz_from_mel(mel: np.ndarray | float) -> np.ndarray:
    """The inverse of `mel_from_hz`."""
    mel = np.asarray(mel, dtype=np.float64)
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp((np.log(6.4) / 27) * (mel - 15)))


def mel_edges_hz(mel_bins: int = MEL_BINS) -> np.ndarray:
    """Feet and centres of the triangular filters in Hz, [mel_bins + 2]; filter i is centred on edge i + 1."""
    return hz_from_mel(np.linspace(0.0, float(mel_from_hz(SAMPLE_RATE_HZ / 2)), mel_bins + 2))


@lru_cache
def mel_filters(mel_bins: int = MEL_BINS) -> Tensor:
    """Triangular filters of equal area, [mel_bins, 201] float32."""
    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)
    edges_hz = mel_edges_hz(mel_bins)
    low, centre, high = (edges_hz[i : i + mel_bins, None] for i in range(3))
    triangles = np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre))
    return torch.from_numpy((np.maximum(0, triangles) * 2 / (high - low)).astype(np.float32))


@lru_cache
def _window() -> Tensor:
    return torch.hann_window(FFT_SAMPLES, periodic=True)


def log_mel(samples: Tensor, mel_bins: int = MEL_BINS) -> Tensor:
    """Log-mel spectrograms [B, mel_bins, n / 160] float32 of `samples` [B, n]: 16 kHz mono in -1..1.

    The range is cut at 8 decades (80 dB) below each utterance's own maximum, as Whisper has it, so padding
    an utterance does not change it.
    Raises ValueError unless n is a multiple of 320 and at least 320 (too short to reflect).
    """
    if samples.ndim != 2 or samples.shape[1] == 0 or samples.shape[1] % SAMPLES_MULTIPLE:
        raise ValueError(
            f"samples: expected [batch, n] with n a multiple of {SAMPLES_MULTIPLE}, "
            f"got {list(samples.shape)}; pad the end with zeros"
        )
    spectra = torch.stft(
        samples.float(),
        FFT_SAMPLES,
        HOP_SAMPLES,
        window=_window(),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )[..., :-1]
    power = spectra.real.square() + spectra.imag.square()
    decades = (mel_filters(mel_bins) @ power).clamp(min=1e-10).log10()
    floor = decades.amax(dim=(1, 2), keepdim=True) - 8
    return (torch.maximum(decades, floor) + 4) / 4
