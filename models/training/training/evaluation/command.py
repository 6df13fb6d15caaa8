"""`python -m training evaluate`: how well model folders do, one or several side by side."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.corpus import Corpus
from training.errors import TrainingFault
from training.evaluation.beside import differences, render_beside
from training.evaluation.harkd import check_built, render_formats, score_formats
from training.evaluation.measure import FULL, QUICK, Report, measure
from training.evaluation.page import render
from training.evaluation.recogniser import Recogniser
from training.evaluation.recordings import read_recordings
from training.evaluation.scores import Trial
from training.evaluation.shipped import Shipped, measure_shipped, render_shipped
from training.evaluation.standard import make_standard

HELP = """Counts word errors of model folders on corpora (clean, in noise, in rooms, at other tempi),
labelled words in recordings of people, and texts where nobody speaks. Several models hear the same and get a
column each, with the paired difference to the first. Writes OUT (JSON) and the page OUT.md, which it prints.

example: python -m training evaluate --model ../embedded --corpus seen=/data/seen --corpus new=/data/new \\
           --recordings /data/people --out report.json
the table of models/embedded/README.md:
         python -m training evaluate --standard /data/eval --model nano0=/data/nano0 \\
           --model nano1=../embedded --recordings /data/people --out report.json"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    several = "may be given again; a folder alone is named after itself"
    model = f"model folder; {several}"
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FOLDER", help=model)
    parser.add_argument("--corpus", action="append", default=[], metavar="NAME=FOLDER", help=several)
    standard = (
        "corpora of both grammars by each kind of voice, which are made in FOLDER where they are missing"
    )
    parser.add_argument("--standard", type=Path, metavar="FOLDER", help=standard)
    parser.add_argument("--recordings", type=Path, help="folder with words.json: {file.wav: [words]}")
    parser.add_argument("--out", type=Path, required=True, help="report.json; report.md comes beside it")
    harkd = "also as harkd ships, and its graphs in fp32, int8 and int4 (needs npm run build)"
    parser.add_argument("--harkd", action="store_true", help=harkd)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="less of everything: half a minute")


def run(args: argparse.Namespace) -> int:
    """0, or 130 if interrupted while a corpus was made."""
    torch.set_num_threads(1)
    # what can be wrong is found before the corpora are made and heard, which takes minutes
    recognisers = {name: Recogniser.load(folder) for name, folder in named("model", args.model).items()}
    corpora = read_corpora(args.corpus)
    recordings = [] if args.recordings is None else read_recordings(args.recordings)
    if args.harkd:
        if not corpora and args.standard is None:
            raise TrainingFault("NOTHING_TO_HEAR", "a --corpus with --harkd", "none", "name one")
        check_built()
    missing: list[str] = []
    if args.standard is not None:
        folders, missing = make_standard(args.standard, note)
        if twice := sorted(folders.keys() & corpora.keys()):
            remedy = "name it otherwise: --corpus NAME=FOLDER"
            raise TrainingFault("CORPUS_TWICE", "other names than those of --standard", twice[0], remedy)
        corpora = {name: Corpus(folder) for name, folder in folders.items()} | corpora
    extent = QUICK if args.quick else FULL
    reports: dict[str, Report] = {}
    trials: dict[str, list[Trial]] = {}
    for name, recogniser in recognisers.items():

        def note_of(line: str, name: str = name) -> None:
            note(f"{name}: {line}")

        reports[name], trials[name] = measure(recogniser, corpora, recordings, extent, args.seed, note_of)
    differing = differences(trials)
    written: dict[str, Any] = {
        "models": {name: asdict(report) for name, report in reports.items()},
        "differences": [asdict(one) for one in differing],
        "missing": missing,
    }
    page = render_beside(reports, differing) if len(reports) > 1 else render(*reports.values())
    if missing:
        page += "\n" + "\n".join(["## Missing", "", *(f"- {line}" for line in missing)]) + "\n"
    if args.harkd and corpora:
        shipped: dict[str, Shipped] = {}
        published: dict[str, list[Trial]] = {}
        for name, recogniser in recognisers.items():

            def note_shipped(line: str, name: str = name) -> None:
                note(f"{name}: as harkd ships: {line}")

            shipped[name], published[name] = measure_shipped(
                recogniser.folder, corpora, recordings, extent, args.seed, note_shipped
            )
        written["shipped"] = {name: asdict(one) for name, one in shipped.items()}
        page += "\n" + render_shipped(shipped, differences(published))
        # the last corpus: those of voices that were not heard in training come last
        corpus_name, corpus = list(corpora.items())[-1]
        count = 24 if args.quick else 150
        written["harkd"] = {}
        for name, recogniser in recognisers.items():
            note(f"{name}: through harkd: {corpus_name}")
            formats = score_formats(recogniser.folder, corpus.folder, count, args.seed, args.recordings)
            written["harkd"][name] = [asdict(one) for one in formats]
            page += "\n" + render_formats(name, corpus_name, formats)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rounded(written), indent=1) + "\n")
    args.out.with_suffix(".md").write_text(page)
    print(page, end="")
    return 0


def named(what: str, given: list[str]) -> dict[str, Path]:
    """Of NAME=FOLDER; a folder alone is named after itself. Raises MODEL_TWICE or CORPUS_TWICE."""
    folders: dict[str, Path] = {}
    for one in given:
        name, sign, folder = one.partition("=")
        path = Path(folder if sign else one)
        name = name if sign else path.resolve().name
        if name in folders:
            remedy = f"name them: --{what} NAME=FOLDER"
            raise TrainingFault(f"{what.upper()}_TWICE", "each name once", f"{name} again", remedy)
        folders[name] = path
    return folders


def read_corpora(given: list[str]) -> dict[str, Corpus]:
    """Of NAME=FOLDER, as `named`. Raises what that and `Corpus` raise."""
    return {name: Corpus(folder) for name, folder in named("corpus", given).items()}


def note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def rounded(value: Any) -> Any:
    """Six digits of every number: more is chance, and longer."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
