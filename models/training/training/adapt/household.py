"""The words of one household, from a file that people write by hand."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingFault
from training.text import LONGEST_WORDS, numbers
from training.tokens import Tokenizer

#: what a household's file may list, and the rule of the grammar whose place it takes
SLOTS = {"person": "person", "room": "room", "device": "appliance", "phrase": "phrase"}
WRITABLE = re.compile(r"[a-z']+( [a-z']+)*")
ARTICLE = re.compile(r"^(the|my|our|a|an) (?=.)")
#: letters that are more than a base letter with an accent
LETTERS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
MOST_TERMS = 300
#: pieces of a term; the decoder has 64 positions for a whole sentence
MOST_PIECES = 32


@dataclass(frozen=True)
class Term:
    """A name, room, thing or phrase: how it is written, and how an engine is given it to say it right."""

    slot: str
    text: str
    spoken: str


@dataclass(frozen=True)
class Household:
    name: str
    terms: tuple[Term, ...]

    def of(self, slot: str) -> list[str]:
        """The texts of one of SLOTS, in order."""
        return [term.text for term in self.terms if term.slot == slot]


def read_household(file: Path) -> Household:
    """Reads {"person": […], "room": […], "device": […], "phrase": […]}.

    An entry is a text, or {"write": "siobhan", "say": "shavawn"}. Raises HOUSEHOLD_INVALID, or
    TERM_UNWRITABLE with the line and what to write instead.
    """
    raw = _text_of(file)
    shape = '{"person": ["…"], "room": ["…"], "device": ["…"], "phrase": ["…"]}'
    try:
        lists = json.loads(raw)
    except ValueError as error:
        raise TrainingFault("HOUSEHOLD_INVALID", f"JSON in {file}", str(error), f"write {shape}") from error
    if not isinstance(lists, dict):
        raise TrainingFault("HOUSEHOLD_INVALID", shape, type(lists).__name__, f"mend {file}")
    entries = []
    for slot, values in lists.items():
        if slot not in SLOTS:
            raise TrainingFault(
                "HOUSEHOLD_INVALID",
                f"lists named {', '.join(SLOTS)} in {file}",
                repr(slot),
                "rename that list",
            )
        if not isinstance(values, list):
            raise TrainingFault(
                "HOUSEHOLD_INVALID", f'a list for "{slot}" in {file}', repr(values), "put it into [ ]"
            )
        for value in values:
            text, spoken = _pair(value, slot, file)
            entries.append((f"{file}:{_line_of(text, raw)}", slot, text, spoken))
    return _checked(file, entries)


def read_names(file: Path) -> Household:
    """Reads one name a line, `siobhan` or `siobhan = shavawn` (as it is said); `#` begins a comment.

    Raises HOUSEHOLD_INVALID and TERM_UNWRITABLE with the line.
    """
    entries = []
    for number, line in enumerate(_text_of(file).splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if line:
            text, sign, spoken = (part.strip() for part in line.partition("="))
            if bool(sign) != bool(spoken) or not text:
                raise TrainingFault(
                    "HOUSEHOLD_INVALID",
                    "name or name = as it is said",
                    f"{line!r} in {file}:{number}",
                    "mend that line",
                )
            entries.append((f"{file}:{number}", "person", text, spoken or text))
    return _checked(file, entries)


def check_pieces(household: Household, tokenizer: Tokenizer) -> None:
    """Raises TERM_UNWRITABLE where a term is too long, MODEL_UNSUITABLE where the model writes capitals."""
    if any(re.search("[A-Z]", piece) and not piece.startswith("<|") for piece in tokenizer.pieces):
        raise TrainingFault(
            "MODEL_UNSUITABLE",
            "a model that writes lower case a to z, such as nano",
            "one that writes capitals, too",
            "name such a model folder: lower case would spoil how this one writes",
        )
    for term in household.terms:
        pieces = len(tokenizer.encode(term.text))
        if pieces > MOST_PIECES:
            raise TrainingFault(
                "TERM_UNWRITABLE",
                f"at most {MOST_PIECES} pieces of words",
                f"{pieces} in {term.text!r}",
                "write a shorter phrase",
            )


def writable(text: str) -> str:
    """What to write instead of `text`: lower case a to z and the apostrophe, numbers in words."""
    text = "".join(LETTERS.get(letter, letter) for letter in text.lower().replace("’", "'"))
    text = text.replace("&", " and ").replace("%", " percent ").replace("+", " plus ")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = re.sub(r"[0-9]+", lambda found: f" {_number(found[0])} ", text)
    words = re.sub(r"[^a-z' ]", " ", text).split()
    return " ".join(word for word in words if word.strip("'"))


def _number(written: str) -> str:
    if len(written) > 4 or written != str(int(written)):
        return numbers.digits([int(digit) for digit in written])
    return numbers.cardinal(int(written))


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingFault(
            "HOUSEHOLD_INVALID", f"a text file in UTF-8 at {file}", str(error), "name another file"
        ) from error


def _pair(value: object, slot: str, file: Path) -> tuple[str, str]:
    if isinstance(value, str):
        return value, value
    if isinstance(value, dict) and set(value) == {"write", "say"}:
        text, spoken = value["write"], value["say"]
        if isinstance(text, str) and isinstance(spoken, str):
            return text, spoken
    raise TrainingFault(
        "HOUSEHOLD_INVALID",
        f'texts or {{"write": "…", "say": "…"}} in "{slot}" of {file}',
        repr(value),
        "mend that entry",
    )


def _line_of(text: str, raw: str) -> int:
    """The first line of a JSON file that holds `text`, as it is or escaped."""
    forms = (json.dumps(text, ensure_ascii=False), json.dumps(text))
    for number, line in enumerate(raw.splitlines(), 1):
        if any(form in line for form in forms):
            return number
    return 1


def _checked(file: Path, entries: Iterable[tuple[str, str, str, str]]) -> Household:
    terms: dict[tuple[str, str], Term] = {}
    for where, slot, text, spoken in entries:
        for part in (text, spoken):
            _check(part, where)
        text, spoken = " ".join(text.lower().split()), " ".join(spoken.lower().split())
        if slot in ("room", "device"):
            # the sentences bring articles of their own
            text, spoken = ARTICLE.sub("", text), ARTICLE.sub("", spoken)
        terms.setdefault((slot, text), Term(slot, text, spoken))
    if not terms or len(terms) > MOST_TERMS:
        raise TrainingFault(
            "HOUSEHOLD_INVALID",
            f"1 to {MOST_TERMS} names, rooms and so on in {file}",
            str(len(terms)),
            "list what the model gets wrong, and not much else",
        )
    name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    return Household(name or "household", tuple(terms.values()))


def _check(text: str, where: str) -> None:
    plain = " ".join(text.lower().split())
    if not WRITABLE.fullmatch(plain):
        instead = writable(text)
        remedy = f'write "{instead}" there' if instead else "leave it out"
        raise TrainingFault(
            "TERM_UNWRITABLE",
            "letters a to z, apostrophes and blanks, numbers in words",
            f"{text!r} in {where}",
            remedy,
        )
    if plain.count(" ") + 1 > LONGEST_WORDS // 2:
        raise TrainingFault(
            "TERM_UNWRITABLE",
            f"at most {LONGEST_WORDS // 2} words",
            f"{plain.count(' ') + 1} in {where}",
            "write a shorter phrase",
        )
