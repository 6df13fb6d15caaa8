"""`python -m training tiny`: every stage of the training once, so small that it takes minutes."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.batches import Batching
from training.corpus import Corpus
from training.errors import TrainingFault
from training.evaluation.recogniser import Recogniser, framed
from training.evaluation.word_errors import count_errors, total
from training.label import Labelling, label
from training.model import Shape, Whisper, save_checkpoint
from training.recipe import Recipe
from training.select_command import select_into
from training.speech.command import Job, make_corpus
from training.train import train

HELP = """Goes the whole way once, in under ten minutes on two cores: sentences, speech, a teacher of nothing,
its labels, a student of some of its layers, quantisation-aware training, word errors, a model folder. It
shows that all parts fit. What comes out understands next to nothing: that takes hours.

example: python -m training tiny --out /tmp/tiny"""

#: lends tokenizer and settings of decoding
EMBEDDED = Path(__file__).parents[2] / "embedded"


@dataclass(frozen=True)
class Size:
    """How small it is; a training is over by its presentations or its minutes, whichever is first."""

    utterances: int = 400
    test_utterances: int = 60
    teacher_presentations: int = 12_000
    teacher_minutes: float = 3.0
    student_presentations: int = 6_000
    student_minutes: float = 2.0
    processes: int = 2
    log_every: int = 20


def _shape(encoder_layers: int, decoder_layers: int) -> Shape:
    return Shape(
        vocab_size=1000,
        num_mel_bins=80,
        d_model=96,
        encoder_layers=encoder_layers,
        encoder_attention_heads=3,
        encoder_ffn_dim=384,
        decoder_layers=decoder_layers,
        decoder_attention_heads=3,
        decoder_ffn_dim=384,
        max_source_positions=1500,
        max_target_positions=64,
    )


def _synthesise(out: Path, utterances: int, split: str, workers: int) -> None:
    if not make_corpus(Job(out, utterances, split=split, workers=workers, shard=100)):
        raise TrainingFault("INTERRUPTED", f"{utterances} utterances in {out}", "fewer", "run it again")


def evaluate(model: Path, corpus: Corpus) -> dict[str, float]:
    """Word error rate, and how often nothing is heard where something is said, both as shares."""
    recogniser = Recogniser.load(model)
    heard = recogniser.hear([framed(utterance.samples()) for utterance in corpus.utterances])
    texts = [hypothesis.text for hypothesis in heard]
    errors = total(count_errors(said.text, text) for said, text in zip(corpus.utterances, texts))
    return {
        "word_error_rate": round(errors.errors / max(1, errors.words), 4),
        "empty": round(float(np.mean([not t for t in texts])), 4),
    }


def tiny(out: Path, size: Size = Size()) -> dict:
    """Goes the whole way into `out` and returns (and writes to `report.json`) what was measured.

    Finished stages are not repeated. Raises what the stages raise.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}

    def stage(name: str, work: Callable[[], object]) -> None:
        print(f"--- {name}", flush=True)
        began_s = time.monotonic()
        work()
        seconds[name] = round(time.monotonic() - began_s, 1)

    speech, test = out / "speech", out / "test"
    stage("speech", lambda: _synthesise(speech, size.utterances, "train", size.processes))
    stage("test speech", lambda: _synthesise(test, size.test_utterances, "test", size.processes))

    start, teacher = out / "start", out / "teacher"
    save_checkpoint(start, Whisper(_shape(4, 2)), EMBEDDED)
    batching = Batching(frames=2400, pool=200)
    common = dict(processes=size.processes, warm_up_steps=50, snapshots=1, batching=batching)
    recipe = Recipe(
        presentations=size.teacher_presentations,
        minutes=size.teacher_minutes,
        encoder_layers=4,
        encoder_first=0.4,
        peak_learning_rate=1.5e-3,
        strength=0.3,
        mean_decay=0.98,
        **common,
    )
    stage("teacher", lambda: train(recipe, start, [speech], teacher, size.log_every))

    # so small a teacher is never sure: all it says is kept
    labels = out / "labels"
    labelling = Labelling(str(teacher / "model"), str(speech), least_confidence=0.0)
    stage("labels", lambda: label(labelling, labels))

    selected, student = out / "selected", out / "student"
    stage("selection", lambda: select_into(selected, teacher / "model", [0, 1, 3], [0]))
    recipe = Recipe(
        presentations=size.student_presentations,
        minutes=size.student_minutes,
        encoder_layers=3,
        peak_learning_rate=8e-4,
        strength=0.3,
        mean_decay=0.98,
        guidance_weight=0.0,
        teacher=str(teacher / "model"),
        imitate="int8",
        imitate_from=0.7,
        attention_window=128,
        **common,
    )
    # what the teacher says of the same sounds counts as much as what was said
    corpora = [folder for folder in (speech, labels) if any(folder.glob("*.npy"))]
    stage("student", lambda: train(recipe, selected, corpora, student, size.log_every))

    heard: dict[str, dict[str, float]] = {}
    stage("evaluation", lambda: heard.update(_evaluate_all(test, teacher=teacher, student=student)))
    report = {"size": asdict(size), "seconds": seconds, "heard": heard, "model": str(student / "model")}
    (out / "report.json").write_text(json.dumps(report, indent=1))
    return report


def _evaluate_all(test: Path, **trained: Path) -> dict[str, dict[str, float]]:
    corpus = Corpus(test)
    return {name: evaluate(folder / "model", corpus) for name, folder in trained.items()}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder for everything")


def run(args: argparse.Namespace) -> None:
    print(json.dumps(tiny(args.out), indent=1))
