"""Sentences people say at home, made from a written grammar, without end and the same for the same seed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from random import Random

from training.errors import TrainingFault
from training.text import numbers
from training.text.english import English, grammar_words
from training.text.lexicon import Lexicon
from training.text.mix import MIX
from training.text.morphology import with_articles
from training.text.template import Grammar, parse

DATA = Path(__file__).parent / "data"
LONGEST_WORDS = 18
TEST_ONE_IN = 40
SALAD_WORDS = (1, 6)
ALPHABET = re.compile(r"[a-z']+( [a-z']+)*")


@dataclass(frozen=True)
class Sentence:
    """What is said, lower case a-z, apostrophe and single spaces; and which row of MIX it came from."""

    text: str
    kind: str


def split_of(text: str) -> str:
    """'test' or 'train': by the text alone, so that no sentence is ever in both."""
    digest = int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")
    return "test" if digest % TEST_ONE_IN == 0 else "train"


def sentences(seed: int, split: str, slots: Mapping[str, Sequence[str]] | None = None) -> Iterator[Sentence]:
    """Endless sentences of 1 to 18 words, always the same for the same `seed`, `split` and `slots`.

    `slots` replaces what a rule of the grammar can say, such as {'person': [...], 'room': [...]} of one
    household. TrainingFault for an unknown split or slot.
    """
    if split not in ("train", "test"):
        raise TrainingFault("USAGE_INVALID", "'train' or 'test'", repr(split), "name one of the two")
    return _stream(Maker(slots), Random(seed), split)


def _stream(maker: "Maker", rng: Random, split: str) -> Iterator[Sentence]:
    while True:
        sentence = maker.make(rng)
        if split_of(sentence.text) == split:
            yield sentence


class Maker:
    """Makes one sentence at a time from the grammar files, the lexicon and the table of common words."""

    def __init__(self, slots: Mapping[str, Sequence[str]] | None = None) -> None:
        self.grammar = Grammar(rules(), slots)
        self._english = English(Lexicon.load(DATA / "lexicon"), self.grammar)
        self._common = common_words()
        self._kinds = list(MIX)
        self._sums = list(accumulate(MIX.values()))

    def make(self, rng: Random) -> Sentence:
        """A sentence of a kind drawn by the weights of MIX."""
        while True:
            kind = rng.choices(self._kinds, cum_weights=self._sums)[0]
            text = self.of_kind(kind, rng)
            if text and text.count(" ") < LONGEST_WORDS:
                return Sentence(text, kind)

    def of_kind(self, kind: str, rng: Random) -> str:
        """A sentence of this kind, which may be longer than LONGEST_WORDS."""
        if kind == "salad":
            return " ".join(rng.choices(self._common, k=rng.randint(*SALAD_WORDS)))
        if kind == "english":
            return with_articles(" ".join(self._english.sentence(rng).split()))
        return with_articles(self.grammar.expand(kind, rng))


@cache
def vocabulary() -> list[str]:
    """Every word that can come in a sentence, sorted."""
    words = set(common_words()) | numbers.words() | grammar_words()
    words.update(Lexicon.load(DATA / "lexicon").words())
    for source in rules().values():
        words.update(_words_of(source))
        for name in re.findall(r"<([a-z-]+)>'s", source):
            words.update(f"{word}'s" for word in _owners(name))
    return sorted(words)


def _words_of(source: str) -> list[str]:
    return re.findall(r"[a-z']+", re.sub(r"<[^<>]*>", " ", source))


def _owners(rule: str) -> set[str]:
    """The words of a rule and of those it uses."""
    source = rules()[rule]
    below = [name for name in re.findall(r"<([a-z-]+)>", source)]
    return set(_words_of(source)).union(*(_owners(name) for name in below))


@cache
def common_words() -> list[str]:
    """The frequent words of data/common-words.txt and the lexicon's, for word salad."""
    lines = (DATA / "common-words.txt").read_text().splitlines()
    listed = [word for line in lines if not line.startswith("#") for word in line.split()]
    return sorted(set(listed) | set(Lexicon.load(DATA / "lexicon").words()))


@cache
def rules() -> dict[str, str]:
    """The source of every rule of data/*.grammar, by name."""
    found: dict[str, str] = {}
    for file in sorted(DATA.glob("*.grammar")):
        for name, source in parse(file.read_text()).items():
            if name in found:
                raise TrainingFault(
                    "GRAMMAR_INVALID", "each rule in one file", repr(name), f"rename it in {file.name}"
                )
            found[name] = source
    return found
