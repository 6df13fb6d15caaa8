"""Verbs and what helps them: tense, modality, negation, contraction."""

from collections.abc import Sequence
from itertools import accumulate
from random import Random

from training.text.lexicon import Lexicon, Verb
from training.text.pronouns import PRONOUN_WORDS, I, P, S

BE = {I: "am", S: "is", P: "are"}
BE_PAST = {I: "was", S: "was", P: "were"}
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
#: Tense to (chance, which adverbials of time go with it).
TENSES = {
    "present": (26, "present"), "past": (28, "past"), "present-progressive": (9, "now"),
    "past-progressive": (4, "past"), "perfect": (8, None), "past-perfect": (2, None), "will": (8, "future"),
    "going-to": (5, "future"), "modal": (10, "future"), "used-to": (2, None), "have-to": (4, "future"),
}  # fmt: skip
MODALS = ("can", "can", "could", "should", "must", "might", "may", "would")
FRAMES = {
    "object": 46, "intransitive": 14, "motion": 9, "that": 7, "infinitive": 7, "gerund": 3, "give": 5, "persuade": 3,
    "linking": 6, "be": 14,
}  # fmt: skip
NO_FORM = Verb("be", "is", "was", "been", "being")


class Verbs:
    """Draws verbs and tenses, and puts them into their forms."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._frames, self._frame_weights = list(FRAMES), list(accumulate(FRAMES.values()))
        self._tenses, self._tense_weights = (
            list(TENSES),
            list(accumulate([chance for chance, _ in TENSES.values()])),
        )

    def verb(self, rng: Random, without: Sequence[str] = ()) -> tuple[str, Verb]:
        """A frame, which says what the verb takes, and a verb of it."""
        while True:
            frame = rng.choices(self._frames, cum_weights=self._frame_weights)[0]
            if frame not in without:
                return frame, NO_FORM if frame == "be" else rng.choice(self._lexicon.verbs[frame])

    def tense(self, rng: Random, without: Sequence[str] = ()) -> str:
        while True:
            tense = rng.choices(self._tenses, cum_weights=self._tense_weights)[0]
            if tense not in without:
                return tense

    def group(
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

    def joined_up(self, rng: Random, subject: str, helper: str, negative: bool) -> str:
        """The subject and its helping verb, often contracted."""
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
