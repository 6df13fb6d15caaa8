"""Word errors of a set of utterances, and of the parts it falls into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.corpus import Utterance
from training.evaluation.interval import Rate, rate_of
from training.evaluation.word_errors import WordErrors, count_errors, total, words_in

#: Of a voice with fewer utterances a rate says nothing.
FEWEST_OF_VOICE = 12
LENGTHS = ((1, 2), (3, 5), (6, 9), (10, 99))


@dataclass(frozen=True)
class Trial:
    """An utterance of a corpus and what was heard of it."""

    corpus: str
    engine: str
    voice: str
    said: str
    heard: str
    #: what harkd would publish: nothing where the text is not believed
    published: str

    @property
    def errors(self) -> WordErrors:
        return count_errors(self.said, self.heard)


def trial_of(corpus: str, utterance: Utterance, heard: str, published: str) -> Trial:
    # a voice resampled into others (@factor) is one voice, and espeak-ng's speakers of an accent are one
    voice = utterance.voice.partition("@")[0]
    if utterance.engine == "espeak-ng":
        voice = voice.partition("+")[0]
    return Trial(corpus, utterance.engine, voice, utterance.text, heard, published)


@dataclass(frozen=True)
class Score:
    """Word errors of a part of the trials."""

    of: str
    utterances: int
    words: int
    substitutions: int
    deletions: int
    insertions: int
    wer: Rate | None
    #: with texts withheld counted as words left out
    published_wer: Rate | None
    #: sentences without an error
    right: int
    #: sentences without a text, and with one that harkd would not publish
    empty: int
    withheld: int


def score_of(of: str, trials: Sequence[Trial]) -> Score:
    counted = [trial.errors for trial in trials]
    lost = [count_errors(trial.said, trial.published).errors for trial in trials]
    words = [one.words for one in counted]
    sums = total(counted)
    return Score(
        of,
        len(trials),
        sums.words,
        sums.substitutions,
        sums.deletions,
        sums.insertions,
        rate_of([one.errors for one in counted], words),
        rate_of(lost, words),
        sum(one.errors == 0 for one in counted),
        sum(trial.heard == "" for trial in trials),
        sum(trial.heard != "" and trial.published == "" for trial in trials),
    )


def scores_by(trials: Sequence[Trial], part: Callable[[Trial], str | None]) -> list[Score]:
    """A score for each part, in the order of their first trial; trials of no part are left out."""
    parts: dict[str, list[Trial]] = {}
    for trial in trials:
        name = part(trial)
        if name is not None:
            parts.setdefault(name, []).append(trial)
    return [score_of(name, members) for name, members in parts.items()]


def by_voice(trials: Sequence[Trial]) -> list[Score]:
    counts = Counter((trial.corpus, trial.voice) for trial in trials)

    def part(trial: Trial) -> str | None:
        enough = counts[trial.corpus, trial.voice] >= FEWEST_OF_VOICE
        return f"{trial.corpus}, {trial.voice}" if enough else None

    return sorted(scores_by(trials, part), key=lambda score: score.of)


def by_length(trials: Sequence[Trial]) -> list[Score]:
    def part(trial: Trial) -> str:
        count = len(words_in(trial.said))
        fewest, most = next(bounds for bounds in LENGTHS if count <= bounds[1])
        return f"{fewest} to {most} words" if most < LENGTHS[-1][1] else f"{fewest} words and more"

    return sorted(scores_by(trials, part), key=lambda score: int(score.of.split()[0]))
