"""`python -m training curve`: how a model got better while it was trained."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from training.errors import TrainingFault
from training.evaluation.chart import Line, render_lines
from training.evaluation.command import note, read_corpora, rounded
from training.evaluation.interval import Rate
from training.evaluation.measure import Voices, clean_trials
from training.evaluation.recogniser import Recogniser
from training.evaluation.recordings import read_recordings, score_recordings
from training.evaluation.scores import scores_by

HELP = """Hears some utterances with every snapshot of a training run (RUN/snapshots/NNNNNNN, a model folder
after so many utterances) and draws word error rates, and labelled words found in recordings of people, over
what was spent. Writes OUT.svg and OUT.json; snapshots that OUT.json already has are not heard again. Without --run
OUT.json is drawn as it is.

example: python -m training curve --run /data/run --corpus seen=/data/seen --out /data/curve"""

AXES = {"presentations": "utterances presented", "core-hours": "hours of one core"}


@dataclass(frozen=True)
class Point:
    """A snapshot: what was spent until then, and how well it does."""

    presentations: int
    #: None where the run's metrics do not say
    core_hours: float | None
    wer: dict[str, Rate | None]
    #: share of the labelled words found in recordings of people
    found: Rate | None


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--run", type=Path, help="folder that `train` wrote")
    several = "may be given again"
    parser.add_argument("--corpus", action="append", default=[], metavar="NAME=FOLDER", help=several)
    parser.add_argument("--recordings", type=Path, help="folder with words.json: {file.wav: [words]}")
    parser.add_argument("--utterances", type=int, default=150, help="of each corpus (default 150)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--over", choices=sorted(AXES), default="presentations")
    parser.add_argument("--out", type=Path, required=True, help="OUT.svg and OUT.json are written")


def run(args: argparse.Namespace) -> None:
    file = args.out.with_suffix(".json")
    made = points_in(file) if args.run is None else hear_snapshots(args, file)
    args.out.with_suffix(".svg").write_text(draw(made, args.over))
    for point in made:
        rates = {**point.wer, "people, words found": point.found}
        said = "  ".join(f"{name} {100 * rate.rate:.1f} %" for name, rate in rates.items() if rate)
        print(f"{point.presentations:>9}  {said}")


def hear_snapshots(args: argparse.Namespace, file: Path) -> list[Point]:
    """The points of all snapshots of a run; those that `file` does not have are heard and written to it."""
    torch.set_num_threads(1)
    corpora = read_corpora(args.corpus)
    recordings = [] if args.recordings is None else read_recordings(args.recordings)
    if not corpora and not recordings:
        raise TrainingFault("NOTHING_TO_HEAR", "--corpus or --recordings", "neither", "name one")
    snapshots = find_snapshots(args.run)
    hours = CoreHours(args.run)
    voices = Voices(corpora, args.utterances, args.seed)
    heard = {
        "corpora": {name: str(corpus.folder) for name, corpus in corpora.items()},
        "recordings": None if args.recordings is None else str(args.recordings),
        "utterances": args.utterances,
        "seed": args.seed,
        "run": str(args.run),
    }
    points = known_points(file, heard)
    file.parent.mkdir(parents=True, exist_ok=True)
    for presentations, folder in snapshots:
        if presentations not in points:
            note(f"{presentations} utterances")
            recogniser = Recogniser.load(folder)
            scores = scores_by(clean_trials(recogniser, voices, args.seed, note), lambda trial: trial.corpus)
            recall = score_recordings(recogniser, recordings) if recordings else None
            found = None if recall is None else recall.written
            wer = {score.of: score.wer for score in scores}
            points[presentations] = Point(presentations, hours.at(presentations), wer, found)
            # after each: a run of many snapshots that is stopped goes on
            rows = [asdict(point) for _, point in sorted(points.items())]
            file.write_text(json.dumps(rounded({"heard": heard, "points": rows}), indent=1) + "\n")
    return [point for _, point in sorted(points.items())]


def find_snapshots(run_folder: Path) -> list[tuple[int, Path]]:
    """Presentations and model folders, in order; snapshot 0, the start, is left out: the axis is logarithmic.

    Raises NO_SNAPSHOTS.
    """
    folders = sorted((run_folder / "snapshots").glob("[0-9]*"))
    # one that is still being written has no weights yet
    whole = [folder for folder in folders if (folder / "model.safetensors").exists() and int(folder.name) > 0]
    if not whole:
        wanted = f"model folders in {run_folder / 'snapshots'}"
        raise TrainingFault("NO_SNAPSHOTS", wanted, "none", "name the --out of a training")
    return [(int(folder.name), folder) for folder in whole]


class CoreHours:
    """What a run had spent after so many presentations, from its metrics.jsonl and recipe.json."""

    def __init__(self, run_folder: Path) -> None:
        self._spent: list[tuple[int, float]] = []
        metrics, recipe = run_folder / "metrics.jsonl", run_folder / "recipe.json"
        if not metrics.exists():
            return
        processes = json.loads(recipe.read_text())["recipe"]["processes"] if recipe.exists() else 1
        for line in metrics.read_text().splitlines():
            row = json.loads(line)
            self._spent.append((row["presentations"], row["elapsed_s"] * processes / 3600))

    def at(self, presentations: int) -> float | None:
        """Interpolated between the lines before and after; the last line's where there is none after."""
        before = (0, 0.0)
        for after in self._spent:
            if after[0] >= presentations:
                share = (presentations - before[0]) / max(1, after[0] - before[0])
                return before[1] + share * (after[1] - before[1])
            before = after
        return before[1] if self._spent else None


