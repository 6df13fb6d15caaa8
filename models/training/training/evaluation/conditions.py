"""What is done to utterances before they are heard: noise, rooms, another tempo; from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.augment.augmenter import mixed
from training.augment.fourier import block_for, filtered, kernel_spectrum
from training.augment.noises import excerpt, noise_bank
from training.augment.rooms import Room, impulse_response
from training.augment.talkers import Speech, babble
from training.augment.voice import stretch
from training.evaluation.recogniser import framed

SNRS_DB = (20, 10, 5, 0)
TEMPI = (0.8, 0.9, 1.1, 1.2)
NOISE_CLIPS = 24
NOISE_CLIP_S = 6.0
#: A kitchen with the device on the worktop, and a living room spoken to from the sofa.
ROOMS = {
    "small room, 1 m, T60 0.3 s": Room((3.0, 2.6, 2.5), (1.9, 1.5, 1.5), (1.1, 0.9, 1.1), 0.3),
    "large room, 4 m, T60 0.7 s": Room((7.0, 5.2, 2.8), (5.6, 3.1, 1.2), (1.8, 2.0, 0.9), 0.7),
}

#: float32 [n] of speech alone and a generator of its own → what the microphone hears, framed.
Effect = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Condition:
    """`kind` is what conditions of one table share."""

    kind: str
    name: str
    effect: Effect

    def of(self, samples: np.ndarray, seed: int, index: int) -> np.ndarray:
        """What is heard of the utterance at `index`; other utterances and conditions have no say in it."""
        letters = sum(ord(letter) * 31**at for at, letter in enumerate(self.name[:12]))
        return self.effect(samples, np.random.default_rng([seed, index, letters]))


def clean() -> Condition:
    return Condition("clean", "clean", lambda samples, _: framed(samples))


def conditions(speech: Speech | None, seed: int) -> list[Condition]:
    """Clean, household noise, babble of utterances of `speech` (None: without), rooms and tempi."""
    bank = noise_bank(NOISE_CLIPS, NOISE_CLIP_S, np.random.default_rng([seed, 1]))
    kinds = list(bank)

    def household(n: int, rng: np.random.Generator) -> np.ndarray:
        clips = bank[kinds[rng.integers(len(kinds))]]
        return excerpt(clips[rng.integers(len(clips))], n, rng)

    made = [clean()]
    made += [Condition("household noise", f"{snr_db} dB", _noisy(household, snr_db)) for snr_db in SNRS_DB]
    if speech is not None:
        made += [
            Condition("babble", f"{snr_db} dB", _noisy(lambda n, rng: babble(speech, n, rng), snr_db))
            for snr_db in SNRS_DB
        ]
    made += [Condition("room", name, _in_room(room)) for name, room in ROOMS.items()]
    made += [Condition("tempo", f"{tempo}", _at_tempo(tempo)) for tempo in TEMPI]
    return made


def _noisy(noise: Callable[[int, np.random.Generator], np.ndarray], snr_db: float) -> Effect:
    def effect(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sound = framed(samples)
        rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        return np.clip(mixed(sound, noise(len(sound), rng), rms, snr_db), -1, 1)

    return effect


def _in_room(room: Room) -> Effect:
    response = impulse_response(room)
    spectrum = kernel_spectrum(response, block_for(len(response)))

    def effect(samples: np.ndarray, _: np.random.Generator) -> np.ndarray:
        sound = framed(samples)
        heard = filtered(sound, spectrum, len(response))
        # as loud as before: a louder sound would be another condition
        level = np.linalg.norm(sound) / max(float(np.linalg.norm(heard)), 1e-9)
        return np.clip(heard * np.float32(level), -1, 1)

    return effect


def _at_tempo(tempo: float) -> Effect:
    return lambda samples, _: framed(stretch(samples, 1 / tempo))


def windows(
    sounds: Sequence[np.ndarray],
    texts: Sequence[str],
    fits: Callable[[str], bool],
    longest_s: float,
    seed: int,
) -> list[tuple[np.ndarray, str]]:
    """Utterances one after the other with pauses of 0.3 to 0.9 s, each window as long as `longest_s` and
    `fits` (of its text) allow: what a segment is where people hardly pause. None is of one utterance alone.
    """
    rng = np.random.default_rng([seed, 2])
    made: list[tuple[np.ndarray, str]] = []
    parts: list[np.ndarray] = []
    said: list[str] = []

    def close() -> None:
        if len(said) > 1:
            made.append((framed(np.concatenate(parts)), " ".join(said)))
        parts.clear()
        said.clear()

    for sound, text in zip(sounds, texts, strict=True):
        pause = np.zeros(int(16000 * rng.uniform(0.3, 0.9)), np.float32)
        length = sum(map(len, parts)) + len(pause) + len(sound)
        if said and (length > 16000 * longest_s or not fits(" ".join([*said, text]))):
            close()
        if said:
            parts.append(pause)
        parts.append(sound)
        said.append(text)
    close()
    return made
