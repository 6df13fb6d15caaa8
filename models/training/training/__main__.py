"""`python -m training COMMAND …`: finds the command's module and runs it."""

import argparse
import importlib
import sys
from typing import NamedTuple

from training.errors import TrainingFault


class Command(NamedTuple):
    """A module with `HELP: str`, `arguments(parser)` and `run(args) -> int | None`, and a line on what it does."""

    module: str
    does: str


# In the order of the README's table. A module is imported only when its command is asked for, so that `text` works
# where torch is not installed; hence the lines are here and not there.
COMMANDS = {
    "text": Command("training.text.command", "print sentences of the written grammar"),
    "voices": Command("training.speech.listing", "list speech engines and voices, and what is not installed"),
    "synthesise": Command("training.speech.command", "speak sentences into a corpus"),
    "augment": Command("training.augment.command", "make a recording sound as in training"),
    "label": Command("training.label", "make a corpus of recordings with a teacher's words as texts"),
    "select": Command("training.select_command", "make a student of some layers of a teacher"),
    "train": Command("training.train_command", "train a model folder on corpora"),
    "evaluate": Command(
        "training.evaluation.command", "count word errors by voice and condition, and texts of nothing"
    ),
    "curve": Command("training.evaluation.curve", "draw how a model got better in its training"),
    "mean": Command("training.mean", "make a model between two"),
    "golden": Command("training.evaluation.golden", "write golden vectors for harkd's tests"),
    "adapt": Command("training.adapt.command", "make a model for one household"),
    "tiny": Command("training.tiny", "go the whole way once, too small to understand anything"),
}


def main(argv: list[str]) -> int:
    """Runs the command named in `argv`; returns the exit status, 2 on a TrainingFault, 130 where interrupted."""
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        prog="python -m training",
        usage="%(prog)s [-h] COMMAND [OPTIONS]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(
            [
                "commands, each of which has --help:",
                *(f"  {name:{width}}  {command.does}" for name, command in COMMANDS.items()),
            ]
        ),
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    module = importlib.import_module(COMMANDS[chosen.command].module)
    own = argparse.ArgumentParser(prog=f"python -m training {chosen.command}", description=module.HELP)
    module.arguments(own)
    try:
        return module.run(own.parse_args(chosen.rest)) or 0
    except TrainingFault as fault:
        print(fault, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
