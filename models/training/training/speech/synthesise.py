"""Makes a corpus: speaks the planned sentences, shard by shard, and goes on where an earlier run stopped."""

import json
import os
import tempfile
import time
import wave
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from training.corpus import SAMPLE_RATE_HZ, read_shard
from training.errors import TrainingFault
from training.speech.accent import takes_accent
from training.speech.engines import Failure, speak, voices_for
from training.speech.plan import Plan, plans
from training.speech.sound import level, read_wave, resample, trim

FORMAT = 1
SHORTEST_S = 0.1
LONGEST_S = 14.0
# Spoken in one go: enough that starting an engine costs little, few enough to see it go on.
TOGETHER = 50
# A few sentences are too long at a slow tempo; more than that means an engine is broken.
MOST_FAILURES = 0.05


@dataclass(frozen=True)
class Settings:
    """What makes a corpus what it is: a folder is only ever continued with the same."""

    seed: int
    split: str
    roles: tuple[str, ...]
    shard_utterances: int
    voices: tuple[str, ...]
    # Corpora made before there was a second one do not say.
    grammar: str = "home"
    accent: str = ""


@dataclass(frozen=True)
class ShardDone:
    """One shard is on disk. `seconds_by_engine` is wall-clock time spent, `made_by_engine` utterances."""

    index: int
    utterances: int
    dropped: int
    sound_s: float
    made_by_engine: dict[str, int]
    seconds_by_engine: dict[str, float]


def prepare(folder: Path, settings: Settings, utterances: int) -> list[int]:
    """Creates or checks the folder; returns the indices of the shards still to be made for `utterances`.

    TrainingFault 'CORPUS_OF_OTHERS' if the folder holds a corpus of other settings or other files, 'SHARD_INVALID' if
    a shard is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "corpus.json"
    planned = utterances
    if card.exists():
        try:
            known = json.loads(card.read_text())
            was = Settings(
                **{k: tuple(v) if isinstance(v, list) else v for k, v in known["settings"].items()}
            )
            planned = int(known["planned"])
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingFault(
                "CORPUS_INVALID",
                f"a corpus.json of this program in {folder}",
                repr(error),
                "choose another folder with --out",
            ) from error
        if was != settings:
            differing = [k for k, v in asdict(settings).items() if v != asdict(was)[k]]
            raise TrainingFault(
                "CORPUS_OF_OTHERS",
                ", ".join(f"{k}={getattr(was, k)}" for k in differing),
                ", ".join(f"{k}={getattr(settings, k)}" for k in differing),
                f"use the settings and voices of before, or another folder than {folder}",
            )
    elif any(folder.iterdir()):
        raise TrainingFault(
            "CORPUS_OF_OTHERS",
            f"an empty folder or a corpus in {folder}",
            "other files",
            "choose another folder with --out",
        )
    size = settings.shard_utterances
    todo = []
    for index in range(-(-utterances // size)):
        file = folder / f"{index:06d}.json"
        if not file.exists():
            todo.append(index)
            continue
        read_shard(file)
        # The last shard of an earlier, shorter run: its utterances are the first ones of the whole shard.
        if min(size, planned - index * size) < min(size, utterances - index * size):
            todo.append(index)
    write_card(folder, settings, max(planned, utterances))
    return todo


def shards(
    plan: Iterator[Plan], todo: Sequence[int], size: int, utterances: int
) -> Iterator[tuple[int, list[Plan]]]:
    """The plans of each shard to be made, `todo` ascending."""
    at = 0
    for index in todo:
        plan = islice(plan, (index - at) * size, None)
        yield index, list(islice(plan, min(size, utterances - index * size)))
        at = index + 1


def make_shard(
    folder: Path, index: int, planned: Sequence[Plan], progress: Callable[[int], None] | None = None
) -> ShardDone:
    """Speaks `planned` and writes shard `index`, sound first, so that a list on disk means a whole shard.

    TrainingFault 'ENGINE_FAILED' if more than one in twenty of an engine's utterances fail.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, one in enumerate(planned):
        groups[one.request.voice.engine, one.request.voice.name].append(position)
    spoken: dict[int, np.ndarray] = {}
    made: Counter[str] = Counter()
    failures: dict[str, list[str]] = defaultdict(list)
    seconds: Counter[str] = Counter()
    done = 0
    for (engine, _), positions in groups.items():
        for chunk in (positions[i : i + TOGETHER] for i in range(0, len(positions), TOGETHER)):
            started = time.monotonic()
            with tempfile.TemporaryDirectory(prefix=f"speech-{os.getpid()}-", dir=fast_folder()) as temporary:
                waves = speak([planned[p].request for p in chunk], Path(temporary))
                for position, one in zip(chunk, waves, strict=True):
                    sound = one if isinstance(one, Failure) else finish(one, planned[position])
                    if isinstance(sound, Failure):
                        failures[engine].append(f"{planned[position].request.text!r}: {sound.reason}")
                        continue
                    spoken[position] = sound
                    made[engine] += 1
            seconds[engine] += time.monotonic() - started
            done += len(chunk)
            if progress:
                progress(done)
    for engine, reasons in failures.items():
        if len(reasons) > max(3, MOST_FAILURES * (made[engine] + len(reasons))):
            raise TrainingFault(
                "ENGINE_FAILED",
                f"speech from {engine}",
                f"{len(reasons)} failures of {made[engine] + len(reasons)}, such as {reasons[0]}",
                "see that the engine works by hand, or remove its package",
            )
    _write(folder, index, [(planned[p], spoken[p]) for p in sorted(spoken)])
    return ShardDone(
        index,
        len(spoken),
        len(planned) - len(spoken),
        sum(len(s) for s in spoken.values()) / SAMPLE_RATE_HZ,
        dict(made),
        dict(seconds),
    )


