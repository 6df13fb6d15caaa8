"""All that is measured of a model, from corpora, recordings of people, and sounds without words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from training.corpus import Corpus, Utterance
from training.evaluation.conditions import Condition, clean, conditions, windows
from training.evaluation.cost import Cost, cost_of
from training.evaluation.nothing import Inventions, count_inventions
from training.evaluation.recogniser import Recogniser
from training.evaluation.recordings import Recall, Recording, score_recordings
from training.evaluation.scores import Score, Trial, by_length, by_voice, score_of, scores_by, trial_of

LONGEST_WINDOW_S = 14.0
PROGRESS_EVERY_S = 10.0


@dataclass(frozen=True)
class Extent:
    """How much is heard: utterances of each corpus, of all corpora in each condition, windows, minutes."""

    utterances: int
    in_condition: int
    long_windows: int
    minutes_of_nothing: float


FULL = Extent(500, 300, 40, 30.0)
QUICK = Extent(100, 24, 6, 2.0)


class Voices:
    """Utterances chosen from several corpora, the same for the same seed; what babble is made of."""

    def __init__(self, corpora: dict[str, Corpus], each: int, seed: int) -> None:
        self.chosen: dict[str, list[Utterance]] = {}
        for at, (name, corpus) in enumerate(corpora.items()):
            order = np.random.default_rng([seed, 4, at]).permutation(len(corpus.utterances))[:each]
            self.chosen[name] = [corpus.utterances[index] for index in sorted(order)]

    @property
    def utterances(self) -> list[Utterance]:
        return [utterance for _, utterance in self.every]

    @property
    def every(self) -> list[tuple[str, Utterance]]:
        """With the names of their corpora."""
        return [(name, utterance) for name, chosen in self.chosen.items() for utterance in chosen]

    def some(self, count: int) -> list[tuple[str, Utterance]]:
        """About `count` of them, as many of each corpus."""
        each = -(-count // max(1, len(self.chosen)))
        return [(name, utterance) for name, chosen in self.chosen.items() for utterance in chosen[:each]]


@dataclass(frozen=True)
class ConditionScore:
    kind: str
    name: str
    every: Score
    by_corpus: list[Score]

    @classmethod
    def of(cls, condition: Condition, trials: list[Trial]) -> ConditionScore:
        by_corpus = scores_by(trials, lambda trial: trial.corpus)
        return cls(condition.kind, condition.name, score_of(condition.name, trials), by_corpus)


@dataclass(frozen=True)
class Report:
    """What `evaluate` writes of a model as JSON."""

    model: dict
    seed: int
    extent: Extent
    corpora: list[Score]
    by_engine: list[Score]
    by_voice: list[Score]
    by_length: list[Score]
    long_windows: Score | None
    conditions: list[ConditionScore]
    nothing: list[Inventions]
    recordings: Recall | None
    cost: Cost
    cpu_s: float


Note = Callable[[str], None]


def telling(note: Note, count: int) -> Callable[[int], None]:
    """Tells `note` how many of `count` are heard, each PROGRESS_EVERY_S at most."""
    said_s = time.monotonic()

    def told(heard: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= PROGRESS_EVERY_S:
            said_s = time.monotonic()
            note(f"{heard} of {count} heard")

    return told


def hear_all(
    recogniser: Recogniser, said: list[tuple[str, Utterance]], condition: Condition, seed: int, note: Note
) -> list[Trial]:
    """Trials of utterances (each with the name of its corpus) in a condition."""
    sounds = [condition.of(one.samples(), seed, at) for at, (_, one) in enumerate(said)]
    return [
        trial_of(name, utterance, heard.text, recogniser.published(heard))
        for (name, utterance), heard in zip(
            said, recogniser.hear(sounds, telling(note, len(sounds))), strict=True
        )
    ]


def describe(recogniser: Recogniser) -> dict:
    """The folder, and what its card calls the model."""
    card = recogniser.folder / "card.json"
    said = json.loads(card.read_text()) if card.exists() else {}
    return {
        "folder": str(recogniser.folder),
        "name": said.get("name", recogniser.folder.name),
        "version": said.get("version", ""),
        "parameters": recogniser.model.parameter_count(),
        "shape": asdict(recogniser.model.shape),
        "gate": recogniser.gate,
    }


def clean_trials(recogniser: Recogniser, voices: Voices, seed: int, note: Note) -> list[Trial]:
    """Of every utterance, in the order of `voices.every`."""
    return hear_all(recogniser, voices.every, clean(), seed, note)


def hear_windows(recogniser: Recogniser, voices: Voices, count: int, seed: int) -> Score | None:
    """Several utterances in one window, as many as the model has positions of text for."""
    said = voices.some(8 * count)
    shape, tokenizer = recogniser.model.shape, recogniser.tokenizer
    room = shape.max_target_positions - len(tokenizer.specials.prompt) - 2
    made = windows(
        [utterance.samples() for _, utterance in said],
        [utterance.text for _, utterance in said],
        lambda text: len(tokenizer.encode(text)) <= room,
        min(LONGEST_WINDOW_S, shape.max_source_positions / 50 - 1),
        seed,
    )[:count]
    if not made:
        return None
    heard = recogniser.hear([sound for sound, _ in made])
    trials = [
        Trial("windows", "", "", text, one.text, recogniser.published(one))
        for (_, text), one in zip(made, heard, strict=True)
    ]
    return score_of(f"windows of several utterances, up to {LONGEST_WINDOW_S:.0f} s", trials)


def measure(
    recogniser: Recogniser,
    corpora: dict[str, Corpus],
    recordings: list[Recording],
    extent: Extent,
    seed: int,
    note: Note,
) -> tuple[Report, list[Trial]]:
    """Everything, and the trials of clean speech; `note` is told what is being heard. Raises what reading the
    sounds raises.
    """
    began_s = time.process_time()
    voices = Voices(corpora, extent.utterances, seed)
    speech = voices if len(voices.utterances) >= 3 else None
    note(f"{len(voices.utterances)} utterances of {len(corpora)} corpora")
    trials = clean_trials(recogniser, voices, seed, note)
    in_conditions = []
    if trials:
        said = voices.some(extent.in_condition)
        members = set(said)
        heard_clean = [trial for one, trial in zip(voices.every, trials, strict=True) if one in members]
        for condition in conditions(speech, seed):
            if condition.kind == "clean":
                heard = heard_clean
            else:
                note(f"{condition.kind}: {condition.name}")
                heard = hear_all(recogniser, said, condition, seed, note)
            in_conditions.append(ConditionScore.of(condition, heard))
    note(f"{extent.minutes_of_nothing:.0f} minutes without words")
    nothing = count_inventions(recogniser, extent.minutes_of_nothing, speech, seed)
    if recordings:
        note(f"{len(recordings)} recordings")
    report = Report(
        describe(recogniser),
        seed,
        extent,
        scores_by(trials, lambda trial: trial.corpus),
        scores_by(trials, lambda trial: f"{trial.corpus}, {trial.engine}"),
        by_voice(trials),
        by_length(trials),
        hear_windows(recogniser, voices, extent.long_windows, seed) if trials else None,
        in_conditions,
        nothing,
        score_recordings(recogniser, recordings) if recordings else None,
        cost_of(recogniser.model),
        time.process_time() - began_s,
    )
    return report, trials
