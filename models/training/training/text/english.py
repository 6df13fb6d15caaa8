"""A written grammar of general English: statements, questions and orders over the hand-sorted lexicon.

A clause is a subject, a verb group with tense, modality and negation, what the verb takes, and adverbials. The
sense of what is said is of no matter; agreement, tense and word order are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from training.text.lexicon import Lexicon, Verb
from training.text.numbers import cardinal, year
from training.text.template import Grammar

# Agreement: first person singular, third person singular, and all the rest.
I, S, P = "first", "third", "plural"  # noqa: E741
BE = {I: "am", S: "is", P: "are"}
BE_PAST = {I: "was", S: "was", P: "were"}
PRONOUNS = (
    ("i", I, 5),
    ("you", P, 4),
    ("he", S, 3),
    ("she", S, 3),
    ("we", P, 3),
    ("they", P, 3),
    ("it", S, 1),
)
OBJECT_PRONOUNS = "me you him her us them it".split()
PRONOUN_WORDS = frozenset(word for word, _, _ in PRONOUNS)
SHORT = {
    "am": "'m",
    "is": "'s",
    "are": "'re",
    "have": "'ve",
    "has": "'s",
    "had": "'d",
    "will": "'ll",
    "would": "'d",
}
NEGATED = {
    "is": "isn't", "are": "aren't", "was": "wasn't", "were": "weren't", "have": "haven't", "has": "hasn't",
    "had": "hadn't", "do": "don't", "does": "doesn't", "did": "didn't", "will": "won't", "would": "wouldn't",
    "can": "can't", "could": "couldn't", "should": "shouldn't", "must": "mustn't", "might": "might not",
    "may": "may not", "am": "am not",
}  # fmt: skip
# Tense to (chance, which adverbials of time go with it).
TENSES = {
    "present": (26, "present"), "past": (28, "past"), "present-progressive": (9, "now"),
    "past-progressive": (4, "past"), "perfect": (8, None), "past-perfect": (2, None), "will": (8, "future"),
    "going-to": (5, "future"), "modal": (10, "future"), "used-to": (2, None), "have-to": (4, "future"),
}  # fmt: skip
MODALS = ("can", "can", "could", "should", "must", "might", "may", "would")
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
THING_PREPOSITIONS = "with without for about on under behind next_to instead_of like".split()
SURFACES = ("thing", "container")
PEOPLE = ("person", "animal")
QUALITY = {
    "person": "person",
    "animal": "person",
    "place": "place",
    "abstract": "abstract",
    "mass-abstract": "abstract",
}
CONJUNCTIONS = (
    "because when if while before after until although unless since but and so or as_soon_as".split()
)
FRAMES = {
    "object": 46, "intransitive": 14, "motion": 9, "that": 7, "infinitive": 7, "gerund": 3, "give": 5, "persuade": 3,
    "linking": 6, "be": 14,
}  # fmt: skip
NO_FORM = Verb("be", "is", "was", "been", "being")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase and how its verb agrees."""

    text: str
    agreement: str


