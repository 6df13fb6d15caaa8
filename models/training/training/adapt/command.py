"""`python -m training adapt`: a model for one household."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from training.adapt import check, export
from training.adapt.bar import Bar
from training.adapt.household import Household, check_pieces, read_household, read_names
from training.adapt.low_rank import last_layer, low_rank, merge
from training.adapt.report import card_rows, compared, table
from training.adapt.sayings import Saying, general_sayings, household_sayings
from training.adapt.spoken import (
    missing,
    speak_corpus,
    take_recordings,
    voices_to_check_with,
    voices_to_learn_from,
)
from training.adapt.tune import Tuner, TuningRecipe
from training.corpora import Corpora
from training.corpus import Corpus
from training.errors import TrainingFault
from training.evaluation.recogniser import Recogniser
from training.mean import between
from training.model import load_checkpoint
from training.speech.voices import Voice

HELP = """Teaches a model the names, rooms, devices and phrases of one household: speaks sentences with them,
trains a small update for a few minutes beside general sentences, and checks that those are heard as well as
before. Writes OUT/NAME, a folder for `harkd models add`, and OUT/report.json. Interrupted, the same command
goes on.

example: python -m training adapt --model ../embedded --household household.json --out /data/home
household.json: {"person": ["niamh", {"write": "siobhan", "say": "shavawn"}], "room": ["conservatory"],
                 "device": ["aquarium"], "phrase": ["feed the fish"]}"""
#: of the update, of which the first that does no harm is exported: weights between both forget less (training/mean.py)
SHARES = (1.0, 0.5, 0.25)
#: a recording of one's own is worth so many spoken utterances
RECORDED_TIMES = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    recipe = TuningRecipe()
    words = parser.add_mutually_exclusive_group(required=True)
    words.add_argument("--household", type=Path, help="JSON file of lists: person, room, device, phrase")
    words.add_argument("--names", type=Path, help="names, one a line: siobhan, or siobhan = shavawn")
    parser.add_argument("--model", type=Path, required=True, help="model folder to begin with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", help="of the model (default: of the base and of the file)")
    parser.add_argument("--recordings", type=Path, help='{"one.wav": "what is said"}: recordings of your own')
    parser.add_argument("--minutes", type=float, default=recipe.minutes, help="at most (default 5)")
    parser.add_argument("--steps", type=int, default=recipe.steps, help=f"at most (default {recipe.steps})")
    parser.add_argument(
        "--rank",
        type=int,
        default=recipe.rank,
        help=f"of the update: higher learns and forgets more (default {recipe.rank})",
    )
    parser.add_argument("--last-layer", action="store_true", help="train the last layer instead of an update")
    parser.add_argument(
        "--learning-rate", type=float, default=recipe.learning_rate, help=f"(default {recipe.learning_rate})"
    )
    parser.add_argument(
        "--utterances",
        type=int,
        default=400,
        help="to learn, with the words and as many without (default 400)",
    )
    parser.add_argument("--checked", type=int, default=150, help="to check, of each kind (default 150)")
    parser.add_argument("--engines", default="", help="that speak, commas between (default: all installed)")
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--force", action="store_true", help="export even what has forgotten")


class Folders(NamedTuple):
    """Corpora that are learnt from and checked with, of the household and in general."""

    learnt: Path
    rehearsed: Path
    checked: Path
    guard: Path


def run(args: argparse.Namespace) -> int:
    """Speaks, trains, checks, exports. 0, or 130 if interrupted (what is done stays)."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _adapt(args)
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command to go on", file=sys.stderr)
        return 130
    return 0


