"""Several corpora as one."""

from __future__ import annotations

from pathlib import Path

from training.corpus import Corpus, Utterance
from training.errors import TrainingFault


def read_words(file: Path) -> frozenset[str]:
    """The words in `file`, with space between them. Raises WORDS_INVALID where there are none."""
    try:
        words = frozenset(file.read_text().split())
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingFault("WORDS_INVALID", f"words in {file}", str(error), "name another file") from error
    if not words:
        raise TrainingFault("WORDS_INVALID", f"words in {file}", "none", "name another file")
    return words


class Corpora:
    """The utterances of several corpus folders, but for some kinds, or of some words; each may still be growing."""

    def __init__(
        self,
        folders: list[Path],
        leave_out: frozenset[str] = frozenset(),
        words: frozenset[str] | None = None,
    ) -> None:
        """Of all kinds but `leave_out`; where `words` are given, of utterances made of nothing else."""
        self._leave_out = leave_out
        self._words = words
        self._parts = [Corpus(folder) for folder in folders]
        self.utterances: list[Utterance] = []
        self._gather()

    def _gather(self) -> None:
        self.utterances = [
            utterance
            for part in self._parts
            for utterance in part.utterances
            if utterance.kind not in self._leave_out and self._knows(utterance.text)
        ]

    def _knows(self, text: str) -> bool:
        return self._words is None or self._words.issuperset(text.split())

    def refresh(self) -> int:
        """Takes in what has been written since; returns how many utterances are new."""
        new = sum([part.refresh() for part in self._parts])
        if new > 0:
            self._gather()
        return new
