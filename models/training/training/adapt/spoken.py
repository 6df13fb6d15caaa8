"""The corpora of an adaptation: spoken with the engines of this machine, or recorded by the household."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from random import Random

import numpy as np

from training.adapt.household import WRITABLE
from training.adapt.sayings import Saying
from training.augment.command import read_wav
from training.corpus import SAMPLE_RATE_HZ
from training.errors import TrainingFault
from training.speech.engines import Request, speaker_of, voices_for
from training.speech.plan import Plan
from training.speech.sound import level, trim
from training.speech.style import draw_style
from training.speech.synthesise import (
    LONGEST_S,
    Settings,
    make_shard,
    prepare,
    shards,
    write_card,
    write_json,
)
from training.speech.voices import Voice

UNSEEN = ("unseen-voice", "unseen-engine")
#: Utterances in a shard: what an interruption loses at most.
SHARD = 100
RECORDED_PEAK = 20000
#: Of the recorded sentences one in so many is kept for checking.
CHECKED_ONE_IN = 5


def voices_to_learn_from(engines: Sequence[str]) -> list[Voice]:
    """The installed voices that may be learnt from, of these engines (all where none are named).

    Raises what `voices_for` raises, and VOICE_MISSING.
    """
    return _of_engines(voices_for(["train"])[0], engines)


def voices_to_check_with(engines: Sequence[str]) -> list[Voice]:
    """Installed voices that no training has heard; where there are none, those it has."""
    try:
        return _of_engines(voices_for(UNSEEN)[0], engines)
    except TrainingFault:
        return voices_to_learn_from(engines)


def _of_engines(voices: list[Voice], engines: Sequence[str]) -> list[Voice]:
    chosen = [voice for voice in voices if not engines or voice.engine in engines]
    if not chosen:
        there = ", ".join(sorted({voice.engine for voice in voices}))
        wanted = f"engines out of {there}"
        raise TrainingFault("VOICE_MISSING", wanted, ", ".join(engines), "name one of them, or none")
    return chosen


def speak_corpus(
    folder: Path,
    sayings: Iterator[Saying],
    utterances: int,
    voices: list[Voice],
    seed: int,
    split: str,
    progress: Callable[[int], None],
) -> None:
    """Makes the corpus `folder`, or what is missing of it. `progress` is told how many utterances are new."""
    keys = tuple(voice.key for voice in voices)
    roles = tuple(sorted({voice.role for voice in voices}))
    settings = Settings(seed, split, roles, SHARD, keys)
    todo = prepare(folder, settings, utterances)
    done = 0
    for index, planned in shards(_plans(sayings, voices, seed), todo, SHARD, utterances):
        before = done
        done += len(planned)
        make_shard(folder, index, planned, lambda count, before=before: progress(before + count))
        write_card(folder, settings)


def missing(folder: Path, utterances: int) -> int:
    """How many utterances `speak_corpus` would make."""
    wanted = [min(SHARD, utterances - start) for start in range(0, utterances, SHARD)]
    return sum(count for index, count in enumerate(wanted) if not (folder / f"{index:06d}.json").exists())


def _plans(sayings: Iterator[Saying], voices: list[Voice], seed: int) -> Iterator[Plan]:
    rng = Random(f"voices {seed}")
    weights = [voice.weight for voice in voices]
    for saying in sayings:
        voice = rng.choices(voices, weights)[0]
        speaker = speaker_of(voice, rng)
        style = draw_style(rng, saying.spoken.count(" ") + 1, change_speaker=voice.role == "train")
        yield Plan(Request(saying.spoken, voice, speaker, style), saying.kind, saying.text)


def take_recordings(file: Path, learnt: Path, checked: Path) -> tuple[int, int]:
    """Makes two corpora of {"one.wav": "call siobhan", …} beside `file`; returns how many each has.

    The same sentence is never in both. Raises RECORDINGS_INVALID, and what `read_wav` raises.
    """
    try:
        texts = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise TrainingFault("RECORDINGS_INVALID", f"JSON in {file}", str(error), "mend the file") from error
    if not isinstance(texts, dict) or not texts:
        raise TrainingFault(
            "RECORDINGS_INVALID", '{"one.wav": "what is said", …}', repr(texts)[:80], f"mend {file}"
        )
    rows: dict[Path, list[tuple[str, np.ndarray]]] = {learnt: [], checked: []}
    for name, text in sorted(texts.items()):
        if not isinstance(text, str) or not WRITABLE.fullmatch(text):
            raise TrainingFault(
                "RECORDINGS_INVALID",
                "words of lower case a to z and the apostrophe",
                f"{text!r} for {name} in {file}",
                "numbers in words, no punctuation",
            )
        samples = trim(read_wav(file.parent / name) * np.float32(32767))
        if not 0.1 <= len(samples) / SAMPLE_RATE_HZ <= LONGEST_S:
            raise TrainingFault(
                "RECORDINGS_INVALID",
                f"0.1 to {LONGEST_S:.0f} s of speech in {name}",
                f"{len(samples) / SAMPLE_RATE_HZ:.2f} s",
                "record it again, or leave it out",
            )
        digest = int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")
        folder = checked if digest % CHECKED_ONE_IN == 0 else learnt
        rows[folder].append((text, level(samples, RECORDED_PEAK)))
    for folder, said in rows.items():
        _write_recorded(folder, said)
    return len(rows[learnt]), len(rows[checked])


def _write_recorded(folder: Path, said: list[tuple[str, np.ndarray]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    listed, end = [], 0
    for text, samples in said:
        listed.append(
            {
                "text": text,
                "kind": "recorded",
                "engine": "recorded",
                "voice": "recorded:household",
                "start": end,
                "end": end + len(samples),
            }
        )
        end += len(samples)
    sound = folder / ".000000.npy"
    with open(sound, "wb") as out:
        np.save(out, np.concatenate([samples for _, samples in said]) if said else np.zeros(0, np.int16))
    sound.rename(folder / "000000.npy")
    write_json(folder / "000000.json", listed)
