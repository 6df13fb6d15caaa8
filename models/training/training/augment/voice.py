"""Change of speaker and tempo: resampling, and stretching by overlap-add."""

import numpy as np

from training.augment.fourier import resampled
from training.features import SAMPLE_RATE_HZ

#: Frames of 40 ms overlapping by half: long enough for low voices, short enough not to double plosives.
_FRAME = SAMPLE_RATE_HZ * 40 // 1000
_HOP = _FRAME // 2
#: +-7.5 ms of search: more than half a period of a voice of 70 Hz.
_SEARCH = SAMPLE_RATE_HZ * 15 // 2000
#: The search runs on every fourth sample: pitch, which it must keep in phase, lies far below 2 kHz.
_COARSE = 4
_FADE = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)).astype(np.float32)


def stretch(samples: np.ndarray, factor: float) -> np.ndarray:
    """`samples` [n] lasting `factor` times as long at the same pitch: [round(n * factor)].

    Waveform-similarity overlap-add (Verhelst and Roelands, ICASSP 1993).
    """
    n = len(samples)
    length = round(n * factor)
    if n < 2 * _FRAME or abs(factor - 1) < 1e-3:
        return samples
    frames = length // _HOP + 2
    padded = np.concatenate([np.zeros(_HOP + _SEARCH, np.float32), samples, np.zeros(3 * _FRAME, np.float32)])
    smooth = padded[: len(padded) // _COARSE * _COARSE].reshape(-1, _COARSE).mean(axis=1)
    nominal = np.minimum((np.arange(frames) * (_HOP / factor)).astype(np.int64), n + _HOP)
    starts = [0] * frames
    template_length, lags = _FRAME // _COARSE, 2 * _SEARCH // _COARSE + 1
    hop_coarse, correlate = _HOP // _COARSE, np.correlate
    start = int(nominal[0]) // _COARSE
    for frame, low in enumerate((nominal // _COARSE).tolist()):
        if frame:
            template = smooth[start + hop_coarse : start + hop_coarse + template_length]
            region = smooth[low : low + template_length + lags - 1]
            if len(template) == template_length and len(region) >= template_length:
                start = low + int(correlate(region, template, "valid").argmax())
            else:
                start = low
        starts[frame] = start * _COARSE
    last = len(padded) - _FRAME
    pieces = np.minimum(np.array(starts), last)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[pieces] * _FADE
    out = np.zeros((frames + 1) * _HOP, np.float32)
    out[:-_HOP].reshape(frames, _HOP)[:] = windows[:, :_HOP]
    out[_HOP:].reshape(frames, _HOP)[:] += windows[:, _HOP:]
    return out[_HOP : _HOP + length]


def speaker_shift(samples: np.ndarray, semitones: float) -> np.ndarray:
    """Pitch, formants and tempo moved together by `semitones`: [about n / 2 ** (semitones / 12)]."""
    return resampled(samples, 2.0 ** (semitones / 12))


def pitch_shift(samples: np.ndarray, semitones: float) -> np.ndarray:
    """Pitch and formants moved by `semitones`, the duration kept within 1 %."""
    shifted = resampled(samples, 2.0 ** (semitones / 12))
    return stretch(shifted, len(samples) / len(shifted)) if len(shifted) else shifted
