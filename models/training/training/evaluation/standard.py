"""The corpora the embedded model is always measured on, made from fixed seeds where they are missing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingFault
from training.speech.command import Job, make_corpus
from training.speech.engines import voices_for
from training.speech.voices import Role

SEED = 1


@dataclass(frozen=True)
class Standard:
    """Sentences of the split `test` of a grammar, by the voices of a role; `folder` is below the one given."""

    name: str
    folder: str
    grammar: str
    role: Role
    utterances: int


# One seed: a grammar's sentences are the same in all voices, but for a few that are left out as said before.
STANDARD = (
    Standard("commands, voices of the training", "commands-train", "commands", "train", 250),
    Standard("commands, unseen voices", "commands-unseen-voice", "commands", "unseen-voice", 250),
    Standard("commands, unseen engine", "commands-unseen-engine", "commands", "unseen-engine", 250),
    Standard("wide, voices of the training", "wide-train", "home", "train", 400),
    Standard("wide, unseen voices", "wide-unseen-voice", "home", "unseen-voice", 400),
    Standard("wide, unseen engine", "wide-unseen-engine", "home", "unseen-engine", 400),
)


def make_standard(work: Path, note: Callable[[str], None]) -> tuple[dict[str, Path], list[str]]:
    """Folders of STANDARD below `work` by name, those that are not there yet made now; and what is missing of them.

    A corpus none of whose voices is installed is left out; where some are, the others speak for them: `note` is
    told of both, as they are found. Raises KeyboardInterrupt, and what `make_corpus` raises.
    """
    folders: dict[str, Path] = {}
    missing: list[str] = []

    def miss(line: str) -> None:
        missing.append(line)
        note(f"MISSING: {line}")

    for one in STANDARD:
        try:
            _, absent = voices_for([one.role])
        except TrainingFault as fault:
            miss(f"{one.name}: {fault}")
            continue
        if absent:
            miss(f"{one.name}: without {', '.join(f'{v.key} (package {v.package})' for v in absent)}")
        note(one.name)
        job = Job(
            work / one.folder,
            one.utterances,
            SEED,
            "test",
            (one.role,),
            shard=one.utterances,
            grammar=one.grammar,
        )
        # its lines are progress: what is printed here is the page
        with contextlib.redirect_stdout(sys.stderr):
            if not make_corpus(job):
                raise KeyboardInterrupt
        folders[one.name] = job.out
    return folders, missing
