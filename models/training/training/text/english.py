"""A written grammar of general English: statements, questions and orders over the hand-sorted lexicon.

A clause is a subject, a verb group with tense, modality and negation, what the verb takes, and adverbials. The
sense of what is said is of no matter; agreement, tense and word order are.
"""

from collections.abc import Callable
from itertools import accumulate
from random import Random

from training.text.lexicon import Lexicon, Verb
from training.text.nouns import MASS, PLURAL, SINGULAR, Nouns, Phrase
from training.text.numbers import cardinal, year
from training.text.pronouns import OBJECT_PRONOUNS, PRONOUN_WORDS, P, S
from training.text.template import Grammar
from training.text.verbs import BE, BE_PAST, NEGATED, NO_FORM, SHORT, TENSES, Verbs

THING_PREPOSITIONS = "with without for about on under behind next_to instead_of like".split()
CONJUNCTIONS = (
    "because when if while before after until although unless since but and so or as_soon_as".split()
)


class English:
    """Makes sentences of `lexicon`; proper names come from the rules `first-name` and `city` of `grammar`."""

    def __init__(self, lexicon: Lexicon, grammar: Grammar) -> None:
        self.lexicon = lexicon
        self._verbs = Verbs(lexicon)
        self._nouns = Nouns(lexicon, grammar, self._verbs)
        self._clock = grammar.node("clock")
        self._countable = [c for c in lexicon.nouns if not c.startswith("mass")]
        shapes: list[tuple[Callable[[Random], str], float]] = [
            (self._statement, 50), (self._joined, 7), (self._yes_no, 12), (self._wh, 12), (self._order, 8),
            (self._there, 4), (self._comparison, 3), (self._bare, 4),
        ]  # fmt: skip
        self._shapes, self._shape_weights = [s for s, _ in shapes], list(accumulate([w for _, w in shapes]))

    def sentence(self, rng: Random) -> str:
        """A sentence; 'a' is not yet made 'an', and there may be double spaces."""
        return rng.choices(self._shapes, cum_weights=self._shape_weights)[0](rng)

    # Shapes

    def _statement(self, rng: Random) -> str:
        lead = rng.choice(self.lexicon.adverbs["sentence"]) + " " if rng.random() < 0.06 else ""
        return lead + self.clause(rng)

    def _joined(self, rng: Random) -> str:
        joint = rng.choice(CONJUNCTIONS).replace("_", " ")
        first, second = self.clause(rng, short=True), self.clause(rng, short=True)
        if (
            joint in ("because", "when", "if", "while", "before", "after", "although", "unless")
            and rng.random() < 0.3
        ):
            return f"{joint} {first} {second}"
        return f"{first} {joint} {second}"

    def _yes_no(self, rng: Random) -> str:
        subject = self._nouns.subject(rng)
        frame, verb = self._verbs.verb(rng)
        tense = self._verbs.tense(rng, without=("used-to",))
        helper, rest = self._verbs.group(rng, verb, subject.agreement, tense, question=True)
        if rng.random() < 0.12 and helper != "am":
            helper = NEGATED[helper]
        if " not" in helper:
            helper = helper.removesuffix(" not")
        return f"{helper} {subject.text} {rest} {self._taken(rng, frame, verb, subject)} {self._when(rng, tense)}"

    def _wh(self, rng: Random) -> str:
        draw = rng.random()
        if draw < 0.2:
            return self._who(rng)
        subject = self._nouns.subject(rng)
        tense = self._verbs.tense(rng, without=("used-to",))
        if draw < 0.5:
            verb = rng.choice(self.lexicon.verbs["object"])
            asked = rng.choice(("what", "what", "who", "which " + self._nouns.head(rng, rng.choice(verb.takes)).text,
                                "how many " + self._nouns.many(rng, verb.takes)))  # fmt: skip
            taken = ""
        else:
            frame, verb = self._verbs.verb(rng)
            asked = rng.choice(
                ("when", "where", "why", "how", "why", "how often", "what time", "how long", "since when")
            )
            taken = self._taken(rng, frame, verb, subject)
        helper, rest = self._verbs.group(rng, verb, subject.agreement, tense, question=True)
        return f"{asked} {helper} {subject.text} {rest} {taken}"

    def _who(self, rng: Random) -> str:
        frame, verb = self._verbs.verb(rng)
        tense = self._verbs.tense(rng)
        helper, rest = self._verbs.group(rng, verb, S, tense)
        who = rng.choice(("who", "who", "which " + rng.choice(self.lexicon.nouns["person"]).singular))
        if helper == "is" and who == "who" and rng.random() < 0.5:
            who, helper = "who's", ""
        return (
            f"{who} {helper} {rest} {self._taken(rng, frame, verb, Phrase('he', S))} {self._when(rng, tense)}"
        )

    def _order(self, rng: Random) -> str:
        frame, verb = self._verbs.verb(rng, without=("that", "linking", "gerund"))
        lead = rng.choice(
            ("", "", "", "please", "don't", "let's", "never", "always", "just", "you should", "try to")
        )
        return f"{lead} {verb.base} {self._taken(rng, frame, verb, Phrase('you', P))} {self._adverbial(rng)}"

    def _there(self, rng: Random) -> str:
        cls = rng.choice(self._countable)
        if rng.random() < 0.5:
            head, number = rng.choice(("a", "a", "no", "one", "another")), False
        else:
            head, number = (
                rng.choice(("some", "many", "a few", "no", cardinal(rng.randint(2, 30)), "several")),
                True,
            )
        noun = self._nouns.head(rng, cls, plural=number).text
        past = rng.random() < 0.3
        be = (BE_PAST if past else BE)[P if number else S]
        lead = rng.choice((f"there {be}", f"there {be}", f"{be} there"))
        if lead == "there is" and rng.random() < 0.5:
            lead = "there's"
        return f"{lead} {head} {noun} {self._nouns.place(rng)}"

    def _comparison(self, rng: Random) -> str:
        cls = rng.choice(self._countable)
        one, other = self._nouns.phrase(rng, cls), self._nouns.phrase(rng, cls)
        quality = self._nouns.adjective(rng, cls)
        how = rng.choice(
            (f"as {quality} as", f"not as {quality} as", f"more {quality} than", f"less {quality} than")
        )
        if "more" in how and len(quality) < 6:
            how = f"as {quality} as"
        return f"{one.text} {BE[one.agreement]} {how} {other.text}"

    def _bare(self, rng: Random) -> str:
        draw = rng.random()
        if draw < 0.4:
            return self._nouns.phrase(rng, rng.choice(list(self.lexicon.nouns))).text
        if draw < 0.6:
            return self._nouns.place(rng)
        if draw < 0.7:
            return f"in {year(rng.randint(1400, 2040))} {self.clause(rng, short=True)}"
        if draw < 0.85:
            quality = rng.choice(rng.choice(list(self.lexicon.adjectives.values())))
            return f"{rng.choice(('how', 'so', 'very', 'too', 'not', 'not very'))} {quality}"
        return f"what a {self._nouns.head(rng, rng.choice(self._countable), plural=False).text}"

    # Clauses

    def clause(self, rng: Random, short: bool = False) -> str:
        """Subject, verb and what belongs to them, in the order of a statement."""
        subject = self._nouns.subject(rng)
        frame, verb = self._verbs.verb(rng, without=("that", "persuade", "give") if short else ())
        tense = self._verbs.tense(rng)
        negative = rng.random() < 0.16
        helper, rest = self._verbs.group(rng, verb, subject.agreement, tense, negative=negative)
        often = ""
        if tense in ("present", "past") and not helper and rng.random() < 0.08:
            often = rng.choice(self.lexicon.adverbs["frequency"])
        group = self._verbs.joined_up(rng, subject.text, helper, negative)
        tail = "" if short else self._when(rng, tense)
        if verb is NO_FORM and not short and rng.random() < 0.4:
            tail = ""
        return f"{group} {often} {rest} {self._taken(rng, frame, verb, subject)} {tail}"

    def _taken(self, rng: Random, frame: str, verb: Verb, subject: Phrase) -> str:
        """What follows the verb by its frame."""
        match frame:
            case "object":
                taken = self._nouns.object(rng, verb.takes)
                return f"{taken} {self._adverbial(rng)}" if rng.random() < 0.3 else taken
            case "intransitive":
                return self._adverbial(rng) if rng.random() < 0.6 else ""
            case "motion":
                return self._nouns.motion(rng)
            case "that":
                return f"{'that' if rng.random() < 0.4 else ''} {self.clause(rng, short=True)}"
            case "infinitive":
                return f"to {self._bare_verb(rng)}"
            case "gerund":
                inner, doing = self._verbs.verb(
                    rng, without=("that", "infinitive", "gerund", "be", "linking", "persuade")
                )
                return f"{doing.progressive} {self._taken(rng, inner, doing, subject)}"
            case "give":
                person, thing = (
                    self._nouns.object(rng, ("person",)),
                    self._nouns.object(rng, ("thing", "text", "food"), nouns=True),
                )
                return f"{person} {thing}" if rng.random() < 0.6 else f"{thing} to {person}"
            case "persuade":
                person = self._nouns.object(rng, ("person",))
                return f"{person} {'not ' * (rng.random() < 0.1)}to {self._bare_verb(rng)}"
            case "linking":
                return self._nouns.quality(rng, "person")
            case _:
                return self._complement(rng, subject)

    def _bare_verb(self, rng: Random) -> str:
        frame, verb = self._verbs.verb(rng, without=("that", "infinitive", "persuade", "gerund"))
        return f"{verb.base} {self._taken(rng, frame, verb, Phrase('they', P))}"

    def _complement(self, rng: Random, subject: Phrase) -> str:
        """What follows 'to be'."""
        draw = rng.random()
        if draw < 0.55:
            return self._nouns.quality(rng, "person" if subject.text in PRONOUN_WORDS else "thing")
        if draw < 0.75:
            return self._nouns.place(rng)
        if draw < 0.8:
            return f"{cardinal(rng.randint(2, 99))} years old"
        cls = "person" if subject.text != "it" else "thing"
        if subject.agreement == P:
            return self._nouns.head(rng, cls, plural=True).text
        return (
            f"{rng.choice(('a', 'a', 'the', 'my', 'your'))} {self._nouns.head(rng, cls, plural=False).text}"
        )

    # Adverbials

    def _when(self, rng: Random, tense: str) -> str:
        use = TENSES[tense][1]
        if use is None or rng.random() > 0.22:
            return ""
        if rng.random() < 0.1:
            return "at " + self._clock(rng)
        return rng.choice(self.lexicon.adverbs[use])

    def _adverbial(self, rng: Random) -> str:
        draw = rng.random()
        if draw < 0.35:
            return rng.choice(self.lexicon.adverbs["manner"])
        if draw < 0.65:
            return self._nouns.place(rng)
        if draw < 0.8:
            preposition = rng.choice(THING_PREPOSITIONS).replace("_", " ")
            cls = rng.choice(("thing", "tool", "abstract", "clothes", "text"))
            return f"{preposition} {self._nouns.phrase(rng, cls).text}"
        if draw < 0.92:
            who = (
                rng.choice(OBJECT_PRONOUNS) if rng.random() < 0.4 else self._nouns.phrase(rng, "person").text
            )
            return f"{rng.choice(('with', 'for', 'without', 'like'))} {who}"
        return ""


def grammar_words() -> set[str]:
    """The contractions and function words this module puts in sentences of its own."""
    words = {pronoun + short for pronoun in PRONOUN_WORDS for short in SHORT.values()}
    words.update(*(text.split() for text in (*NEGATED, *NEGATED.values(), *SINGULAR, *PLURAL, *MASS)))
    return words | {"abroad"}
