"""Recordings of people of which only some words are known: how many of those are heard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.augment.command import read_wav
from training.errors import TrainingFault
from training.evaluation.interval import Rate, rate_of
from training.evaluation.recogniser import Recogniser
from training.evaluation.word_errors import labels_found
from training.features import SAMPLE_RATE_HZ

LABEL_FILES = ("words.json", "labels.json")
FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
#: Speech is what is this far above the quietest tenth of the recording, but no further below its loudest.
ABOVE_FLOOR_DB = 12.0
BELOW_PEAK_DB = 32.0
#: A click is shorter: frames of 10 ms that must be loud, out of 150 ms.
LOUD_FRAMES, WITHIN_FRAMES = 8, 15
#: As harkd leaves around speech.
AROUND_SAMPLES = SAMPLE_RATE_HZ // 5


@dataclass(frozen=True)
class Recording:
    file: Path
    #: words that are spoken in it, at least
    labels: list[str]


@dataclass(frozen=True)
class Recall:
    """Shares of the labelled words: in what was written, and in what harkd would publish."""

    recordings: int
    labels: int
    written: Rate | None
    published: Rate | None
    #: share of recordings with all of their labelled words, as written
    whole: Rate | None


def labels_file(folder: Path) -> Path:
    """The one of LABEL_FILES that is in `folder`; the first of them where none is."""
    return next((folder / name for name in LABEL_FILES if (folder / name).exists()), folder / LABEL_FILES[0])


def read_recordings(folder: Path) -> list[Recording]:
    """The recordings named in words.json (or labels.json), {"file.wav": ["word", …]}, sorted.

    Raises LABELS_INVALID where that is not so or a file is missing.
    """
    file = labels_file(folder)
    wanted = '{"recording.wav": ["word", …], …} in ' + str(file)
    try:
        labels = json.loads(file.read_text())
        fits = all(
            isinstance(words, list) and all(isinstance(word, str) for word in words)
            for words in labels.values()
        )
    except (OSError, ValueError, AttributeError) as error:
        raise TrainingFault("LABELS_INVALID", wanted, repr(error), "name another folder") from error
    if not fits or not labels:
        raise TrainingFault("LABELS_INVALID", wanted, "something else" if labels else "none", "mend the file")
    recordings = [Recording(folder / name, words) for name, words in sorted(labels.items())]
    missing = [recording.file.name for recording in recordings if not recording.file.exists()]
    if missing:
        raise TrainingFault("LABELS_INVALID", f"{missing[0]} beside {file}", "no such file", "mend the file")
    return recordings


def trimmed(samples: np.ndarray) -> np.ndarray:
    """`samples` float32 [n] from 200 ms before the first speech to 200 ms after the last, by energy.

    All of them where nothing stands out.
    """
    count = len(samples) // FRAME_SAMPLES
    if count < WITHIN_FRAMES:
        return samples
    frames = samples[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES)
    levels_db = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-10)
    # smoothed, for gaps inside sounds are no silence
    levels_db = np.convolve(np.pad(levels_db, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    floor_db, peak_db = np.quantile(levels_db, 0.1), np.quantile(levels_db, 0.99)
    loud = levels_db > max(min(floor_db + ABOVE_FLOOR_DB, peak_db - 6), peak_db - BELOW_PEAK_DB)
    near = np.convolve(loud, np.ones(WITHIN_FRAMES, int), mode="same") >= LOUD_FRAMES
    speech = np.flatnonzero(loud & near)
    if not len(speech):
        return samples
    start = max(0, int(speech[0]) * FRAME_SAMPLES - AROUND_SAMPLES)
    return samples[start : (int(speech[-1]) + 1) * FRAME_SAMPLES + AROUND_SAMPLES]


def recall_of(recordings: list[Recording], written: list[str], published: list[str]) -> Recall:
    """How many of the labelled words are in the texts, one for each recording."""
    counts = [len(recording.labels) for recording in recordings]

    def found(texts: list[str]) -> list[int]:
        return [labels_found(one.labels, text) for one, text in zip(recordings, texts, strict=True)]

    whole = [int(got == count) for got, count in zip(found(written), counts)]
    return Recall(
        len(recordings),
        sum(counts),
        rate_of(found(written), counts),
        rate_of(found(published), counts),
        rate_of(whole, [1] * len(whole)),
    )


def score_recordings(recogniser: Recogniser, recordings: list[Recording]) -> Recall:
    """Trimmed by energy and heard as one segment each. Raises what reading a WAV raises."""
    longest = recogniser.model.shape.max_source_positions * 320
    sounds = [trimmed(read_wav(recording.file))[:longest] for recording in recordings]
    heard = recogniser.hear(sounds)
    return recall_of(recordings, [one.text for one in heard], [recogniser.published(one) for one in heard])
