"""Filtering and resampling by short Fourier transforms in batches.

Blocks that stay in the processor's nearest cache are three times as fast as one transform of the whole clip.
"""

from functools import lru_cache

import numpy as np
import torch

from training.features import SAMPLE_RATE_HZ

#: Room on both sides of a block for the ringing of a frequency response without phase: 32 ms.
GUARD_SAMPLES = 512
#: Transform length where only a frequency response is applied.
SHORT_BLOCK = 4096


@lru_cache
def bins_hz(block: int) -> np.ndarray:
    """Frequencies of a real transform of `block` points, float32 [block / 2 + 1]."""
    return np.linspace(0, SAMPLE_RATE_HZ / 2, block // 2 + 1, dtype=np.float32)


def block_for(kernel_samples: int) -> int:
    """A transform length that takes a kernel and leaves at least about as much for new samples."""
    block = SHORT_BLOCK
    while block < 2 * (kernel_samples + GUARD_SAMPLES):
        block *= 2
    return block


def kernel_spectrum(kernel: np.ndarray, block: int) -> np.ndarray:
    """Spectrum of `kernel` [k] for `filtered`, complex64 [block / 2 + 1]."""
    return torch.fft.rfft(torch.from_numpy(np.asarray(kernel, np.float32)), n=block).numpy()


def filtered(samples: np.ndarray, spectrum: np.ndarray, kernel_samples: int = 1) -> np.ndarray:
    """`samples` float32 [n] times `spectrum` (real or complex, [block / 2 + 1]) of a kernel so long: [n].

    Overlap-add; what rings on after the last sample is cut.
    """
    n = len(samples)
    if n == 0:
        return samples
    block = 2 * (len(spectrum) - 1)
    hop = block - kernel_samples - 2 * GUARD_SAMPLES
    blocks = -(-n // hop)
    frames = np.zeros((blocks, block), np.float32)
    whole = n // hop
    middle = frames[:, GUARD_SAMPLES : GUARD_SAMPLES + hop]
    middle[:whole] = samples[: whole * hop].reshape(whole, hop)
    if whole < blocks:
        middle[whole, : n - whole * hop] = samples[whole * hop :]
    spectra = torch.fft.rfft(torch.from_numpy(frames)) * torch.from_numpy(spectrum)
    pieces = torch.fft.irfft(spectra, n=block).numpy()
    out = np.zeros((blocks - 1) * hop + block, np.float32)
    for index in range(blocks):
        out[index * hop : index * hop + block] += pieces[index]
    return out[GUARD_SAMPLES : GUARD_SAMPLES + n]


@lru_cache
def _smooth_lengths() -> np.ndarray:
    """Even transform lengths up to 4 blocks of small factors only: other lengths are several times slower."""

    def smooth(number: int) -> bool:
        for prime in (2, 3, 5, 7):
            while number % prime == 0:
                number //= prime
        return number == 1

    return np.array([length for length in range(2, 4 * _RESAMPLE_BLOCK + 1, 2) if smooth(length)])


_RESAMPLE_BLOCK = 2048


@lru_cache
def _fade() -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_RESAMPLE_BLOCK) / _RESAMPLE_BLOCK)).astype(np.float32)


def resampled(samples: np.ndarray, factor: float) -> np.ndarray:
    """`samples` float32 [n] played `factor` (0.25 to 4) times as fast, band-limited: about [n / factor].

    Every frequency moves by the factor, which is met within 1 %: each block is resampled by a ratio of
    lengths that transform fast.
    """
    n = len(samples)
    lengths = _smooth_lengths()
    after = int(lengths[np.abs(lengths - _RESAMPLE_BLOCK / factor).argmin()])
    if n < 16 or after == _RESAMPLE_BLOCK:
        return samples
    hop, hop_after = _RESAMPLE_BLOCK // 2, after // 2
    blocks = n // hop + 2
    padded = np.zeros((blocks + 1) * hop, np.float32)
    padded[hop : hop + n] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, _RESAMPLE_BLOCK)[::hop] * _fade()
    spectra = torch.fft.rfft(torch.from_numpy(frames))
    pieces = torch.fft.irfft(spectra[:, : hop_after + 1], n=after).numpy()  # cuts off or fills with zeros
    out = np.zeros((blocks + 1, hop_after), np.float32)
    out[:-1] = pieces[:, :hop_after]
    out[1:] += pieces[:, hop_after:]
    out *= np.float32(after / _RESAMPLE_BLOCK)
    return out.ravel()[hop_after : hop_after + max(1, round(n * after / _RESAMPLE_BLOCK))]
