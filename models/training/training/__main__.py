"""`python -m training COMMAND …`: finds the command's module and runs it."""

import argparse
import importlib
import sys

from training.errors import TrainingFault

# A module holds `HELP: str`, `arguments(parser)` and `run(args) -> int | None`. It is imported only when its
# command is asked for, so that `text` works where torch is not installed.
COMMANDS = {
    "adapt": "training.adapt.command",
    "curve": "training.evaluation.curve",
    "evaluate": "training.evaluation.command",
    "label": "training.label",
    "mean": "training.mean",
    "select": "training.select_command",
    "golden": "training.evaluation.golden",
    "augment": "training.augment.command",
    "synthesise": "training.speech.command",
    "text": "training.text.command",
    "tiny": "training.tiny",
    "train": "training.train_command",
    "voices": "training.speech.listing",
}


def main(argv: list[str]) -> int:
    """Runs the command named in `argv`; returns the exit status, 2 on a TrainingFault."""
    parser = argparse.ArgumentParser(prog="python -m training")
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    module = importlib.import_module(COMMANDS[chosen.command])
    own = argparse.ArgumentParser(prog=f"python -m training {chosen.command}", description=module.HELP)
    module.arguments(own)
    try:
        return module.run(own.parse_args(chosen.rest)) or 0
    except TrainingFault as fault:
        print(fault, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
