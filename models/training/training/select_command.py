"""`python -m training select`."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.distil import evenly, save_student, select
from training.model import load_checkpoint

HELP = """Makes a student of some layers of a teacher, to be trained beside it. Without lists, it keeps
half of each stack, evenly spread from the first to the last.

example: python -m training select --teacher /data/whisper-small --decoder-layers 0,11 --out /data/student
then:    python -m training train --start /data/student --teacher /data/whisper-small …"""


def _layers(text: str) -> list[int]:
    return [int(layer) for layer in text.split(",")]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--teacher", type=Path, required=True, help="model folder")
    parser.add_argument("--encoder-layers", type=_layers, help="to keep, counted from 0, with commas")
    parser.add_argument("--decoder-layers", type=_layers, help="to keep, counted from 0, with commas")
    parser.add_argument("--out", type=Path, required=True, help="folder for the student")


def run(args: argparse.Namespace) -> None:
    select_into(args.out, args.teacher, args.encoder_layers, args.decoder_layers)


def select_into(
    out: Path, teacher_folder: Path, encoder_layers: list[int] | None, decoder_layers: list[int] | None
) -> None:
    """Writes the student's folder. Raises LAYERS_INVALID and CHECKPOINT_INVALID."""
    teacher = load_checkpoint(teacher_folder)
    encoder = evenly(teacher.shape.encoder_layers) if encoder_layers is None else encoder_layers
    decoder = evenly(teacher.shape.decoder_layers) if decoder_layers is None else decoder_layers
    student = select(teacher, encoder, decoder)
    save_student(out, student, teacher_folder, decoder)
    print(
        f"kept encoder layers {encoder} of {teacher.shape.encoder_layers}, decoder layers {decoder} of "
        f"{teacher.shape.decoder_layers}: {student.parameter_count():,} of {teacher.parameter_count():,} "
        "parameters"
    )
