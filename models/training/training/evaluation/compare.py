"""What is left of a teacher in its student: accuracy, and how much less it costs."""

from __future__ import annotations

from dataclasses import dataclass

from training.corpus import Corpus
from training.evaluation.cost import Cost, cost_of
from training.evaluation.interval import Rate, rate_of
from training.evaluation.measure import Voices, clean_trials
from training.evaluation.page import percent, table
from training.evaluation.recogniser import Recogniser
from training.evaluation.recordings import Recall, Recording, score_recordings
from training.evaluation.scores import Score, score_of


@dataclass(frozen=True)
class Pair:
    """Both models on the same utterances."""

    of: str
    student: Score
    teacher: Score
    #: errors of the student less those of the teacher over the words, paired
    difference: Rate | None
    #: share of the teacher's word accuracy (1 - WER) that is kept; None where the teacher has none
    kept: float | None


@dataclass(frozen=True)
class Comparison:
    teacher: str
    student_cost: Cost
    teacher_cost: Cost
    pairs: list[Pair]
    student_recall: Recall | None
    teacher_recall: Recall | None


def compare(
    student: Recogniser,
    teacher: Recogniser,
    corpora: dict[str, Corpus],
    recordings: list[Recording],
    utterances: int,
    seed: int,
) -> Comparison:
    """Both on `utterances` of each corpus, clean, and on the recordings."""
    voices = Voices(corpora, utterances, seed)
    own, other = (clean_trials(recogniser, voices, seed) for recogniser in (student, teacher))
    pairs = []
    for name in corpora:
        chosen = [(one, two) for one, two in zip(own, other, strict=True) if one.corpus == name]
        counted = [(one.errors, two.errors) for one, two in chosen]
        words = [one.words for one, _ in counted]
        difference = rate_of([one.errors - two.errors for one, two in counted], words)
        scores = score_of(name, [one for one, _ in chosen]), score_of(name, [two for _, two in chosen])
        right = [1 - score.wer.rate if score.wer else 0.0 for score in scores]
        pairs.append(Pair(name, *scores, difference, right[0] / right[1] if right[1] > 0 else None))
    heard = [score_recordings(one, recordings) if recordings else None for one in (student, teacher)]
    return Comparison(str(teacher.folder), cost_of(student.model), cost_of(teacher.model), pairs, *heard)


def render_comparison(comparison: Comparison) -> str:
    """Markdown, ending in a line feed."""
    rows = []
    for pair in comparison.pairs:
        kept = "-" if pair.kept is None else f"{100 * pair.kept:.1f} %"
        rows.append(
            [
                f"WER, {pair.of}",
                percent(pair.student.wer),
                percent(pair.teacher.wer),
                percent(pair.difference),
                kept,
            ]
        )
    one, two = comparison.student_recall, comparison.teacher_recall
    if one and two and one.written and two.written:
        kept = f"{100 * one.written.rate / two.written.rate:.1f} %" if two.written.rate else "-"
        rows.append(["people: labelled words found", percent(one.written), percent(two.written), "", kept])
    small, large = comparison.student_cost, comparison.teacher_cost
    costs = [
        ("M parameters", small.parameters / 1e6, large.parameters / 1e6),
        ("M multiply-adds, encoder", small.encoder_multiply_adds / 1e6, large.encoder_multiply_adds / 1e6),
        ("M multiply-adds, decoder", small.decoder_multiply_adds / 1e6, large.decoder_multiply_adds / 1e6),
        ("ms of the encoder, PyTorch", small.encoder_ms, large.encoder_ms),
    ]
    for name, own, other in costs:
        rows.append([name, f"{own:.4g}", f"{other:.4g}", "", f"{other / max(own, 1e-9):.2f} times less"])
    header = ["", "student", "teacher", "difference, points", "kept"]
    said = (
        "Accuracy kept is the student's share of the teacher's words without error (1 - WER). Costs are "
        "those of a command of 3 s with 8 tokens."
    )
    return "\n\n".join([f"## Beside its teacher, {comparison.teacher}", table(header, rows), said]) + "\n"
