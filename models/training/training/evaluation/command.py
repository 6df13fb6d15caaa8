"""`python -m training evaluate`: how well a model folder does."""

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
from training.evaluation.compare import compare, render_comparison
from training.evaluation.harkd import render_formats, score_formats
from training.evaluation.measure import FULL, QUICK, measure
from training.evaluation.page import render
from training.evaluation.recogniser import Recogniser
from training.evaluation.recordings import read_recordings

HELP = """Counts word errors of a model folder on corpora (clean, in noise, in rooms, at other tempi),
labelled words in recordings of people, and texts where nobody speaks. Writes OUT (JSON) and the page OUT.md,
which it prints.

example: python -m training evaluate --model ../embedded --corpus seen=/data/seen --corpus new=/data/new \\
           --recordings /data/people --out report.json"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    several = "may be given again"
    parser.add_argument("--corpus", action="append", default=[], metavar="NAME=FOLDER", help=several)
    parser.add_argument("--recordings", type=Path, help="folder with words.json: {file.wav: [words]}")
    parser.add_argument("--out", type=Path, required=True, help="report.json; report.md comes beside it")
    teacher = "another model folder, to say how much of it is left in --model"
    parser.add_argument("--teacher", type=Path, help=teacher)
    harkd = "also through harkd's own graphs in fp32, int8 and int4 (needs npm run build)"
    parser.add_argument("--harkd", action="store_true", help=harkd)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="less of everything: half a minute")


def run(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    corpora = read_corpora(args.corpus)
    recordings = [] if args.recordings is None else read_recordings(args.recordings)
    if args.harkd and not corpora:
        raise TrainingFault("NOTHING_TO_HEAR", "a --corpus with --harkd", "none", "name one")
    recogniser = Recogniser.load(args.model)
    extent = QUICK if args.quick else FULL
    teacher = None if args.teacher is None else Recogniser.load(args.teacher)
    report = measure(recogniser, corpora, recordings, extent, args.seed, note)
    written, page = asdict(report), render(report)
    if teacher is not None:
        note(f"beside {args.teacher}")
        comparison = compare(recogniser, teacher, corpora, recordings, extent.utterances, args.seed)
        written["comparison"] = asdict(comparison)
        page += "\n" + render_comparison(comparison)
    if args.harkd:
        # the last corpus: those of voices that were not heard in training come last
        name, corpus = list(corpora.items())[-1]
        note(f"through harkd: {name}")
        count = 24 if args.quick else 150
        formats = score_formats(args.model, corpus.folder, count, args.seed, args.recordings)
        written["harkd"] = [asdict(one) for one in formats]
        page += "\n" + render_formats(name, formats)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rounded(written), indent=1) + "\n")
    args.out.with_suffix(".md").write_text(page)
    print(page, end="")


def read_corpora(given: list[str]) -> dict[str, Corpus]:
    """Of NAME=FOLDER; a folder alone is named after itself. Raises CORPUS_TWICE and what `Corpus` raises."""
    corpora: dict[str, Corpus] = {}
    for one in given:
        name, sign, folder = one.partition("=")
        path = Path(folder if sign else one)
        name = name if sign else path.name
        if name in corpora:
            remedy = "name them: --corpus NAME=FOLDER"
            raise TrainingFault("CORPUS_TWICE", "each name once", f"{name} again", remedy)
        corpora[name] = Corpus(path)
    return corpora


def note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def rounded(value: Any) -> Any:
    """Six digits of every number: more is chance, and longer."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
