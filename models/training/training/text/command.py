"""`python -m training text`: prints sentences of the grammar."""

import argparse
from itertools import islice

from training.errors import TrainingFault
from training.text import sentences
from training.text.mix import GRAMMARS

HELP = "print sentences of the written grammar, one to a line"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's options."""
    parser.add_argument("--count", type=int, default=20, help="how many sentences (default 20)")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same sentences (default 1)"
    )
    parser.add_argument("--split", default="train", help="train or test (default train)")
    parser.add_argument("--grammar", choices=tuple(GRAMMARS), default="home", help="which (default home)")
    parser.add_argument("--kind", action="store_true", help="put the kind and a tab before each sentence")


def run(args: argparse.Namespace) -> None:
    """Prints `args.count` sentences."""
    if args.count < 0:
        raise TrainingFault("COUNT_INVALID", "a count of 0 or more", str(args.count), "give --count 20, say")
    for sentence in islice(sentences(args.seed, args.split, grammar=args.grammar), args.count):
        print(f"{sentence.kind}\t{sentence.text}" if args.kind else sentence.text)
