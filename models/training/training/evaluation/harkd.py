"""The same model through harkd itself: graphs in float32, int8 and int4, detector and segmenter."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingFault
from training.evaluation.interval import Rate
from training.evaluation.page import percent, table
from training.evaluation.recordings import labels_file

REPO = Path(__file__).parents[4]
#: What `npm run bench:wer` runs once it has built.
BENCH = REPO / "dist" / "test" / "bench" / "word-errors.js"
LONGEST_S = 3600


@dataclass(frozen=True)
class Format:
    """What harkd makes of the model with weights in one format; differences are to float32, paired."""

    weights: str
    megabytes: float
    wer: Rate | None
    difference: Rate | None
    noisy_wer: Rate | None
    #: labelled words in recordings of people, through detector and segmenter, as written and as published
    found: Rate | None
    found_published: Rate | None


def check_built() -> None:
    """Raises HARKD_NOT_BUILT."""
    if not BENCH.exists():
        raise TrainingFault("HARKD_NOT_BUILT", str(BENCH), "no such file", f"run: npm run build in {REPO}")


def score_formats(
    model: Path, corpus: Path, utterances: int, seed: int, recordings: Path | None
) -> list[Format]:
    """Runs harkd's bench:wer on `utterances` (18 or more) of a corpus folder, clean and in noise.

    Raises HARKD_NOT_BUILT, or HARKD_FAILED with its last line.
    """
    check_built()
    with tempfile.TemporaryDirectory() as folder:
        command = ["node", str(BENCH), "--model", str(model.resolve()), "--corpus", str(corpus.resolve())]
        command += ["--utterances", str(utterances), "--seed", str(seed), "--quiet-minutes", "0.1"]
        command += ["--out", folder]
        if recordings is not None:
            command += ["--recordings", str(recordings.resolve())]
            command += ["--labels", str(labels_file(recordings).resolve())]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, cwd=REPO)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TrainingFault("HARKD_FAILED", "node and harkd", str(error), "install Node 20") from error
        if ended.returncode:
            said = [line for line in ended.stderr.splitlines() if line.strip()]
            came = said[-1] if said else f"exit status {ended.returncode}"
            raise TrainingFault("HARKD_FAILED", "harkd to hear the corpus", came, f"run {' '.join(command)}")
        [written] = Path(folder).glob("*.json")
        return formats_in(json.loads(written.read_text()))


def formats_in(report: dict) -> list[Format]:
    """The formats of a report of bench:wer."""

    def rate(value: dict | None) -> Rate | None:
        return None if value is None else Rate(value["rate"], value["low"], value["high"])

    people = report.get("recordings") or {}
    formats = []
    for variant in report["variants"]:
        name = variant["name"]
        clean, everything = (report[part]["scores"][name] for part in ("clean", "everything"))
        formats.append(
            Format(
                name,
                variant["megabytes"],
                rate(clean.get("wer")),
                rate(clean.get("difference")),
                rate(everything.get("wer")),
                rate(people.get("found", {}).get(name)),
                rate(people.get("foundPublished", {}).get(name)),
            )
        )
    return formats


def render_formats(model: str, corpus: str, formats: list[Format]) -> str:
    """Markdown, ending in a line feed."""
    rows = [
        [
            one.weights,
            f"{one.megabytes:.1f}",
            *map(percent, (one.wer, one.difference, one.noisy_wer)),
            *map(percent, (one.found, one.found_published)),
        ]
        for one in formats
    ]
    header = ["weights", "MB", "WER, %", "to fp32, points", "WER with noise, %"]
    header += ["labelled words written, %", "published, %"]
    said = (
        f"Utterances of {corpus}, clean, and together with the same at 20 to 0 dB (noises of harkd's "
        "bench:wer, not those of training); recordings of people through harkd's detector and segmenter."
    )
    return "\n\n".join([f"## Through harkd: {model}", table(header, rows), said]) + "\n"
