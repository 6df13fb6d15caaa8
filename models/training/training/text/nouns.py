"""Noun phrases: subjects, objects and places, with adjectives before and relative clauses after the noun."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from training.text.lexicon import Lexicon
from training.text.numbers import cardinal
from training.text.pronouns import OBJECT_PRONOUNS, PRONOUNS, P, S
from training.text.template import Grammar
from training.text.verbs import Verbs

SINGULAR = ("the", "the", "the", "a", "a", "a", "my", "your", "his", "her", "our", "their", "this", "that",
            "another", "every", "each", "one", "no", "the other", "the same")  # fmt: skip
PLURAL = ("the", "the", "my", "your", "his", "her", "our", "their", "these", "those", "some", "many", "a few",
          "all the", "no", "several", "both", "most", "other", "a lot of", "", "")  # fmt: skip
MASS = (
    "the",
    "the",
    "my",
    "your",
    "some",
    "some",
    "a lot of",
    "more",
    "no",
    "enough",
    "",
    "",
    "too much",
    "a little",
)
PLACE_PREPOSITIONS = (
    "in at near behind next_to in_front_of outside by inside around across_from far_from".split()
)
MOTION_PREPOSITIONS = (
    "to to to into toward through across around past from out_of back_to up_to along".split()
)
SURFACES = ("thing", "container")
PEOPLE = ("person", "animal")
QUALITY = {
    "person": "person",
    "animal": "person",
    "place": "place",
    "abstract": "abstract",
    "mass-abstract": "abstract",
}


@dataclass(frozen=True)
class Phrase:
    """A noun phrase and how its verb agrees."""

    text: str
    agreement: str


class Nouns:
    """Makes noun phrases of `lexicon`; proper names come from the rules `first-name` and `city` of `grammar`."""

    def __init__(self, lexicon: Lexicon, grammar: Grammar, verbs: Verbs) -> None:
        self._lexicon = lexicon
        self._verbs = verbs
        self._name = grammar.node("first-name")
        self._city = grammar.node("city")
        self._pronoun_weights = list(accumulate([weight for _, _, weight in PRONOUNS]))
        self._adjectives = {c: lexicon.adjectives[QUALITY.get(c, "thing")] for c in lexicon.nouns}

    def adjective(self, rng: Random, cls: str) -> str:
        return rng.choice(self._adjectives[cls])

    def quality(self, rng: Random, cls: str) -> str:
        """An adjective, perhaps with its degree."""
        degree = rng.choice(self._lexicon.adverbs["degree"]) + " " if rng.random() < 0.3 else ""
        return degree + self.adjective(rng, cls)

    def subject(self, rng: Random) -> Phrase:
        """Who or what does something: in half of all clauses a pronoun."""
        draw = rng.random()
        if draw < 0.5:
            word, agreement, _ = rng.choices(PRONOUNS, cum_weights=self._pronoun_weights)[0]
            return Phrase(word, agreement)
        if draw < 0.6:
            return Phrase(self._name(rng), S)
        if draw < 0.64:
            word = rng.choice(("everyone", "someone", "nobody", "somebody", "everybody", "no one", "anyone"))
            return Phrase(word, S)
        cls = (
            rng.choice(PEOPLE)
            if rng.random() < 0.8
            else rng.choice(("thing", "vehicle", "abstract", "tool", "place"))
        )
        return self.phrase(rng, "person" if cls == "animal" and rng.random() < 0.5 else cls, full=True)

    def object(self, rng: Random, classes: Sequence[str], nouns: bool = False) -> str:
        """What a verb takes that takes one of `classes`; with `nouns` no pronoun."""
        if not nouns and rng.random() < 0.14:
            return rng.choice(
                OBJECT_PRONOUNS if "person" in classes else ("it", "them", "that", "this", "something")
            )
        if "person" in classes and rng.random() < 0.2:
            return self._name(rng)
        return self.phrase(rng, rng.choice(classes), full=True).text

    def phrase(self, rng: Random, cls: str, full: bool = False) -> Phrase:
        """A determiner and a noun with its adjectives; with `full` perhaps a phrase or clause after it."""
        if cls.startswith("mass"):
            head = Phrase(f"{rng.choice(MASS)} {self.head(rng, cls).text}", S)
        elif rng.random() < 0.68:
            head = Phrase(f"{rng.choice(SINGULAR)} {self.head(rng, cls, plural=False).text}", S)
        else:
            determiner = rng.choice(PLURAL) if rng.random() < 0.85 else cardinal(rng.randint(2, 99))
            head = Phrase(f"{determiner} {self.head(rng, cls, plural=True).text}", P)
        draw = rng.random()
        if not full or draw > 0.15:
            return head
        if draw < 0.06:
            return Phrase(f"{head.text} {self.place(rng)}", head.agreement)
        if draw < 0.09:
            noun = self.phrase(rng, rng.choice(("thing", "clothes", "container"))).text
            return Phrase(f"{head.text} with {noun}", head.agreement)
        return Phrase(f"{head.text} {self._relative(rng, cls, head.agreement)}", head.agreement)

    def _relative(self, rng: Random, cls: str, agreement: str) -> str:
        pronoun = (
            rng.choice(("who", "who", "that")) if cls in PEOPLE else rng.choice(("that", "that", "which"))
        )
        if rng.random() < 0.45:
            frame, verb = self._verbs.verb(rng, without=("that", "persuade", "infinitive", "gerund"))
            tense = self._verbs.tense(rng)
            helper, rest = self._verbs.group(rng, verb, agreement, tense)
            simple = "" if frame != "object" else self.phrase(rng, verb.takes[0]).text
            return f"{pronoun} {helper} {rest} {simple or self.quality(rng, 'thing') * (frame in ('be', 'linking'))}"
        owners = [
            verb
            for verb in (rng.choice(self._lexicon.verbs["object"]) for _ in range(12))
            if cls in verb.takes
        ]
        if not owners:
            return self.place(rng)
        subject, tense = Phrase(*rng.choice(PRONOUNS)[:2]), rng.choice(("past", "past", "present", "perfect"))
        helper, rest = self._verbs.group(rng, owners[0], subject.agreement, tense)
        return f"{pronoun if rng.random() < 0.4 else ''} {subject.text} {helper} {rest}"

    def head(self, rng: Random, cls: str, plural: bool = False) -> Phrase:
        """A noun and perhaps an adjective, without determiner."""
        noun = rng.choice(self._lexicon.nouns[cls])
        word = (noun.plural if plural else noun.singular) or noun.singular
        adjective = self.adjective(rng, cls) + " " if rng.random() < 0.27 else ""
        return Phrase(adjective + word, P if plural and noun.plural else S)

    def many(self, rng: Random, classes: Sequence[str]) -> str:
        """The plural that 'how many' asks for."""
        countable = [c for c in classes if not c.startswith("mass")] or ["thing"]
        return self.head(rng, rng.choice(countable), plural=True).text

    def place(self, rng: Random) -> str:
        """Where something is."""
        if rng.random() < 0.1:
            return f"in {self._city(rng)}"
        if rng.random() < 0.2:
            return f"{rng.choice(('on', 'under', 'in', 'behind'))} the {self.head(rng, rng.choice(SURFACES)).text}"
        preposition = rng.choice(PLACE_PREPOSITIONS).replace("_", " ")
        determiner = rng.choice(("the", "the", "the", "a", "my", "our", "this", "your"))
        return f"{preposition} {determiner} {self.head(rng, 'place').text}"

    def motion(self, rng: Random) -> str:
        """Where somebody goes."""
        if rng.random() < 0.15:
            return rng.choice(
                ("home", "away", "back", "outside", "to work", "to school", "to bed", "abroad", "there")
            )
        preposition = rng.choice(MOTION_PREPOSITIONS).replace("_", " ")
        if rng.random() < 0.12:
            return f"{preposition} {self._city(rng)}"
        return f"{preposition} {rng.choice(('the', 'the', 'a', 'my', 'our'))} {self.head(rng, 'place').text}"
