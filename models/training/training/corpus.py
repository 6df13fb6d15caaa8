"""A corpus folder: shards of int16 samples (.npy) with a list of what is said where (.json)."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.errors import TrainingFault

SAMPLE_RATE_HZ = 16000
SHARD_NAME = re.compile(r"\d{6}\.json")
FIELDS = {"text": str, "kind": str, "engine": str, "voice": str, "start": int, "end": int}


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence: samples `start` to `end` of the shard, at 16 kHz.

    `voice` is engine:voice, with @factor where the sound was resampled into another speaker.
    """

    text: str
    kind: str
    engine: str
    voice: str
    start: int
    end: int
    shard: str
    #: the whole shard's, int16 [n], memory-mapped: an utterance can be heard whatever becomes of its corpus
    sound: np.ndarray = field(repr=False, compare=False)

    @property
    def duration_s(self) -> float:
        return (self.end - self.start) / SAMPLE_RATE_HZ

    def samples(self) -> np.ndarray:
        """float32 [end - start] in -1..1, 16 kHz: a copy of its own."""
        return self.sound[self.start : self.end].astype(np.float32) / 32768


class Corpus:
    """The utterances of a folder written by `python -m training synthesise`, possibly still growing.

    `.utterances` holds those of all whole shards, in order. Samples stay on disk and are mapped on demand.
    """

    def __init__(self, folder: Path | str) -> None:
        """TrainingFault 'CORPUS_MISSING' where the folder has no shard, 'SHARD_INVALID' where one is damaged."""
        self.folder = Path(folder)
        self.utterances: list[Utterance] = []
        self._written_ns: dict[str, int] = {}
        self.refresh()
        if not self._written_ns:
            raise TrainingFault(
                "CORPUS_MISSING",
                f"shards in {self.folder}",
                "none",
                f"make them: python -m training synthesise --out {self.folder}",
            )

    def refresh(self) -> int:
        """Takes in the shards written since; returns how many utterances are new."""
        before = len(self.utterances)
        grown = False
        for file in sorted(self.folder.glob("*.json")):
            if not SHARD_NAME.fullmatch(file.name):
                continue
            written_ns = file.stat().st_mtime_ns
            known = self._written_ns.get(file.stem)
            if known == written_ns:
                continue
            utterances = read_shard(file)
            self._written_ns[file.stem] = written_ns
            # A last shard of an earlier, shorter run is written again longer: its utterances are replaced.
            if known is not None:
                self.utterances = [u for u in self.utterances if u.shard != file.stem]
            grown = grown or bool(self.utterances and self.utterances[-1].shard > file.stem)
            self.utterances += utterances
        if grown:
            self.utterances.sort(key=lambda u: (u.shard, u.start))
        return len(self.utterances) - before

    @property
    def duration_s(self) -> float:
        return sum(u.duration_s for u in self.utterances)


def read_shard(file: Path) -> list[Utterance]:
    """The utterances of the shard whose list is `file`.

    TrainingFault 'SHARD_INVALID' if either file is missing, damaged, or the two do not fit.
    """
    sound = file.with_suffix(".npy")
    remedy = f"delete {file} and run the same synthesise command again: it makes this shard anew"
    try:
        rows = json.loads(file.read_text())
        samples = np.load(sound, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise TrainingFault(
            "SHARD_INVALID", f"readable {file.name} and {sound.name}", str(error), remedy
        ) from error
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise TrainingFault(
            "SHARD_INVALID", f"int16 [n] in {sound}", f"{samples.dtype} {list(samples.shape)}", remedy
        )
    if not isinstance(rows, list):
        raise TrainingFault("SHARD_INVALID", f"a list in {file}", type(rows).__name__, remedy)
    utterances = []
    end = 0
    for row in rows:
        if not isinstance(row, dict) or any(type(row.get(k)) is not kind for k, kind in FIELDS.items()):
            raise TrainingFault(
                "SHARD_INVALID", f"rows of {', '.join(FIELDS)} in {file}", repr(row)[:120], remedy
            )
        if row["start"] != end or row["end"] <= end:
            raise TrainingFault(
                "SHARD_INVALID",
                f"an utterance from sample {end} on in {file}",
                f"{row['start']} to {row['end']}",
                remedy,
            )
        end = row["end"]
        utterances.append(Utterance(**{k: row[k] for k in FIELDS}, shard=file.stem, sound=samples))
    if end != len(samples):
        raise TrainingFault("SHARD_INVALID", f"{end} samples in {sound}", str(len(samples)), remedy)
    return utterances