def finish(spoken: Path, plan: Plan) -> np.ndarray | Failure:
    """int16 [n] at 16 kHz from what the engine wrote."""
    style = plan.request.style
    try:
        samples, rate_hz = read_wave(spoken)
    except (ValueError, EOFError, OSError, wave.Error) as error:
        return Failure(f"{type(error).__name__}: {error}")
    samples = trim(resample(samples, rate_hz, style.speaker_factor))
    if not SHORTEST_S <= len(samples) / SAMPLE_RATE_HZ <= LONGEST_S:
        return Failure(f"expected {SHORTEST_S} to {LONGEST_S} s, came {len(samples) / SAMPLE_RATE_HZ:.2f} s")
    return level(samples, style.peak)


def voice_name(plan: Plan) -> str:
    """As recorded in the corpus, such as flite:slt@1.07 or flite:slt/en-gb."""
    request = plan.request
    factor = request.style.speaker_factor
    accent = f"/{request.accent}" if request.accent else ""
    return f"{request.voice.engine}:{request.speaker}{accent}" + ("" if factor == 1 else f"@{factor:.2f}")


def _write(folder: Path, index: int, spoken: Sequence[tuple[Plan, np.ndarray]]) -> None:
    rows = []
    end = 0
    for plan, samples in spoken:
        rows.append(
            {
                "text": plan.text,
                "kind": plan.kind,
                "engine": plan.request.voice.engine,
                "voice": voice_name(plan),
                "start": end,
                "end": end + len(samples),
            }
        )
        end += len(samples)
    sound = folder / f".{index:06d}.npy.{os.getpid()}"
    with open(sound, "wb") as out:
        np.save(out, np.concatenate([s for _, s in spoken]) if spoken else np.zeros(0, np.int16))
    sound.rename(folder / f"{index:06d}.npy")
    write_json(folder / f"{index:06d}.json", rows)


def write_json(file: Path, value: object) -> None:
    """Writes the whole file or none of it."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1))
    temporary.rename(file)


def write_card(folder: Path, settings: Settings, planned: int | None = None) -> None:
    """corpus.json: the settings, how many utterances are planned (None: as it says already), and what is
    there, counted from the shards.
    """
    card = folder / "corpus.json"
    planned = json.loads(card.read_text())["planned"] if planned is None else planned
    by_voice: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for file in sorted(folder.glob("[0-9]*.json")):
        for row in json.loads(file.read_text()):
            by_voice[row["voice"].partition("@")[0]] += 1
            by_kind[row["kind"]] += 1
            seconds[row["engine"]] += (row["end"] - row["start"]) / SAMPLE_RATE_HZ
    write_json(
        card,
        {
            "format": FORMAT,
            "settings": asdict(settings),
            "planned": planned,
            "sample_rate_hz": SAMPLE_RATE_HZ,
            "utterances": sum(by_voice.values()),
            "hours": round(sum(seconds.values()) / 3600, 4),
            "hours_by_engine": {k: round(v / 3600, 4) for k, v in sorted(seconds.items())},
            "utterances_by_voice": dict(sorted(by_voice.items())),
            "utterances_by_kind": dict(sorted(by_kind.items())),
        },
    )


def fast_folder() -> str | None:
    """Where waves pass through: memory where there is some, otherwise wherever temporary files go."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None


def settings_for(
    seed: int,
    split: str,
    roles: Sequence[str],
    shard_utterances: int,
    grammar: str = "home",
    only: Sequence[str] = (),
    accent: str = "",
) -> Settings:
    """The settings with the voices of this machine, or with `only` some of them; with an accent, those that take one.

    Raises what `voices_for` raises, and USAGE_INVALID for a voice of `only` that takes no accent.
    """
    present, _ = voices_for(roles, only)
    if accent:
        unable = [v.key for v in present if not takes_accent(v)]
        if only and unable:
            raise TrainingFault(
                "USAGE_INVALID",
                "voices that can be given an accent: of flite, and of festival but for don_diphone",
                ", ".join(unable),
                "leave them out of --voices, or leave out --accent",
            )
        present = [v for v in present if takes_accent(v)]
    return Settings(
        seed, split, tuple(roles), shard_utterances, tuple(v.key for v in present), grammar, accent
    )


def planned(settings: Settings, sentences: Callable) -> Iterator[Plan]:
    """The plans of a corpus with these settings."""
    present, _ = voices_for(settings.roles, settings.voices)
    return plans(sentences, present, settings.seed, settings.split, settings.accent)
