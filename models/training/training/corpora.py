"""Several corpora as one."""

from __future__ import annotations

from pathlib import Path

from training.corpus import Corpus, Utterance


class Corpora:
    """The utterances of several corpus folders, but for some kinds; each may still be growing."""

    def __init__(self, folders: list[Path], leave_out: frozenset[str] = frozenset()) -> None:
        self._leave_out = leave_out
        self._parts = [Corpus(folder) for folder in folders]
        self.utterances: list[Utterance] = []
        self._gather()

    def _gather(self) -> None:
        self.utterances = [
            utterance
            for part in self._parts
            for utterance in part.utterances
            if utterance.kind not in self._leave_out
        ]

    def refresh(self) -> int:
        """Takes in what has been written since; returns how many utterances are new."""
        new = sum([part.refresh() for part in self._parts])
        if new > 0:
            self._gather()
        return new
