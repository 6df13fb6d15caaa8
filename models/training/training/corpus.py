"""A corpus folder: shards of int16 samples (.npy) with a list of what is said where (.json)."""

import json
import re
from dataclasses import dataclass
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

    @property
    def duration_s(self) -> float:
        return (self.end - self.start) / SAMPLE_RATE_HZ


class Corpus:
    """The utterances of a folder written by `python -m training synthesise`, possibly still growing.

    `.utterances` holds those of all whole shards, in order. Samples stay on disk and are mapped on demand.
    """

    def __init__(self, folder: Path | str) -> None:
        """TrainingFault 'CORPUS_MISSING' where the folder has no shard, 'SHARD_INVALID' where one is damaged."""
        self.folder = Path(folder)
        self.utterances: list[Utterance] = []
        self._shards: dict[str, tuple[int, np.ndarray]] = {}
        self.refresh()
        if not self._shards:
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
            known = self._shards.get(file.stem)
            if known and known[0] == written_ns:
                continue
            utterances, samples = read_shard(file)
            self._shards[file.stem] = (written_ns, samples)
            # A last shard of an earlier, shorter run is written again longer: its utterances are replaced.
            if known:
                self.utterances = [u for u in self.utterances if u.shard != file.stem]
            grown = grown or bool(self.utterances and self.utterances[-1].shard > file.stem)
            self.utterances += utterances
        if grown:
            self.utterances.sort(key=lambda u: (u.shard, u.start))
        return len(self.utterances) - before

    def samples(self, utterance: Utterance) -> np.ndarray:
        """float32 [end - start] in -1..1, 16 kHz: a copy of its own."""
        whole = self._shards[utterance.shard][1]
        return whole[utterance.start : utterance.end].astype(np.float32) / 32768

    @property
    def duration_s(self) -> float:
        return sum(u.duration_s for u in self.utterances)


def read_shard(file: Path) -> tuple[list[Utterance], np.ndarray]:
    """The utterances of the shard whose list is `file`, and its samples, int16 [n], memory-mapped.

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
        utterances.append(Utterance(**{k: row[k] for k in FIELDS}, shard=file.stem))
    if end != len(samples):
        raise TrainingFault("SHARD_INVALID", f"{end} samples in {sound}", str(len(samples)), remedy)
    return utterances, samples
