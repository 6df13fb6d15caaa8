"""Words sorted by hand into classes, with their forms: data/lexicon/*.txt.

A file holds sections `[class …]` of words. A space inside a word is written `_`. A noun with an irregular plural
is `child/children`; a noun without a plural stands in a class that begins with `mass`. An irregular verb is
`eat:ate:eaten`, base, past and participle. A verb's section names its frame and then the noun classes it takes:
`[object food drink]`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingFault
from training.text.morphology import past, plural, progressive, third_person


@dataclass(frozen=True)
class Noun:
    """`plural` is None for a mass noun, such as 'water'."""

    singular: str
    plural: str | None


@dataclass(frozen=True)
class Verb:
    """A verb's forms and the noun classes its object may be of."""

    base: str
    third: str
    past: str
    participle: str
    progressive: str
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lexicon:
    """Words by class; verbs by frame."""

    nouns: dict[str, list[Noun]]
    verbs: dict[str, list[Verb]]
    adjectives: dict[str, list[str]]
    adverbs: dict[str, list[str]]

    @classmethod
    def load(cls, folder: Path) -> "Lexicon":
        """Reads nouns.txt, verbs.txt, adjectives.txt and adverbs.txt of `folder`."""
        nouns = {
            names[0]: [_noun(entry, names[0].startswith("mass")) for entry in entries]
            for names, entries in _sections(folder / "nouns.txt")
        }
        verbs: dict[str, list[Verb]] = {}
        for (frame, *takes), entries in _sections(folder / "verbs.txt"):
            unknown = set(takes) - set(nouns)
            if unknown:
                raise TrainingFault(
                    "bad-lexicon", "noun classes of nouns.txt", ", ".join(sorted(unknown)),
                    f"mend the section [{frame} …] of verbs.txt",
                )  # fmt: skip
            verbs.setdefault(frame, []).extend(_verb(entry, tuple(takes)) for entry in entries)
        adjectives = {names[0]: entries for names, entries in _sections(folder / "adjectives.txt")}
        adverbs = {names[0]: entries for names, entries in _sections(folder / "adverbs.txt")}
        return cls(nouns, verbs, adjectives, adverbs)

    def words(self) -> list[str]:
        """Every single word in every form, sorted."""
        found: set[str] = set()
        for nouns in self.nouns.values():
            for noun in nouns:
                found.update(noun.singular.split(), (noun.plural or "").split())
        for verbs in self.verbs.values():
            for verb in verbs:
                for form in (verb.base, verb.third, verb.past, verb.participle, verb.progressive):
                    found.update(form.split())
        for table in (self.adjectives, self.adverbs):
            for entries in table.values():
                for entry in entries:
                    found.update(entry.split())
        return sorted(found)


def _sections(file: Path) -> Iterator[tuple[list[str], list[str]]]:
    names: list[str] = []
    entries: list[str] = []
    for line in file.read_text().splitlines():
        line = line.split("#", 1)[0].strip()
        if line.startswith("["):
            if names:
                yield names, entries
            names, entries = line.strip("[]").split(), []
        else:
            entries.extend(word.replace("_", " ") for word in line.split())
    if names:
        yield names, entries


def _noun(entry: str, mass: bool) -> Noun:
    singular, _, irregular = entry.partition("/")
    return Noun(singular, None if mass else irregular or plural(singular))


def _verb(entry: str, takes: tuple[str, ...]) -> Verb:
    base, *irregular = entry.split(":")
    before = irregular[0] if irregular else past(base)
    participle = irregular[1] if len(irregular) > 1 else before
    return Verb(base, third_person(base), before, participle, progressive(base), takes)