class English:
    """Makes sentences of `lexicon`; proper names come from the rules `first-name` and `city` of `grammar`."""

    def __init__(self, lexicon: Lexicon, grammar: Grammar) -> None:
        self.lexicon = lexicon
        self._name = grammar.node("first-name")
        self._city = grammar.node("city")
        self._clock = grammar.node("clock")
        self._countable = [c for c in lexicon.nouns if not c.startswith("mass")]
        self._frames, self._frame_weights = list(FRAMES), list(accumulate(FRAMES.values()))
        self._tenses, self._tense_weights = (
            list(TENSES),
            list(accumulate([chance for chance, _ in TENSES.values()])),
        )
        self._pronoun_weights = list(accumulate([weight for _, _, weight in PRONOUNS]))
        self._adjectives = {c: lexicon.adjectives[QUALITY.get(c, "thing")] for c in lexicon.nouns}
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
        subject = self._subject(rng)
        frame, verb = self._verb(rng)
        tense = self._tense(rng, without=("used-to",))
        helper, rest = self._group(rng, verb, subject.agreement, tense, question=True)
        if rng.random() < 0.12 and helper != "am":
            helper = NEGATED[helper]
        if " not" in helper:
            helper = helper.removesuffix(" not")
        return f"{helper} {subject.text} {rest} {self._taken(rng, frame, verb, subject)} {self._when(rng, tense)}"

    def _wh(self, rng: Random) -> str:
        draw = rng.random()
        if draw < 0.2:
            return self._who(rng)
        subject = self._subject(rng)
        tense = self._tense(rng, without=("used-to",))
        if draw < 0.5:
            verb = rng.choice(self.lexicon.verbs["object"])
            asked = rng.choice(("what", "what", "who", "which " + self._head(rng, rng.choice(verb.takes)).text,
                                "how many " + self._many(rng, verb.takes)))  # fmt: skip
            taken = ""
        else:
            frame, verb = self._verb(rng)
            asked = rng.choice(
                ("when", "where", "why", "how", "why", "how often", "what time", "how long", "since when")
            )
            taken = self._taken(rng, frame, verb, subject)
        helper, rest = self._group(rng, verb, subject.agreement, tense, question=True)
        return f"{asked} {helper} {subject.text} {rest} {taken}"

    def _who(self, rng: Random) -> str:
        frame, verb = self._verb(rng)
        tense = self._tense(rng)
        helper, rest = self._group(rng, verb, S, tense)
        who = rng.choice(("who", "who", "which " + rng.choice(self.lexicon.nouns["person"]).singular))
        if helper == "is" and who == "who" and rng.random() < 0.5:
            who, helper = "who's", ""
        return (
            f"{who} {helper} {rest} {self._taken(rng, frame, verb, Phrase('he', S))} {self._when(rng, tense)}"
        )

    def _order(self, rng: Random) -> str:
        frame, verb = self._verb(rng, without=("that", "linking", "gerund"))
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
        noun = self._head(rng, cls, plural=number).text
        past = rng.random() < 0.3
        be = (BE_PAST if past else BE)[P if number else S]
        lead = rng.choice((f"there {be}", f"there {be}", f"{be} there"))
        if lead == "there is" and rng.random() < 0.5:
            lead = "there's"
        return f"{lead} {head} {noun} {self._place(rng)}"

    def _comparison(self, rng: Random) -> str:
        cls = rng.choice(self._countable)
        one, other = self._phrase(rng, cls), self._phrase(rng, cls)
        quality = rng.choice(self._adjectives[cls])
        how = rng.choice(
            (f"as {quality} as", f"not as {quality} as", f"more {quality} than", f"less {quality} than")
        )
        if "more" in how and len(quality) < 6:
            how = f"as {quality} as"
        return f"{one.text} {BE[one.agreement]} {how} {other.text}"

    def _bare(self, rng: Random) -> str:
        draw = rng.random()
        if draw < 0.4:
            return self._phrase(rng, rng.choice(list(self.lexicon.nouns))).text
        if draw < 0.6:
            return self._place(rng)
        if draw < 0.7:
            return f"in {year(rng.randint(1400, 2040))} {self.clause(rng, short=True)}"
        if draw < 0.85:
            quality = rng.choice(rng.choice(list(self.lexicon.adjectives.values())))
            return f"{rng.choice(('how', 'so', 'very', 'too', 'not', 'not very'))} {quality}"
        return f"what a {self._head(rng, rng.choice(self._countable), plural=False).text}"

    # Clauses

    def clause(self, rng: Random, short: bool = False) -> str:
        """Subject, verb and what belongs to them, in the order of a statement."""
        subject = self._subject(rng)
        frame, verb = self._verb(rng, without=("that", "persuade", "give") if short else ())
        tense = self._tense(rng)
        negative = rng.random() < 0.16
        helper, rest = self._group(rng, verb, subject.agreement, tense, negative=negative)
        often = ""
        if tense in ("present", "past") and not helper and rng.random() < 0.08:
            often = rng.choice(self.lexicon.adverbs["frequency"])
        group = self._joined_up(rng, subject.text, helper, negative)
        tail = "" if short else self._when(rng, tense)
        if verb is NO_FORM and not short and rng.random() < 0.4:
            tail = ""
        return f"{group} {often} {rest} {self._taken(rng, frame, verb, subject)} {tail}"

    def _joined_up(self, rng: Random, subject: str, helper: str, negative: bool) -> str:
        if not helper:
            return subject
        if negative:
            if subject == "i" and helper == "am":
                return "i'm not"
            return f"{subject} {helper + ' not' if rng.random() < 0.15 else NEGATED[helper]}".replace(
                "not not", "not"
            )
        if subject in PRONOUN_WORDS and helper in SHORT and rng.random() < 0.65:
            return subject + SHORT[helper]
        return f"{subject} {helper}"

    def _group(
        self,
        rng: Random,
        verb: Verb,
        agreement: str,
        tense: str,
        negative: bool = False,
        question: bool = False,
    ) -> tuple[str, str]:
        """The helping verb, or '' where there is none, and the rest of the verb group."""
        third, be = agreement == S, verb is NO_FORM
        match tense:
            case "present" | "past":
                past = tense == "past"
                if be:
                    return (BE_PAST if past else BE)[agreement], ""
                if negative or question:
                    return "did" if past else "does" if third else "do", verb.base
                return "", verb.past if past else verb.third if third else verb.base
            case "present-progressive":
                return BE[agreement], verb.progressive
            case "past-progressive":
                return BE_PAST[agreement], verb.progressive
            case "perfect":
                return "has" if third else "have", rng.choice(("", "", "just ", "already ", "never ")) * (
                    not negative and not question
                ) + verb.participle
            case "past-perfect":
                return "had", verb.participle
            case "will":
                return "will", verb.base
            case "going-to":
                return BE[agreement], "going to " + verb.base
            case "modal":
                return rng.choice(MODALS), verb.base
            case "used-to":
                return ("did", "use to " + verb.base) if negative else ("", "used to " + verb.base)
            case _:
                if negative or question:
                    return "does" if third else "do", "have to " + verb.base
                return "", ("has to " if third else "have to ") + verb.base

    def _verb(self, rng: Random, without: Sequence[str] = ()) -> tuple[str, Verb]:
        while True:
            frame = rng.choices(self._frames, cum_weights=self._frame_weights)[0]
            if frame not in without:
                return frame, NO_FORM if frame == "be" else rng.choice(self.lexicon.verbs[frame])

    def _tense(self, rng: Random, without: Sequence[str] = ()) -> str:
        while True:
            tense = rng.choices(self._tenses, cum_weights=self._tense_weights)[0]
            if tense not in without:
                return tense

    def _taken(self, rng: Random, frame: str, verb: Verb, subject: Phrase) -> str:
        """What follows the verb by its frame."""
        match frame:
            case "object":
                taken = self._object(rng, verb.takes)
                return f"{taken} {self._adverbial(rng)}" if rng.random() < 0.3 else taken
            case "intransitive":
                return self._adverbial(rng) if rng.random() < 0.6 else ""
            case "motion":
                return self._motion(rng)
            case "that":
                return f"{'that' if rng.random() < 0.4 else ''} {self.clause(rng, short=True)}"
            case "infinitive":
                return f"to {self._bare_verb(rng)}"
            case "gerund":
                inner, doing = self._verb(
                    rng, without=("that", "infinitive", "gerund", "be", "linking", "persuade")
                )
                return f"{doing.progressive} {self._taken(rng, inner, doing, subject)}"
            case "give":
                person, thing = (
                    self._object(rng, ("person",)),
                    self._object(rng, ("thing", "text", "food"), nouns=True),
                )
                return f"{person} {thing}" if rng.random() < 0.6 else f"{thing} to {person}"
            case "persuade":
                return f"{self._object(rng, ('person',))} {'not ' * (rng.random() < 0.1)}to {self._bare_verb(rng)}"
            case "linking":
                return self._quality(rng, "person")
            case _:
                return self._complement(rng, subject)

    def _bare_verb(self, rng: Random) -> str:
        frame, verb = self._verb(rng, without=("that", "infinitive", "persuade", "gerund"))
        return f"{verb.base} {self._taken(rng, frame, verb, Phrase('they', P))}"

    def _complement(self, rng: Random, subject: Phrase) -> str:
        """What follows 'to be'."""
        draw = rng.random()
        if draw < 0.55:
            return self._quality(rng, "person" if subject.text in PRONOUN_WORDS else "thing")
        if draw < 0.75:
            return self._place(rng)
        if draw < 0.8:
            return f"{cardinal(rng.randint(2, 99))} years old"
        cls = "person" if subject.text != "it" else "thing"
        if subject.agreement == P:
            return self._head(rng, cls, plural=True).text
        return f"{rng.choice(('a', 'a', 'the', 'my', 'your'))} {self._head(rng, cls, plural=False).text}"

    def _quality(self, rng: Random, cls: str) -> str:
        degree = rng.choice(self.lexicon.adverbs["degree"]) + " " if rng.random() < 0.3 else ""
        return degree + rng.choice(self._adjectives[cls])

    # Noun phrases

    def _subject(self, rng: Random) -> Phrase:
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
        return self._phrase(rng, "person" if cls == "animal" and rng.random() < 0.5 else cls, full=True)

    def _object(self, rng: Random, classes: Sequence[str], nouns: bool = False) -> str:
        if not nouns and rng.random() < 0.14:
            return rng.choice(
                OBJECT_PRONOUNS if "person" in classes else ("it", "them", "that", "this", "something")
            )
        if "person" in classes and rng.random() < 0.2:
            return self._name(rng)
        return self._phrase(rng, rng.choice(classes), full=True).text

    def _phrase(self, rng: Random, cls: str, full: bool = False) -> Phrase:
        """A determiner and a noun with its adjectives; with `full` perhaps a phrase or clause after it."""
        if cls.startswith("mass"):
            head = Phrase(f"{rng.choice(MASS)} {self._head(rng, cls).text}", S)
        elif rng.random() < 0.68:
            head = Phrase(f"{rng.choice(SINGULAR)} {self._head(rng, cls, plural=False).text}", S)
        else:
            determiner = rng.choice(PLURAL) if rng.random() < 0.85 else cardinal(rng.randint(2, 99))
            head = Phrase(f"{determiner} {self._head(rng, cls, plural=True).text}", P)
        draw = rng.random()
        if not full or draw > 0.15:
            return head
        if draw < 0.06:
            return Phrase(f"{head.text} {self._place(rng)}", head.agreement)
        if draw < 0.09:
            noun = self._phrase(rng, rng.choice(("thing", "clothes", "container"))).text
            return Phrase(f"{head.text} with {noun}", head.agreement)
        return Phrase(f"{head.text} {self._relative(rng, cls, head.agreement)}", head.agreement)

    def _relative(self, rng: Random, cls: str, agreement: str) -> str:
        pronoun = (
            rng.choice(("who", "who", "that")) if cls in PEOPLE else rng.choice(("that", "that", "which"))
        )
        if rng.random() < 0.45:
            frame, verb = self._verb(rng, without=("that", "persuade", "infinitive", "gerund"))
            tense = self._tense(rng)
            helper, rest = self._group(rng, verb, agreement, tense)
            simple = "" if frame != "object" else self._phrase(rng, verb.takes[0]).text
            return f"{pronoun} {helper} {rest} {simple or self._quality(rng, 'thing') * (frame in ('be', 'linking'))}"
        owners = [
            verb
            for verb in (rng.choice(self.lexicon.verbs["object"]) for _ in range(12))
            if cls in verb.takes
        ]
        if not owners:
            return self._place(rng)
        subject, tense = Phrase(*rng.choice(PRONOUNS)[:2]), rng.choice(("past", "past", "present", "perfect"))
        helper, rest = self._group(rng, owners[0], subject.agreement, tense)
        return f"{pronoun if rng.random() < 0.4 else ''} {subject.text} {helper} {rest}"

    def _head(self, rng: Random, cls: str, plural: bool = False) -> Phrase:
        noun = rng.choice(self.lexicon.nouns[cls])
        word = (noun.plural if plural else noun.singular) or noun.singular
        adjective = rng.choice(self._adjectives[cls]) + " " if rng.random() < 0.27 else ""
        return Phrase(adjective + word, P if plural and noun.plural else S)

    def _many(self, rng: Random, classes: Sequence[str]) -> str:
        countable = [c for c in classes if not c.startswith("mass")] or ["thing"]
        return self._head(rng, rng.choice(countable), plural=True).text

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
            return self._place(rng)
        if draw < 0.8:
            preposition = rng.choice(THING_PREPOSITIONS).replace("_", " ")
            cls = rng.choice(("thing", "tool", "abstract", "clothes", "text"))
            return f"{preposition} {self._phrase(rng, cls).text}"
        if draw < 0.92:
            who = rng.choice(OBJECT_PRONOUNS) if rng.random() < 0.4 else self._phrase(rng, "person").text
            return f"{rng.choice(('with', 'for', 'without', 'like'))} {who}"
        return ""

    def _place(self, rng: Random) -> str:
        if rng.random() < 0.1:
            return f"in {self._city(rng)}"
        if rng.random() < 0.2:
            return f"{rng.choice(('on', 'under', 'in', 'behind'))} the {self._head(rng, rng.choice(SURFACES)).text}"
        preposition = rng.choice(PLACE_PREPOSITIONS).replace("_", " ")
        determiner = rng.choice(("the", "the", "the", "a", "my", "our", "this", "your"))
        return f"{preposition} {determiner} {self._head(rng, 'place').text}"

    def _motion(self, rng: Random) -> str:
        if rng.random() < 0.15:
            return rng.choice(
                ("home", "away", "back", "outside", "to work", "to school", "to bed", "abroad", "there")
            )
        preposition = rng.choice(MOTION_PREPOSITIONS).replace("_", " ")
        if rng.random() < 0.12:
            return f"{preposition} {self._city(rng)}"
        return f"{preposition} {rng.choice(('the', 'the', 'a', 'my', 'our'))} {self._head(rng, 'place').text}"


def grammar_words() -> set[str]:
    """The contractions and function words this module puts in sentences of its own."""
    words = {pronoun + short for pronoun in PRONOUN_WORDS for short in SHORT.values()}
    words.update(*(text.split() for text in (*NEGATED, *NEGATED.values(), *SINGULAR, *PLURAL, *MASS)))
    return words | {"abroad"}
