"""What a recogniser did to a sentence, word by word. The same rules as harkd's test/bench/word-errors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
#: More than any sentence has words.
_ERROR = 1 << 20


def words_in(text: str) -> list[str]:
    """Lower-case words; of punctuation only apostrophes inside words count."""
    return WORD.findall(text.lower())


@dataclass(frozen=True)
class WordErrors:
    """Counts over one or more sentences; `words` are those that were said."""

    words: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.words + other.words,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def count_errors(said: str, heard: str) -> WordErrors:
    """Levenshtein distance over words, by kind (as NIST sclite with equal weights)."""
    reference, hypothesis = words_in(said), words_in(heard)
    # of ways with equally few errors the one with most substitutions is taken, so that the kinds do not
    # depend on the order of comparing: the least of errors * _ERROR - substitutions
    row = [at * _ERROR for at in range(len(hypothesis) + 1)]
    for word in reference:
        above, row = row, [row[0] + _ERROR]
        for at, other in enumerate(hypothesis):
            diagonal = above[at] if word == other else above[at] + _ERROR - 1
            row.append(min(diagonal, above[at + 1] + _ERROR, row[at] + _ERROR))
    errors = -(-row[-1] // _ERROR)
    substitutions = errors * _ERROR - row[-1]
    unpaired = errors - substitutions
    longer = len(hypothesis) - len(reference)
    insertions = (unpaired + longer) // 2
    return WordErrors(len(reference), substitutions, unpaired - insertions, insertions)


def total(errors: Iterable[WordErrors]) -> WordErrors:
    return sum(errors, WordErrors())


def labels_found(labels: Iterable[str], text: str) -> int:
    """How many of `labels` (single words) the text holds, each of its words counted for one label only."""
    wanted = Counter(label.lower() for label in labels)
    return (wanted & Counter(words_in(text))).total()