def _adapt(args: argparse.Namespace) -> None:
    # everything that can be refused is, before minutes are spent
    for option in ("minutes", "steps", "learning_rate", "utterances", "checked"):
        value = getattr(args, option)
        if not value > 0:
            wanted = f"--{option.replace('_', '-')} above 0"
            raise TrainingFault("USAGE_INVALID", wanted, str(value), "give a larger number")
    household = read_household(args.household) if args.household else read_names(args.names)
    recogniser = Recogniser.load(args.model)
    check_pieces(household, recogniser.tokenizer)
    name = export.name_for(export.read_card(args.model), household, args.name)
    recipe = _updated(args, recogniser, household)
    recorded = _recorded(args)
    folders = _speak(args, household)
    sets = {"household": Corpus(folders.checked), "general": Corpus(folders.guard)} | recorded.checked
    before = {kind: check.hear(recogniser, corpus) for kind, corpus in sets.items()}
    corpus = Corpora([folders.learnt, folders.rehearsed, *recorded.learnt])
    weights = blake2b((args.model / "model.safetensors").read_bytes()).hexdigest()
    where = [folder.parent.name for folder in folders]
    key = _key(asdict(recipe), args.last_layer, weights, args.utterances, where, recorded.key)
    state_file = args.out / "work" / f"tuning-{key}.pt"
    tuner = Tuner(recogniser.model, recogniser.tokenizer, corpus, recipe, state_file)
    bar = Bar("training")
    tuner.run(lambda share, loss: bar.told(share, f"loss {loss:.2f}"))
    learnt = merge(recogniser.model)
    base = load_checkpoint(args.model)
    for share in SHARES:
        recogniser.model = between(base, learnt, share).eval()
        after = {kind: check.hear(recogniser, corpus) for kind, corpus in sets.items()}
        report = {"recipe": asdict(recipe) | asdict(tuner.progress), "share": share}
        report |= compared(household, before, after)
        (args.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
        print(f"{share:.0%} of what was learnt:\n{table(report)}")
        fault = _reason_against(report)
        # less of it would teach even less
        if fault is None or fault.code == "ADAPT_IN_VAIN" or args.force:
            break
    if fault is not None and not args.force:
        raise fault
    if fault is not None:
        print(f"exported all the same (--force): {fault}", file=sys.stderr)
    export.export(args.out / name, recogniser.model, args.model, name, *card_rows(report))
    print(
        f"{args.out / name} is a model folder. On the board:\n  harkd models add ./{name}\n"
        f"  harkd run --model {name}"
    )


def _reason_against(report: dict[str, Any]) -> TrainingFault | None:
    """Why the model of `report` is not to be exported, if anything is."""
    before, after = (check.Recall(**report["recall"][when]["all"]) for when in ("before", "after"))
    try:
        check.require_unharmed(check.Change(**report["wer"]["general"]))
        check.require_learnt(before, after)
    except TrainingFault as fault:
        return fault
    return None


def _updated(args: argparse.Namespace, recogniser: Recogniser, household: Household) -> TuningRecipe:
    """Gives the model the update that will learn, which changes nothing yet."""
    if args.last_layer:
        terms = (recogniser.tokenizer.encode(term.text) for term in household.terms)
        last_layer(recogniser.model, sorted({id for term in terms for id in term}))
    else:
        low_rank(recogniser.model, args.rank, args.seed)
    return TuningRecipe(args.steps, args.minutes, args.rank, args.learning_rate, seed=args.seed)


def _speak(args: argparse.Namespace, household: Household) -> Folders:
    engines = [engine for engine in args.engines.split(",") if engine]
    learning, checking = voices_to_learn_from(engines), voices_to_check_with(engines)
    who = [voice.key for voice in learning + checking]
    seed = args.seed
    own = args.out / "work" / f"household-{_key([asdict(term) for term in household.terms], seed, who)}"
    general = args.out / "work" / f"general-{_key(seed, who)}"
    folders = Folders(own / "learnt", general / "rehearsed", own / "checked", general / "guard")
    # what is checked is of the split 'test', and in other voices where there are any
    jobs: list[tuple[Path, Iterator[Saying], int, list[Voice], str]] = [
        (folders.learnt, household_sayings(household, seed, "train"), args.utterances, learning, "train"),
        (folders.rehearsed, general_sayings(seed, "train"), args.utterances, learning, "train"),
        (folders.checked, household_sayings(household, seed + 1, "test"), args.checked, checking, "test"),
        (folders.guard, general_sayings(seed + 1, "test"), args.checked, checking, "test"),
    ]
    todo = sum(missing(folder, count) for folder, _, count, _, _ in jobs)
    bar, done = Bar(f"speaking {todo} sentences"), 0
    for folder, sayings, count, voices, split in jobs:
        new = missing(folder, count)

        def progress(spoken: int, done: int = done) -> None:
            # a shard that was begun by a smaller run is made again, and counts in no `missing`
            bar.told(min(1.0, (done + spoken) / max(1, todo)))

        speak_corpus(folder, sayings, count, voices, seed, split, progress)
        done += new
    return folders


@dataclass(frozen=True)
class Recorded:
    """Recordings of the household's own: to be learnt, each as often as it shall count, and to be checked."""

    learnt: list[Path]
    checked: dict[str, Corpus]
    key: str


def _recorded(args: argparse.Namespace) -> Recorded:
    if args.recordings is None:
        return Recorded([], {}, "")
    file: Path = args.recordings
    key = _key(str(file.resolve()), file.read_text() if file.exists() else "")
    folder = args.out / "work" / f"recorded-{key}"
    learnt, checked = take_recordings(file, folder / "learnt", folder / "checked")
    return Recorded(
        [folder / "learnt"] * (RECORDED_TIMES if learnt else 0),
        {"recorded": Corpus(folder / "checked")} if checked else {},
        key,
    )


def _key(*parts: object) -> str:
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=4).hexdigest()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
