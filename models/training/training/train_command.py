"""`python -m training train`."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from training.batches import Batching
from training.recipe import Recipe
from training.train import train

HELP = """Train a model folder further on one or more corpora (which may still be growing). Writes OUT/model (a folder
that `harkd models add` takes), OUT/metrics.jsonl, and OUT/resume.pt, from which the same command goes on.

example: python -m training train --start ../embedded --corpus /data/train --out /data/run --minutes 90"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--start", type=Path, required=True, help="model folder to begin with")
    parser.add_argument(
        "--corpus", type=Path, required=True, action="append", help="folder written by synthesise"
    )
    parser.add_argument("--out", type=Path, required=True)
    for holder in (Recipe, Batching):
        for field in fields(holder):
            if field.name != "batching":
                option = "--" + field.name.replace("_", "-")
                kind = type(field.default)
                parser.add_argument(
                    option, type=kind, default=field.default, help=f"(default {field.default})"
                )


def run(args: argparse.Namespace) -> None:
    given = vars(args)
    batching = Batching(**{field.name: given[field.name] for field in fields(Batching)})
    own = {field.name: given[field.name] for field in fields(Recipe) if field.name != "batching"}
    train(Recipe(**own, batching=batching), args.start, args.corpus, args.out)
