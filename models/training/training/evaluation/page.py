"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.interval import Rate
from training.evaluation.measure import Report
from training.evaluation.recordings import Recall
from training.evaluation.scores import Score


def percent(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    return f"{100 * rate.rate:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of GitHub's Markdown, its columns aligned."""
    every = [header, *rows]
    widths = [max(3, *(len(row[column]) for row in every)) for column in range(len(header))]
    rows = [[cell.ljust(width) for cell, width in zip(row, widths)] for row in every]
    first, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([first, f"| {' | '.join('-' * width for width in widths)} |", *others])


SCORE_HEADER = (
    "utterances",
    "words",
    "WER, %",
    "substituted",
    "left out",
    "inserted",
    "all right",
    "no text",
    "withheld",
    "WER of what is published, %",
)


def score_row(score: Score) -> list[str]:
    counts = (score.substitutions, score.deletions, score.insertions)
    return [
        score.of,
        str(score.utterances),
        str(score.words),
        percent(score.wer),
        *map(str, counts),
        f"{100 * score.right / max(1, score.utterances):.0f} %",
        str(score.empty),
        str(score.withheld),
        percent(score.published_wer),
    ]


def score_table(scores: Sequence[Score]) -> str:
    return table(["", *SCORE_HEADER], [score_row(score) for score in scores])


def _conditions(report: Report) -> list[str]:
    names = [score.of for score in report.conditions[0].by_corpus]
    rows = []
    for condition in report.conditions:
        own = {score.of: score.wer for score in condition.by_corpus}
        rates = [f"{100 * rate.rate:.1f}" if (rate := own.get(name)) else "-" for name in names]
        kind = "" if condition.kind == condition.name else condition.kind
        every = condition.every
        rows.append([kind, condition.name, str(every.utterances), percent(every.wer), *rates])
    return [
        "## In noise, in rooms, at other tempi",
        table(["", "", "utterances", "WER, %", *names], rows),
        "The same utterances in each. Noises come from the arithmetic that the training's come from, with "
        "other seeds; babble is made of other utterances of these corpora; rooms are computed.",
    ]


def _recordings(recall: Recall) -> list[str]:
    rows = [
        ["labelled words written", percent(recall.written)],
        ["labelled words published", percent(recall.published)],
        ["recordings with all of them written", percent(recall.whole)],
    ]
    return [
        "## People",
        table(["", "%"], rows),
        f"{recall.recordings} recordings with {recall.labels} labelled words, cut to 200 ms around the "
        "speech by energy. Their other words are not known: this is no word error rate.",
    ]


def _nothing(report: Report) -> list[str]:
    header = ["", "windows", "minutes", "with a text", "published", "an hour of it", "for example"]
    rows = [
        [
            one.kind,
            str(one.windows),
            f"{one.seconds / 60:.1f}",
            str(one.written),
            str(one.published),
            f"{3600 * one.published / max(one.seconds, 1e-9):.0f}",
            ", ".join(f'"{text}"' for text in one.examples),
        ]
        for one in report.nothing
    ]
    return [
        "## Texts out of nothing",
        table(header, rows),
        "Windows of 3 to 8 s, every one handed to the model: in harkd most do not pass the detector.",
    ]


def _head(report: Report) -> list[str]:
    model, cost = report.model, report.cost
    return [
        f"# Evaluation of {model['name']} {model['version']}".rstrip(),
        f"{model['folder']}: {cost.parameters / 1e6:.2f} M parameters; for a command of 3 s and 8 tokens "
        f"{cost.encoder_multiply_adds / 1e6:.0f} M multiply-adds in the encoder and "
        f"{cost.decoder_multiply_adds / 1e6:.0f} M in the decoder. Greedy decoding in float32, "
        f"seed {report.seed}, {report.cpu_s:.0f} s of the processor. In brackets: 95 % of 2000 draws of the "
        f"utterances. Withheld is a text with a mean log-probability below {model['gate']}.",
    ]


def render(report: Report) -> str:
    """The page, ending in a line feed."""
    blocks = _head(report)
    if report.corpora:
        blocks += ["## Synthesised speech", score_table(report.corpora)]
        blocks += ["By engine:", score_table(report.by_engine)]
        if report.by_voice:
            blocks += ["By voice, those with enough utterances:", score_table(report.by_voice)]
        windows = [] if report.long_windows is None else [report.long_windows]
        blocks += ["By length:", score_table([*report.by_length, *windows])]
    if report.conditions:
        blocks += _conditions(report)
    if report.recordings is not None:
        blocks += _recordings(report.recordings)
    return "\n\n".join([*blocks, *_nothing(report)]) + "\n"
