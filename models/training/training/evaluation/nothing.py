"""Sounds in which nobody says anything, and how many texts come of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from training.augment.noises import KINDS, unit_rms
from training.augment.talkers import Speech, babble
from training.evaluation.recogniser import Recogniser
from training.features import SAMPLE_RATE_HZ

SHORTEST_S, LONGEST_S = 3.0, 8.0
#: Root mean square, in turn: from the next room to beside the microphone.
LEVELS_DBFS = (-50, -35, -22, -12)
#: What a quiet microphone adds.
HISS_DBFS = -75
EXAMPLES = 3


@dataclass
class Inventions:
    """Windows of one kind of sound, those with a text, and those whose text harkd would publish."""

    kind: str
    windows: int = 0
    seconds: float = 0.0
    written: int = 0
    published: int = 0
    examples: list[str] = field(default_factory=list)


def sounds_without_words(
    minutes: float, speech: Speech | None, seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Kinds and windows float32 [n] of 3 to 8 s, `minutes` in all: silence, white noise, the noises of
    `training.augment` (the same arithmetic as in training, other seeds) with music, and babble of `speech`.
    """
    rng = np.random.default_rng([seed, 3])
    kinds = ["digital silence", "white noise", *KINDS] + ([] if speech is None else ["babble"])
    left_s, count = minutes * 60, 0
    while left_s > 0:
        seconds = rng.uniform(SHORTEST_S, LONGEST_S)
        n = int(seconds * SAMPLE_RATE_HZ)
        kind = kinds[count % len(kinds)]
        yield kind, _sound(kind, n, LEVELS_DBFS[count // len(kinds) % len(LEVELS_DBFS)], speech, rng)
        left_s -= seconds
        count += 1


def _sound(
    kind: str, n: int, level_dbfs: float, speech: Speech | None, rng: np.random.Generator
) -> np.ndarray:
    if kind == "digital silence":
        return np.zeros(n, np.float32)
    hiss = rng.standard_normal(n, dtype=np.float32)
    if kind == "white noise":
        sound = unit_rms(hiss)
    elif kind == "babble" and speech is not None:
        sound = babble(speech, n, rng)
    else:
        sound = KINDS[kind][0](n, rng)
    loud = sound * np.float32(10 ** (level_dbfs / 20)) + hiss * np.float32(10 ** (HISS_DBFS / 20))
    return np.clip(loud, -1, 1)


def count_inventions(
    recogniser: Recogniser, minutes: float, speech: Speech | None, seed: int
) -> list[Inventions]:
    """What the recogniser writes where there are no words, by kind."""
    named = list(sounds_without_words(minutes, speech, seed))
    by_kind: dict[str, Inventions] = {}
    heard = recogniser.hear([sound for _, sound in named])
    for (kind, sound), hypothesis in zip(named, heard, strict=True):
        found = by_kind.setdefault(kind, Inventions(kind))
        found.windows += 1
        found.seconds += len(sound) / SAMPLE_RATE_HZ
        found.written += hypothesis.text != ""
        published = recogniser.published(hypothesis)
        found.published += published != ""
        if published and len(found.examples) < EXAMPLES:
            found.examples.append(published)
    return list(by_kind.values())
