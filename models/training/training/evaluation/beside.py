"""Reports of several models on the same sounds: a column each, and how much better each is than the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from training.evaluation.interval import Rate, rate_of
from training.evaluation.measure import Report
from training.evaluation.page import percent, table
from training.evaluation.scores import Score, Trial


@dataclass(frozen=True)
class Difference:
    """Errors of `model` less those of the model `than` over the words of the corpus `of`, paired."""

    of: str
    model: str
    than: str
    wer: Rate | None


def differences(trials: Mapping[str, Sequence[Trial]]) -> list[Difference]:
    """Of each model to the first, by corpus; `trials` are of the same utterances in the same order."""
    (first, base), *others = trials.items()
    made = []
    for name, own in others:
        for corpus in dict.fromkeys(trial.corpus for trial in base):
            pairs = [(a.errors, b.errors) for a, b in zip(own, base, strict=True) if b.corpus == corpus]
            rate = rate_of([a.errors - b.errors for a, b in pairs], [b.words for _, b in pairs])
            made.append(Difference(corpus, name, first, rate))
    return made


def render_beside(reports: Mapping[str, Report], differing: Sequence[Difference]) -> str:
    """Markdown, ending in a line feed."""
    first, *others = reports
    report = reports[first]
    blocks = [
        f"# Evaluation of {', '.join(reports)}",
        f"Greedy decoding in float32, seed {report.seed}, all of them on the same sounds. In brackets: 95 % of "
        "2000 draws of the utterances.",
    ]
    if report.corpora:
        to_first = {(one.of, one.model): one.wer for one in differing}
        rows = [
            row + [percent(to_first.get((row[0], name))) for name in others]
            for row in _score_rows(reports, lambda one: one.corpora)
        ]
        less = [f"{name} less {first}, points" for name in others]
        blocks += ["## Word errors, %", table(["", "utterances", *reports, *less], rows)]
        header = ["", "utterances", *reports]
        blocks += ["By engine:", table(header, _score_rows(reports, lambda one: one.by_engine))]
        if report.by_voice:
            blocks += [
                "By voice, those with enough utterances:",
                table(header, _score_rows(reports, lambda one: one.by_voice)),
            ]
        windows = ["windows of several utterances", "", *(_windows(one) for one in reports.values())]
        blocks += ["By length:", table(header, [*_score_rows(reports, lambda one: one.by_length), windows])]
    if report.conditions:
        blocks += _conditions(reports)
    if report.recordings is not None:
        blocks += _recordings(reports)
    return "\n\n".join([*blocks, *_nothing(reports), *_costs(reports)]) + "\n"


def _score_rows(reports: Mapping[str, Report], part: Callable[[Report], list[Score]]) -> list[list[str]]:
    """Rows of name, utterances and a word error rate of each model: all of them have the same parts."""
    columns = [part(report) for report in reports.values()]
    return [
        [scores[0].of, str(scores[0].utterances), *(percent(score.wer) for score in scores)]
        for scores in zip(*columns, strict=True)
    ]


def _windows(report: Report) -> str:
    return "-" if report.long_windows is None else percent(report.long_windows.wer)


def _conditions(reports: Mapping[str, Report]) -> list[str]:
    """Of all corpora with intervals; of each corpus a row of each kind, its conditions with commas between."""
    columns = list(zip(*(report.conditions for report in reports.values()), strict=True))
    every = [
        [
            same[0].name if same[0].name == same[0].kind else f"{same[0].kind}, {same[0].name}",
            str(same[0].every.utterances),
            *(percent(c.every.wer) for c in same),
        ]
        for same in columns
    ]
    by_corpus = []
    for at, corpus in enumerate(columns[0][0].by_corpus):
        for kind in dict.fromkeys(same[0].kind for same in columns):
            members = [same for same in columns if same[0].kind == kind]
            cells = [
                ", ".join(_short(c[model].by_corpus[at]) for c in members) for model in range(len(reports))
            ]
            by_corpus.append([f"{corpus.of}: {kind}", str(corpus.utterances), *cells])
    names = "; ".join(
        f"{kind}: {', '.join(same[0].name for same in columns if same[0].kind == kind)}"
        for kind in dict.fromkeys(same[0].kind for same in columns)
        if kind != "clean"
    )
    header = ["", "utterances", *reports]
    return [
        "## Word errors in noise, in rooms, at other tempi, %",
        table(header, every),
        f"By corpus ({names}):",
        table(header, by_corpus),
    ]


def _short(score: Score) -> str:
    return "-" if score.wer is None else f"{100 * score.wer.rate:.0f}"


def _recordings(reports: Mapping[str, Report]) -> list[str]:
    recalls = [report.recordings for report in reports.values() if report.recordings is not None]
    rows = [
        ["labelled words written", *(percent(one.written) for one in recalls)],
        ["labelled words published", *(percent(one.published) for one in recalls)],
        ["recordings with all of them written", *(percent(one.whole) for one in recalls)],
    ]
    said = f"{recalls[0].recordings} recordings with {recalls[0].labels} labelled words, cut by energy."
    return ["## People, %", table(["", *reports], rows), said]


def _nothing(reports: Mapping[str, Report]) -> list[str]:
    rows = [
        [same[0].kind, str(same[0].windows), *(f"{one.written}, {one.published}" for one in same)]
        for same in zip(*(report.nothing for report in reports.values()), strict=True)
    ]
    return [
        "## Windows without words in which a text was written, and published",
        table(["", "windows", *reports], rows),
    ]


def _costs(reports: Mapping[str, Report]) -> list[str]:
    costs = [report.cost for report in reports.values()]
    rows = [
        ["M parameters", *(f"{one.parameters / 1e6:.2f}" for one in costs)],
        ["M multiply-adds, encoder", *(f"{one.encoder_multiply_adds / 1e6:.0f}" for one in costs)],
        ["M multiply-adds, decoder", *(f"{one.decoder_multiply_adds / 1e6:.0f}" for one in costs)],
        ["ms of the encoder, PyTorch", *(f"{one.encoder_ms:.1f}" for one in costs)],
        ["gate, mean log-probability", *(str(report.model["gate"]) for report in reports.values())],
    ]
    return ["## Cost of a command of 3 s with 8 tokens", table(["", *reports], rows)]
