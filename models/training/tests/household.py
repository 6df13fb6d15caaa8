"""A corpus of the golden recordings, and measurements on sound, for the tests of augmentation."""

from dataclasses import dataclass

import numpy as np
from test_features import golden_wav

RATE_HZ = 16_000


@dataclass
class Clip:
    """An utterance that counts how often it is read."""

    sound: np.ndarray
    reads: int = 0

    def samples(self) -> np.ndarray:
        self.reads += 1
        return self.sound


class Household:
    """Ten utterances with the interface of `training.corpus.Corpus` that babble uses."""

    def __init__(self, count: int = 10) -> None:
        self.utterances = [Clip(golden_wav(f"g{number}.wav")) for number in range(1, count + 1)]


def tone(hz: float, seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return float(spectrum.argmax()) * RATE_HZ / (1 << 18)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def band_db(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Power density of a band, in dB."""
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].mean() + 1e-20))
