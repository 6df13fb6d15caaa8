"""`python -m training golden`: what float32 PyTorch makes of ten utterances, for harkd's tests."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch

from training.augment.command import read_wav
from training.errors import TrainingFault
from training.evaluation.recogniser import Recogniser
from training.features import SAMPLES_MULTIPLE, log_mel

HELP = """Writes golden vectors of a model folder: golden.json and, for each WAV, *.logmel.f32 [80, frames],
*.encoder4.f32 [4, width] and *.logits.f32 [steps, vocabulary], little-endian float32.

example: python -m training golden --model ../embedded --out ../../test/golden/nano"""

#: Frames of the encoder's output that are kept: the whole is large, and a fault shows in the first.
ENCODER_FRAMES = 4
GOLDEN = Path(__file__).parents[4] / "test" / "golden" / "nano"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    recordings = "folder of g1.wav, g2.wav, … (default: the repository's)"
    parser.add_argument("--recordings", type=Path, default=GOLDEN, help=recordings)


def run(args: argparse.Namespace) -> None:
    entries = write_golden(args.model, args.recordings, args.out)
    for entry in entries:
        print(f"{entry['wav']}: {entry['text']} ({entry['avgLogProb']:.3f})")


def write_golden(model: Path, recordings: Path, out: Path) -> list[dict]:
    """Writes the vectors of all g*.wav in `recordings` to `out`, and the WAVs where they are not there.

    Raises RECORDINGS_MISSING, SOUND_UNREADABLE and what loading the model raises.
    """
    wavs = sorted(recordings.glob("g*.wav"), key=lambda wav: (len(wav.name), wav.name))
    if not wavs:
        wanted = f"g1.wav, g2.wav, … in {recordings}"
        raise TrainingFault("RECORDINGS_MISSING", wanted, "none", "name another")
    recogniser = Recogniser.load(model)
    out.mkdir(parents=True, exist_ok=True)
    # with several threads sums are added in another order
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        entries = [_write_vectors(recogniser, wav, out) for wav in wavs]
    finally:
        torch.set_num_threads(threads)
    (out / "golden.json").write_text(json.dumps(entries, indent=1))
    return entries


@torch.inference_mode()
def _write_vectors(recogniser: Recogniser, wav: Path, out: Path) -> dict:
    samples = read_wav(wav)
    samples = samples[: len(samples) // SAMPLES_MULTIPLE * SAMPLES_MULTIPLE]
    model, tokenizer = recogniser.model, recogniser.tokenizer
    mel = log_mel(torch.from_numpy(samples)[None], model.shape.num_mel_bins)
    sound = model.encode(mel)
    ids, logits, average = _decoded(recogniser, sound)
    for name, values in (("logmel", mel[0]), ("encoder4", sound[0, :ENCODER_FRAMES]), ("logits", logits)):
        (out / f"{wav.stem}.{name}.f32").write_bytes(np.ascontiguousarray(values.numpy(), "<f4").tobytes())
    if wav.resolve() != (out / wav.name).resolve():
        shutil.copyfile(wav, out / wav.name)
    return {
        "wav": wav.name,
        "samples": len(samples),
        "melFrames": mel.shape[2],
        "encoderFrames": sound.shape[1],
        "tokens": ids,
        "text": tokenizer.decode(ids),
        "avgLogProb": average,
        "steps": len(logits),
    }


def _decoded(recogniser: Recogniser, sound: torch.Tensor) -> tuple[list[int], torch.Tensor, float]:
    """Greedy ids without the end, logits [steps, vocabulary] before suppression, and the mean log-chance.

    Written apart from `training.decode`, one token at a time, so that each is a check of the other.
    """
    model, tokenizer = recogniser.model, recogniser.tokenizer
    specials = tokenizer.specials
    ids: list[int] = []
    rows: list[torch.Tensor] = []
    log_probabilities: list[float] = []
    while len(specials.prompt) + len(ids) < model.shape.max_target_positions:
        logits = model.decode(torch.tensor([specials.prompt + ids]), sound)[0, -1]
        rows.append(logits)
        never = torch.tensor(tokenizer.suppressed(model.shape.vocab_size, first=not ids))
        chances = logits.index_fill(0, never, -torch.inf).log_softmax(0)
        chosen = int(chances.argmax())
        log_probabilities.append(float(chances[chosen]))
        if chosen == specials.end:
            break
        ids.append(chosen)
    return ids, torch.stack(rows), sum(log_probabilities) / len(log_probabilities)
