"""Sounds of a household that are not speech, made by arithmetic."""

from collections.abc import Callable

import numpy as np

from training.features import SAMPLE_RATE_HZ

Noise = Callable[[int, np.random.Generator], np.ndarray]


def unit_rms(samples: np.ndarray) -> np.ndarray:
    """`samples` scaled to a root mean square of 1, as float32; silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    return (samples / max(rms, 1e-9)).astype(np.float32)


def _times_s(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.float32) / SAMPLE_RATE_HZ


def _shaped(n: int, gain_at_hz: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(n, dtype=np.float32))
    hz = np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ), 30.0)
    return unit_rms(np.fft.irfft(spectrum * gain_at_hz(hz), n))


def _band(hz: np.ndarray, low_hz: float, high_hz: float, order: int = 4) -> np.ndarray:
    return 1 / np.sqrt((1 + (low_hz / hz) ** (2 * order)) * (1 + (hz / high_hz) ** (2 * order)))


def _envelope(n: int, rate_hz: float, depth: float, rng: np.random.Generator) -> np.ndarray:
    """A slow random loudness, log-normal with knots at `rate_hz`."""
    knots = rng.standard_normal(int(n / SAMPLE_RATE_HZ * rate_hz) + 3) * depth
    return np.exp(np.interp(np.arange(n) * (rate_hz / SAMPLE_RATE_HZ), np.arange(len(knots)), knots))


def _add(onto: np.ndarray, sound: np.ndarray, at: int) -> None:
    at = max(0, at)
    part = sound[: max(0, len(onto) - at)]
    onto[at : at + len(part)] += part


def coloured(n: int, rng: np.random.Generator) -> np.ndarray:
    """Noise falling by up to 7 dB an octave, at times with a broad resonance or a slow beat: fans, wind."""
    slope = rng.uniform(-0.2, 1.2)
    centre_hz, width = np.exp(rng.uniform(np.log(100), np.log(4000))), rng.uniform(0.2, 1.5)
    resonant = rng.random() < 0.35

    def gain(hz: np.ndarray) -> np.ndarray:
        falling = (hz / 1000) ** -slope
        return falling * np.exp(-((np.log(hz / centre_hz) / width) ** 2)) if resonant else falling

    noise = _shaped(n, gain, rng)
    if rng.random() < 0.3:
        noise = noise * (1 + 0.9 * np.sin(2 * np.pi * rng.uniform(0.1, 4) * _times_s(n) + rng.uniform(0, 6)))
    return unit_rms(noise)


def hum(n: int, rng: np.random.Generator) -> np.ndarray:
    """Mains or a motor: a fundamental that wavers a little, up to 20 harmonics, faint coloured noise."""
    motor = rng.random() < 0.4
    base_hz = rng.uniform(80, 400) if motor else rng.choice([50.0, 60.0, 100.0, 120.0])
    waver = 1 + rng.uniform(0.001, 0.02) * np.sin(2 * np.pi * rng.uniform(0.1, 3) * _times_s(n)) * motor
    phase = np.cumsum(2 * np.pi * base_hz / SAMPLE_RATE_HZ * np.broadcast_to(waver, n))
    fall = rng.uniform(0.3, 1.5)
    tones = np.zeros(n)
    for harmonic in range(1, int(min(20, 7500 // base_hz)) + 1):
        tones += rng.uniform(0, 1) * harmonic**-fall * np.sin(harmonic * phase + rng.uniform(0, 6))
    return unit_rms(unit_rms(tones) + rng.uniform(0.02, 0.7) * coloured(n, rng))


def clatter(n: int, rng: np.random.Generator) -> np.ndarray:
    """Crockery, cutlery, doors, keys: clicks that ring at a few high partials, in loose clusters."""
    out = 0.02 * rng.uniform(0.1, 1) * coloured(n, rng)
    seconds = n / SAMPLE_RATE_HZ
    for _ in range(max(1, round(seconds * rng.uniform(0.3, 1.2)))):
        cluster = rng.integers(n)
        partials_hz = np.exp(rng.uniform(np.log(300 if rng.random() < 0.3 else 1200), np.log(7500), 6))
        for _ in range(rng.integers(1, 7)):
            length = int(SAMPLE_RATE_HZ * rng.uniform(0.04, 0.35))
            times_s = _times_s(length)
            click = np.exp(-times_s / rng.uniform(0.001, 0.02)) * rng.uniform(0.2, 1)
            hit = rng.standard_normal(length) * click
            for partial_hz in partials_hz * rng.uniform(0.98, 1.02):
                ring = np.exp(-times_s / np.exp(rng.uniform(np.log(0.004), np.log(0.12))))
                hit += rng.uniform(0, 0.6) * ring * np.sin(2 * np.pi * partial_hz * times_s)
            _add(out, hit * np.exp(rng.normal(0, 0.8)), int(cluster + rng.exponential(0.12) * SAMPLE_RATE_HZ))
    return unit_rms(out)


def water(n: int, rng: np.random.Generator) -> np.ndarray:
    """Running water, boiling, frying: broad noise with a restless envelope, and drops that chirp upwards."""
    low_hz, high_hz = np.exp(rng.uniform(np.log(150), np.log(1200))), rng.uniform(2500, 7800)
    out = _shaped(n, lambda hz: _band(hz, low_hz, high_hz, 2) * (hz / 1000) ** -rng.uniform(-0.3, 0.6), rng)
    out = out * _envelope(n, rng.uniform(2, 25), rng.uniform(0.05, 0.45), rng)
    for _ in range(int(n / SAMPLE_RATE_HZ * rng.uniform(0, 12))):
        length = int(SAMPLE_RATE_HZ * rng.uniform(0.01, 0.06))
        times_s = _times_s(length)
        from_hz = rng.uniform(400, 2500)
        sweep = 2 * np.pi * (from_hz * times_s + rng.uniform(2000, 20000) * times_s**2)
        _add(out, rng.uniform(0.3, 2) * np.sin(sweep) * np.exp(-times_s / 0.015), rng.integers(n))
    return unit_rms(out)


def machine(n: int, rng: np.random.Generator) -> np.ndarray:
    """A coffee machine, mixer, vacuum cleaner: a motor that buzzes, noise that beats with it, steam."""
    beat_hz = rng.choice([50.0, 60.0, 100.0, rng.uniform(20, 300)])
    beats = np.abs(np.sin(np.pi * beat_hz * _times_s(n) + rng.uniform(0, 3))) ** rng.uniform(1, 8)
    low_hz, high_hz = np.exp(rng.uniform(np.log(80), np.log(800))), rng.uniform(1500, 7000)
    body = _shaped(n, lambda hz: _band(hz, low_hz, high_hz, 1), rng) * (rng.uniform(0, 0.6) + beats)
    steam = _shaped(n, lambda hz: _band(hz, 2500, 7900, 2), rng) * _envelope(n, 4, 0.5, rng)
    out = unit_rms(body) + rng.uniform(0, 0.8) * steam + rng.uniform(0, 1) * hum(n, rng)
    out = out * _envelope(n, rng.uniform(0.3, 3), rng.uniform(0.05, 0.5), rng)
    if rng.random() < 0.4:  # it starts or stops within the clip, over 50 to 500 ms
        at, ramp = rng.integers(n), int(SAMPLE_RATE_HZ * rng.uniform(0.05, 0.5))
        running = np.clip((np.arange(n) - at) / ramp, 0.02, 1)
        out = out * (running if rng.random() < 0.5 else running[::-1])
    return unit_rms(out)


_SCALE = (0, 2, 3, 5, 7, 8, 10)


def music(n: int, rng: np.random.Generator) -> np.ndarray:
    """Music-like: chords of harmonic tones, a bass, a wandering melody and drums at a steady beat."""
    out = np.zeros(n)
    beat_s = 60 / rng.uniform(70, 150)
    root_hz = 110 * 2 ** rng.uniform(-0.5, 0.7)
    fall, decay_s = rng.uniform(0.6, 2.5), rng.uniform(0.15, 2.0)
    drums, chords, melody = rng.random() < 0.6, rng.random() < 0.85, rng.random() < 0.7
    chord = [0, 2, 4]

    def note(degree: int, octave: int, seconds: float, loudness: float) -> np.ndarray:
        hz = root_hz * 2 ** (octave + degree // 7 + _SCALE[degree % 7] / 12)
        times_s = _times_s(int(seconds * SAMPLE_RATE_HZ))
        attack = np.minimum(1, times_s / rng.uniform(0.003, 0.05)) * np.exp(-times_s / decay_s)
        vibrato = rng.uniform(0, 0.004) * np.sin(2 * np.pi * 5.5 * times_s) / (2 * np.pi * 5.5)
        phase = 2 * np.pi * hz * (times_s + vibrato)
        partials = range(1, int(min(10, 7000 // hz)) + 1)
        return loudness * attack * sum(k**-fall * np.sin(k * phase) for k in partials)

    for beat in range(int(n / SAMPLE_RATE_HZ / beat_s) + 1):
        at = int(beat * beat_s * SAMPLE_RATE_HZ)
        if beat % 4 == 0:
            degree = int(rng.choice([0, 3, 4, 5]))
            chord = [degree, degree + 2, degree + 4]
            if chords:
                for each in chord:
                    _add(out, note(each, 1, 4 * beat_s, 0.5), at)
        if beat % 2 == 0:
            _add(out, note(chord[0], -1, 2 * beat_s, 0.6), at)
        if melody:
            for half in range(2):
                if rng.random() < 0.6:
                    _add(out, note(int(rng.integers(14)), 1, beat_s, 0.6), at + int(half * beat_s * 8000))
        if drums:
            times_s = _times_s(3200)
            if beat % 2 == 0:
                _add(
                    out,
                    1.5
                    * np.sin(2 * np.pi * (50 * times_s - 3 * np.exp(-times_s * 30)))
                    * np.exp(-times_s * 18),
                    at,
                )
            else:
                _add(out, rng.standard_normal(3200) * np.exp(-times_s * 25) * 0.8, at)
            for half in range(2):
                hat = np.diff(rng.standard_normal(801)) * np.exp(-_times_s(800) * 90) * 0.3
                _add(out, hat, at + int(half * beat_s * 8000))
    return unit_rms(out + 1e-3 * rng.standard_normal(n))


#: Kinds, and how many of 20 clips of the bank each has: more of those in which nano v0 heard words.
KINDS: dict[str, tuple[Noise, int]] = {
    "coloured": (coloured, 5),
    "hum": (hum, 2),
    "clatter": (clatter, 4),
    "water": (water, 3),
    "machine": (machine, 3),
    "music": (music, 3),
}


def noise_bank(count: int, seconds: float, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """About `count` clips of `seconds` by kind, at least one of each, float32 at root mean square 1."""
    n = int(seconds * SAMPLE_RATE_HZ)
    shares = sum(share for _, share in KINDS.values())
    return {
        kind: [make(n, rng) for _ in range(max(1, round(count * share / shares)))]
        for kind, (make, share) in KINDS.items()
    }


def excerpt(clip: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """A random stretch of `n` samples of `clip`, going round its end if need be."""
    start = int(rng.integers(len(clip)))
    if start + n <= len(clip):
        return clip[start : start + n]
    return np.concatenate([clip[start:], np.resize(clip, n - (len(clip) - start))])