def known_points(file: Path, heard: dict) -> dict[int, Point]:
    """The points of an earlier call that heard the same; none where it heard something else."""
    if not file.exists():
        return {}
    written, points = _read(file)
    return {point.presentations: point for point in points} if written == heard else {}


def points_in(file: Path) -> list[Point]:
    """Whatever heard them. Raises CURVE_INVALID."""
    return _read(file)[1]


def _read(file: Path) -> tuple[dict, list[Point]]:
    """What was heard, and the points."""
    try:
        written = json.loads(file.read_text())
        return written["heard"], [_point(row) for row in written["points"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingFault(
            "CURVE_INVALID", f"a curve in {file}", repr(error), "name another --out"
        ) from error


def _point(row: dict) -> Point:
    def rate(value: dict | None) -> Rate | None:
        return None if value is None else Rate(**value)

    wer = {name: rate(value) for name, value in row["wer"].items()}
    return Point(row["presentations"], row["core_hours"], wer, rate(row["found"]))


def draw(points: list[Point], over: str) -> str:
    """SVG. Raises NO_METRICS where it shall be over core-hours and none are known."""
    if over == "core-hours":
        points = [point for point in points if point.core_hours]
        if not points:
            raise TrainingFault("NO_METRICS", "metrics.jsonl in the run", "none", "draw --over presentations")

    def line(name: str, rates: list[Rate | None], dashed: bool = False) -> Line:
        at = [point.presentations if over == "presentations" else point.core_hours for point in points]
        known = [(x, rate) for x, rate in zip(at, rates) if x is not None and rate is not None]
        places = [(float(x), 100 * rate.rate) for x, rate in known]
        return Line(name, places, [(100 * rate.low, 100 * rate.high) for _, rate in known], dashed)

    names = list(dict.fromkeys(name for point in points for name in point.wer))
    lines = [line(f"WER, {name}", [point.wer.get(name) for point in points]) for name in names]
    found = line("people: labelled words found", [point.found for point in points], dashed=True)
    lines += [found] if found.points else []
    last = points[-1]
    said = [f"WER {name} {100 * rate.rate:.1f} %" for name, rate in last.wer.items() if rate]
    said += [f"{100 * last.found.rate:.1f} % of the labelled words of people found"] if last.found else []
    description = f"After {last.presentations} utterances: {', '.join(said)}."
    return render_lines(lines, "What training brought", AXES[over], 100.0, description)
