"""What a microphone, its converter and a codec do to sound."""

import numpy as np

from training.augment.table import Table

_KNOTS_HZ = np.array([0, 120, 300, 700, 1500, 3000, 5000, 8000], dtype=np.float32)


def microphone_gains(
    hz: np.ndarray, table: Table, strength: float, rng: np.random.Generator
) -> np.ndarray | None:
    """A random frequency response at `hz` [k] as amplitudes, float32 [k]; None where a flat one was drawn."""
    gains: np.ndarray | None = None
    if table.equaliser_db.happens(strength, rng):
        deviation_db = table.equaliser_db.amount(strength, rng)
        tilt_db = rng.normal(0, deviation_db) * np.linspace(-0.5, 0.5, len(_KNOTS_HZ))
        knots_db = rng.normal(0, deviation_db, len(_KNOTS_HZ)) + tilt_db
        # Drawn coarsely and filled in: a power for every bin would cost more than the transform
        grid_hz = np.arange(0, 8001, 50)
        grid = (10 ** (np.interp(grid_hz, _KNOTS_HZ, knots_db) / 20)).astype(np.float32)
        gains = np.interp(hz, grid_hz, grid).astype(np.float32)
    if table.high_pass_hz.happens(strength, rng):
        cut = high_pass(hz, table.high_pass_hz.amount(strength, rng))
        gains = cut if gains is None else gains * cut
    if table.low_pass_hz.happens(strength, rng):
        cut = low_pass(hz, table.low_pass_hz.amount(strength, rng))
        gains = cut if gains is None else gains * cut
    return gains


def high_pass(hz: np.ndarray, corner_hz: float) -> np.ndarray:
    """Amplitudes of a second-order Butterworth high pass: -3 dB at the corner, 12 dB an octave below."""
    ratio = np.square(np.float32(corner_hz) / np.maximum(hz, 1).astype(np.float32))
    return 1 / np.sqrt(1 + np.square(ratio))


def low_pass(hz: np.ndarray, corner_hz: float) -> np.ndarray:
    """Amplitudes of a fourth-order Butterworth low pass: -3 dB at the corner, 24 dB an octave above."""
    ratio = np.square(np.square(hz.astype(np.float32) / np.float32(corner_hz)))
    return 1 / np.sqrt(1 + np.square(ratio))


def telephone_band(hz: np.ndarray) -> np.ndarray:
    """Amplitudes of a telephone: 300 to 3400 Hz, nothing above 4 kHz where 8 kHz of sampling ends."""
    steep = high_pass(hz, 300) * low_pass(hz, 3400) ** 2
    return np.where(hz < 3950, steep, 0).astype(np.float32)


_MU = 255.0


def mu_law(samples: np.ndarray) -> np.ndarray:
    """`samples` after 8 bits of mu-law (ITU-T G.711) and back."""
    loud = np.log1p(_MU * np.minimum(np.abs(samples), 1)) * np.float32(127 / np.log1p(_MU))
    levels = np.expm1(np.arange(128) * (np.log1p(_MU) / 127)) / _MU
    return np.copysign(levels.astype(np.float32)[np.rint(loud).astype(np.intp)], samples)


def quantise(samples: np.ndarray, bits: float) -> np.ndarray:
    """`samples` on the steps of a converter of `bits` (not necessarily whole), in -1..1."""
    steps = np.float32(2 ** (bits - 1))
    return np.rint(samples * steps) / steps


def clip(samples: np.ndarray, ceiling: float = 1.0) -> np.ndarray:
    """`samples` cut off at +-`ceiling`."""
    return np.clip(samples, -ceiling, ceiling)
