"""Whether an adaptation did what it is for, and did no harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.adapt.household import Household
from training.adapt.sayings import holds
from training.corpus import Corpus
from training.errors import TrainingFault
from training.evaluation.interval import rate_of
from training.evaluation.recogniser import Recogniser, framed
from training.evaluation.word_errors import WordErrors, count_errors, total

#: Points of word error rate by which general sentences may get worse.
ALLOWED_POINTS = 1.0


@dataclass(frozen=True)
class Heard:
    """What a model made of the utterances of a corpus, in order."""

    said: tuple[str, ...]
    written: tuple[str, ...]
    #: with nothing where the text is not believed
    published: tuple[str, ...]

    @property
    def errors(self) -> list[WordErrors]:
        return [count_errors(said, text) for said, text in zip(self.said, self.written)]

    @property
    def wer_percent(self) -> float:
        """Word errors of what was written, in percent of the words said."""
        counts = total(self.errors)
        return 100 * counts.errors / max(1, counts.words)


@dataclass(frozen=True)
class Change:
    """A word error rate before and after, in percent, and what 95 % of draws of the utterances lie in."""

    before_percent: float
    after_percent: float
    low_points: float
    high_points: float

    @property
    def points(self) -> float:
        return self.after_percent - self.before_percent


@dataclass(frozen=True)
class Recall:
    """Of so many times that household words were said, how often harkd would publish them."""

    said: int
    found: int

    @property
    def percent(self) -> float:
        return 100 * self.found / max(1, self.said)


def hear(recogniser: Recogniser, corpus: Corpus) -> Heard:
    """Every utterance of `corpus` as harkd hears it: clean, with a little silence around."""
    said = corpus.utterances
    heard = recogniser.hear([framed(utterance.samples()) for utterance in said])
    return Heard(
        tuple(utterance.text for utterance in said),
        tuple(one.text for one in heard),
        tuple(recogniser.published(one) for one in heard),
    )


def change(before: Heard, after: Heard) -> Change:
    """Both of the same utterances."""
    words = [errors.words for errors in before.errors]
    more = [new.errors - old.errors for old, new in zip(before.errors, after.errors, strict=True)]
    rate = rate_of(more, words)
    low, high = (0.0, 0.0) if rate is None else (100 * rate.low, 100 * rate.high)
    return Change(before.wer_percent, after.wer_percent, low, high)


def recalls(household: Household, several: Sequence[Heard]) -> dict[str, Recall]:
    """Recall by term, and of all of them as "all". A term counts once in a sentence that holds it."""
    counts = {term.text: [0, 0] for term in household.terms}
    for heard in several:
        for said, text in zip(heard.said, heard.published, strict=True):
            for term, count in counts.items():
                if holds(said, term):
                    count[0] += 1
                    count[1] += holds(text, term)
    everything = Recall(sum(said for said, _ in counts.values()), sum(found for _, found in counts.values()))
    return {term: Recall(*count) for term, count in counts.items()} | {"all": everything}


def require_learnt(before: Recall, after: Recall) -> None:
    """Raises ADAPT_IN_VAIN where the household's words are found no more often."""
    if after.found <= before.found:
        raise TrainingFault(
            "ADAPT_IN_VAIN",
            f"words of the household found more often than {before.found} of {before.said} times",
            f"{after.found} times",
            "use keyTerms instead (docs/household.md), give recordings of your own, or a base of a larger vocabulary",
        )


def require_unharmed(general: Change) -> None:
    """Raises ADAPT_FORGETS where general sentences are heard worse by more than ALLOWED_POINTS."""
    if general.points > ALLOWED_POINTS:
        raise TrainingFault(
            "ADAPT_FORGETS",
            f"at most {general.before_percent + ALLOWED_POINTS:.1f} % word errors in general sentences",
            f"{general.after_percent:.1f} % ({general.points:+.1f} from {general.before_percent:.1f} %)",
            "take fewer --steps, a lower --rank or --learning-rate, or export it all the same with --force",
        )
