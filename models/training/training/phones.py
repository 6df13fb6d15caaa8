"""Pronunciations, for the auxiliary phoneme loss: the words' phones as flite's dictionary and rules give them.

Phones are learnt long before pieces of words are (300 steps instead of never), and pull the
encoder along; the head that guesses them is dropped at export.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from training.errors import TrainingFault

#: flite's phones of American English; index 0 is the blank of CTC
PHONES = (
    "_ aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
).split()
_INDEX = {phone: at for at, phone in enumerate(PHONES)}


def _said(given: list[str]) -> list[list[int]]:
    """Phones of each utterance that flite makes of what it is given."""
    said = subprocess.run(
        ["flite", "-voice", "kal16", "-ps", *given, "-o", "none"], capture_output=True, text=True, check=True
    ).stdout
    return [[_INDEX[phone] for phone in line.split() if phone != "pau"] for line in said.splitlines()]


def _phones_of(words: list[str]) -> list[list[int]]:
    """Phones of each word. A paragraph each, they are said by one process: starting it takes all the time."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n\n".join(words) + "\n")
        file.flush()
        said = _said(["-f", file.name])
    if len(said) == len(words):
        return said
    # a word with a full stop in it is two utterances
    return [sum(_said(["-t", word]), []) for word in words]


class Pronunciations:
    """Phones of words, kept in a JSON file; words that are not in it are looked up with flite."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._words: dict[str, list[int]] = json.loads(file.read_text()) if file.exists() else {}

    def learn(self, texts: Iterable[str]) -> None:
        """Looks up the words of `texts` that are new. Raises ENGINE_MISSING where flite is not installed."""
        new = sorted({word for text in texts for word in text.split()} - self._words.keys())
        if not new:
            return
        if shutil.which("flite") is None:
            raise TrainingFault(
                "ENGINE_MISSING", "flite, for pronunciations", "none", "install the package flite"
            )
        self._words.update(zip(new, _phones_of(new)))
        beside = self._file.with_suffix(f".{os.getpid()}.new")
        beside.write_text(json.dumps(self._words))
        beside.replace(self._file)

    def of(self, text: str) -> list[int]:
        """Indices into PHONES, one word after the other."""
        return [phone for word in text.split() for phone in self._words[word]]
