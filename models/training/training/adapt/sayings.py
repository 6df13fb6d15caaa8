"""Sentences that hold a household's words, each word as often as every other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from training.adapt.household import SLOTS, Household, Term
from training.text import LONGEST_WORDS, common_words, rules, sentences, split_of
from training.text.morphology import with_articles
from training.text.template import Grammar, parse

OWN_RULES = Path(__file__).with_name("household.grammar")
#: the rows of the usual mixture in which a slot comes
KINDS = {
    "person": ("calls",),
    "room": ("light", "climate", "blind", "device"),
    "device": ("device",),
    "phrase": ("household-phrase",),
}
#: Shares of sentences of the usual kinds, and of the household's own. What is left is the word among random
#: ones, so that it is learnt as a sound and not only as what comes after "call".
USUAL, OWN = 0.5, 0.3
SALAD_WORDS = (1, 4)
#: A split of one in forty may have no sentence of some shape: then the word has its turn later.
MOST_DRAWS = 4000


@dataclass(frozen=True)
class Saying:
    """A sentence as it is written, and as an engine shall be given it."""

    text: str
    spoken: str
    kind: str


def household_sayings(household: Household, seed: int, split: str) -> Iterator[Saying]:
    """Endless sentences of `split`, one for each term in turn; the same for the same household and seed.

    Those of 'test' are all different while there are any more; those of 'train' come in many voices.
    """
    rng = Random(f"household {seed} {split}")
    everything = {SLOTS[slot]: household.of(slot) for slot in SLOTS if household.of(slot)}
    own = parse(OWN_RULES.read_text())
    grammars = {
        term: Grammar(rules() | own, everything | {SLOTS[term.slot]: [term.text]}) for term in household.terms
    }
    common = common_words()
    said: set[str] = set()
    while True:
        terms = list(household.terms)
        rng.shuffle(terms)
        for term in terms:
            text = _with(term, grammars[term], common, rng, split, said)
            if text is not None:
                if split == "test":
                    said.add(text)
                yield Saying(text, spoken(text, household), f"household-{term.slot}")


def general_sayings(seed: int, split: str) -> Iterator[Saying]:
    """Endless sentences of the usual mixture."""
    for sentence in sentences(seed, split):
        yield Saying(sentence.text, sentence.text, sentence.kind)


def holds(text: str, term: str) -> bool:
    """Whether `term` is in `text` word for word, perhaps in the genitive."""
    return re.search(rf"(?<![a-z']){re.escape(term)}(?:'s)?(?![a-z'])", text) is not None


def spoken(text: str, household: Household) -> str:
    """`text` with the household's words as an engine must have them to say them right."""
    for term in sorted(household.terms, key=lambda term: -len(term.text)):
        if term.spoken != term.text:
            text = re.sub(rf"(?<![a-z']){re.escape(term.text)}(?='s|(?![a-z']))", term.spoken, text)
    return text


def _with(
    term: Term, grammar: Grammar, common: list[str], rng: Random, split: str, said: set[str]
) -> str | None:
    for _ in range(MOST_DRAWS):
        text = _draw(term, grammar, common, rng)
        if split_of(text) == split and text not in said and holds(text, term.text):
            if text.count(" ") < LONGEST_WORDS:
                return text
    return None


def _draw(term: Term, grammar: Grammar, common: list[str], rng: Random) -> str:
    share = rng.random()
    if share < USUAL:
        return with_articles(grammar.expand(rng.choice(KINDS[term.slot]), rng))
    if share < USUAL + OWN:
        return with_articles(grammar.expand(f"household-{term.slot}", rng))
    words = rng.choices(common, k=rng.randint(*SALAD_WORDS))
    words.insert(rng.randint(0, len(words)), term.text)
    return " ".join(words)
