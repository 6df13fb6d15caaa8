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
from training.text.mix import GRAMMARS, Written
from training.text.morphology import with_articles
from training.text.template import Grammar, parse

DATA = Path(__file__).parent / "data"
LONGEST_WORDS = GRAMMARS["home"].longest_words
TEST_ONE_IN = 40
SALAD_WORDS = (1, 6)
ALPHABET = re.compile(r"[a-z']+( [a-z']+)*")


@dataclass(frozen=True)
class Sentence:
    """What is said, lower case a-z, apostrophe and single spaces; and which row of its grammar's mix it came from."""

    text: str
    kind: str


def split_of(text: str) -> str:
    """'test' or 'train': by the text alone, so that no sentence is ever in both."""
    digest = int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")
    return "test" if digest % TEST_ONE_IN == 0 else "train"


def sentences(
    seed: int, split: str, slots: Mapping[str, Sequence[str]] | None = None, grammar: str = "home"
) -> Iterator[Sentence]:
    """Endless sentences of 1 to 18 words (`commands`: 16), always the same for the same arguments.

    `slots` replaces what a rule of the grammar can say, such as {'person': [...], 'room': [...]} of one
    household. TrainingFault for an unknown split, slot or grammar.
    """
    if split not in ("train", "test"):
        raise TrainingFault("USAGE_INVALID", "'train' or 'test'", repr(split), "name one of the two")
    return _stream(Maker(slots, grammar), Random(seed), split)


def _stream(maker: "Maker", rng: Random, split: str) -> Iterator[Sentence]:
    while True:
        sentence = maker.make(rng)
        if split_of(sentence.text) == split:
            yield sentence


class Maker:
    """Makes one sentence at a time from a grammar: its files, the words of its salad, for `home` the lexicon."""

    def __init__(self, slots: Mapping[str, Sequence[str]] | None = None, grammar: str = "home") -> None:
        written = grammar_of(grammar)
        self.grammar = Grammar(rules(grammar), slots)
        self._english = (
            English(Lexicon.load(DATA / "lexicon"), self.grammar) if "english" in written.mix else None
        )
        self._salad = common_words() if grammar == "home" else core_words()
        self._kinds = list(written.mix)
        self._sums = list(accumulate(written.mix.values()))
        self._longest_words = written.longest_words

    def make(self, rng: Random) -> Sentence:
        """A sentence of a kind drawn by the weights of the grammar's mix."""
        while True:
            kind = rng.choices(self._kinds, cum_weights=self._sums)[0]
            text = self.of_kind(kind, rng)
            if text and text.count(" ") < self._longest_words:
                return Sentence(text, kind)

    def of_kind(self, kind: str, rng: Random) -> str:
        """A sentence of this kind, which may be longer than the grammar's longest."""
        if kind == "salad":
            return " ".join(rng.choices(self._salad, k=rng.randint(*SALAD_WORDS)))
        if kind == "english" and self._english:
            return with_articles(" ".join(self._english.sentence(rng).split()))
        return with_articles(self.grammar.expand(kind, rng))


@cache
def vocabulary() -> list[str]:
    """Every word that can come in a sentence, sorted."""
    words = set(common_words()) | set(core_words()) | numbers.words() | grammar_words()
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
    return sorted({*_listed("common-words.txt"), *Lexicon.load(DATA / "lexicon").words()})


@cache
def core_words() -> list[str]:
    """The words of data/core-words.txt, which are all that the grammar `commands` says."""
    return sorted(_listed("core-words.txt"))


def _listed(name: str) -> set[str]:
    lines = (DATA / name).read_text().splitlines()
    return {word for line in lines if not line.startswith("#") for word in line.split()}


def grammar_of(name: str) -> Written:
    """The grammar of that name. TrainingFault for an unknown one."""
    if name not in GRAMMARS:
        raise TrainingFault("GRAMMAR_UNKNOWN", " or ".join(GRAMMARS), repr(name), "name one of these")
    return GRAMMARS[name]


@cache
def rules(grammar: str = "home") -> dict[str, str]:
    """The source of every rule in the files of the grammar, by name."""
    found: dict[str, str] = {}
    for file in sorted((DATA / grammar_of(grammar).folder).glob("*.grammar")):
        for name, source in parse(file.read_text()).items():
            if name in found:
                raise TrainingFault(
                    "GRAMMAR_INVALID", "each rule in one file", repr(name), f"rename it in {file.name}"
                )
            found[name] = source
    return found
