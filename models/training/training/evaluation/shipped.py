"""What harkd publishes as it ships: `harkd transcribe`, with detector, int8, beams, hearing again and the gate."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.augment.command import read_wav, write_wav
from training.corpus import Corpus
from training.errors import TrainingFault
from training.evaluation.beside import Difference
from training.evaluation.conditions import Condition, clean, conditions
from training.evaluation.harkd import REPO
from training.evaluation.interval import Rate, rate_of
from training.evaluation.measure import ConditionScore, Extent, Voices
from training.evaluation.page import percent, table
from training.evaluation.recordings import Recording
from training.evaluation.scores import Score, Trial, scores_by, trial_of
from training.evaluation.word_errors import labels_found
from training.features import SAMPLE_RATE_HZ

HARKD = REPO / "dist" / "daemon" / "main.js"
#: Silence before and after each sound: more than the detector needs to hear where speech begins and ends.
AROUND_SAMPLES = SAMPLE_RATE_HZ // 2
#: Files of one call: its progress is told between calls.
FILES = 500
LONGEST_S = 3600
KINDS = ("household noise", "room")


@dataclass(frozen=True)
class Shipped:
    """Word errors of what is published (a text withheld is words left out), and people's words found in it."""

    corpora: list[Score]
    conditions: list[ConditionScore]
    people: Rate | None


def publish(
    model: Path, sounds: Sequence[np.ndarray], told: Callable[[int], None] | None = None
) -> list[str]:
    """The texts that harkd publishes of `sounds` (float32 [n] in -1..1, 16 kHz), one recording each, in order.

    With a configuration of its own, which is empty; on one thread. Raises HARKD_NOT_BUILT, or HARKD_FAILED with its
    last line.
    """
    if not HARKD.exists():
        raise TrainingFault("HARKD_NOT_BUILT", str(HARKD), "no such file", f"run: npm run build in {REPO}")
    texts: list[str] = []
    while len(texts) < len(sounds):
        texts += _published(model, sounds[len(texts) : len(texts) + FILES])
        if told is not None:
            told(len(texts))
    return texts


def _published(model: Path, sounds: Sequence[np.ndarray]) -> list[str]:
    around = np.zeros(AROUND_SAMPLES, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{at}.wav" for at in range(len(sounds))]
        for name, sound in zip(names, sounds, strict=True):
            write_wav(Path(folder) / name, np.concatenate([around, sound, around]))
        config = Path(folder) / "harkd.yaml"
        config.write_text("")
        command = ["node", str(HARKD), "transcribe", "--json", "--config", str(config), "--threads", "1"]
        command += ["--model", str(model.resolve()), *names]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, cwd=folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TrainingFault("HARKD_FAILED", "node and harkd", str(error), "install Node 20") from error
    heard = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    texts = {one["file"]: one["text"].replace("\n", " ") for one in heard}
    if ended.returncode or texts.keys() != set(names):
        said = [line for line in ended.stderr.splitlines() if line.strip()]
        came = said[-1] if said else f"{len(texts)} texts, exit status {ended.returncode}"
        raise TrainingFault(
            "HARKD_FAILED", f"texts of {len(names)} sounds", came, "try one with harkd transcribe"
        )
    return [texts[name] for name in names]


def measure_shipped(
    model: Path,
    corpora: dict[str, Corpus],
    recordings: list[Recording],
    extent: Extent,
    seed: int,
    note: Callable[[str], None],
) -> tuple[Shipped, list[Trial]]:
    """The utterances of `measure`, clean, in household noise and in rooms; and the trials of clean speech.

    Raises what `publish` raises, and what reading the sounds raises.
    """
    voices = Voices(corpora, extent.utterances, seed)

    def hear(condition: Condition, count: int | None = None) -> list[Trial]:
        said = voices.every if count is None else voices.some(count)
        sounds = [condition.of(one.samples(), seed, at) for at, (_, one) in enumerate(said)]
        note(f"{condition.name}: {len(sounds)} sounds")
        texts = publish(model, sounds, lambda heard: note(f"{heard} of {len(sounds)} heard"))
        return [trial_of(name, one, text, text) for (name, one), text in zip(said, texts, strict=True)]

    trials = hear(clean())
    chosen = [one for one in conditions(None, seed) if one.kind in KINDS]
    in_conditions = [ConditionScore.of(one, hear(one, extent.in_condition)) for one in chosen]
    note(f"{len(recordings)} recordings")
    texts = publish(model, [read_wav(one.file) for one in recordings])
    found = [labels_found(one.labels, text) for one, text in zip(recordings, texts, strict=True)]
    people = rate_of(found, [len(one.labels) for one in recordings])
    return Shipped(scores_by(trials, lambda trial: trial.corpus), in_conditions, people), trials


def render_shipped(shipped: Mapping[str, Shipped], differing: Sequence[Difference]) -> str:
    """Markdown, ending in a line feed. `differing` are of `differences`, to the first model."""
    first, *others = shipped
    columns = list(shipped.values())
    to_first = {(one.of, one.model): one.wer for one in differing}
    rows = [
        [score.of, str(score.utterances), *(percent(one.corpora[at].wer) for one in columns)]
        + [percent(to_first.get((score.of, name))) for name in others]
        for at, score in enumerate(columns[0].corpora)
    ]
    for at, same in enumerate(columns[0].conditions):
        for corpus, score in enumerate(same.by_corpus):
            rates = [percent(one.conditions[at].by_corpus[corpus].wer) for one in columns]
            rows.append(
                [
                    f"{score.of}, {same.kind}, {same.name}",
                    str(score.utterances),
                    *rates,
                    *("-" for _ in others),
                ]
            )
    if columns[0].people is not None:
        people = [percent(one.people) for one in columns]
        rows.append(["people: labelled words published", "", *people, *("-" for _ in others)])
    less = [f"{name} less {first}, points" for name in others]
    said = (
        "`harkd transcribe` with nothing configured: int8, and what the model's card asks for. Words of a text that "
        "is withheld are left out. Noises and rooms are those above, without babble."
    )
    return (
        "\n\n".join(["## As harkd ships, %", table(["", "utterances", *shipped, *less], rows), said]) + "\n"
    )
