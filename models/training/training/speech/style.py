"""How a sentence is spoken: drawn once, then handed to whichever engine speaks it."""

from dataclasses import dataclass
from random import Random

RATE = (0.75, 1.0, 1.3)  # slowest, commonest, fastest; 1.0 is the voice's own
SPEAKER_FACTOR = 0.12
# One in five keeps the recorded speaker as it is.
SAME_SPEAKER = 0.2
PAUSE = 0.12
PEAK = (17000, 23000)


@dataclass(frozen=True)
class Style:
    """`rate` is the tempo heard in the end. `pitch` and `liveliness` are normal deviates that each engine
    maps to its own range. `speaker_factor` moves pitch and formants together (a smaller or larger speaker).
    `pause_after` is the number of words before a hesitation, 0 for none. `word_gap` is in espeak-ng's units
    of 10 ms. `peak` is the loudest int16 sample.
    """

    rate: float = 1.0
    pitch: float = 0.0
    liveliness: float = 0.0
    speaker_factor: float = 1.0
    pause_after: int = 0
    word_gap: int = 0
    peak: int = 20000

    @property
    def engine_rate(self) -> float:
        """What the engine must speak at, since resampling by `speaker_factor` changes the tempo too."""
        return self.rate / self.speaker_factor


def draw_style(rng: Random, word_count: int, change_speaker: bool) -> Style:
    """A style for a sentence of `word_count` words. Always draws as many numbers, whatever it decides."""
    low, common, high = RATE
    rate = rng.triangular(low, high, common)
    pitch = max(-2.0, min(2.0, rng.gauss(0, 1)))
    liveliness = max(-2.0, min(2.0, rng.gauss(0, 1)))
    factor = rng.uniform(1 - SPEAKER_FACTOR, 1 + SPEAKER_FACTOR)
    same = rng.random() < SAME_SPEAKER
    hesitates = rng.random() < PAUSE
    place = rng.random()
    gap = rng.choices((0, 1, 2, 4), (80, 10, 7, 3))[0]
    return Style(
        rate=round(rate, 3),
        pitch=round(pitch, 2),
        liveliness=round(liveliness, 2),
        speaker_factor=1.0 if same or not change_speaker else round(factor, 2),
        pause_after=1 + int(place * (word_count - 1)) if hesitates and word_count >= 3 else 0,
        word_gap=gap,
        peak=rng.randint(*PEAK),
    )


def spoken_text(text: str, style: Style) -> str:
    """The text as handed to an engine: with a comma where the speaker hesitates."""
    words = text.split(" ")
    if style.pause_after:
        words[style.pause_after - 1] += ","
    return " ".join(words)
