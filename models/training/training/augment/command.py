"""`python -m training augment`: hear what the augmentation does to a recording."""

import argparse
import wave
from pathlib import Path

import numpy as np

from training.augment.augmenter import Augmenter
from training.errors import TrainingFault
from training.features import SAMPLE_RATE_HZ


def read_wav(path: Path) -> np.ndarray:
    """Samples float32 [n] of a WAV of 16 kHz, mono, 16 bits. Raises TrainingFault on anything else."""
    wanted = "a WAV file of 16000 Hz, one channel, 16 bits"
    try:
        with wave.open(str(path), "rb") as wav:
            came = f"{wav.getframerate()} Hz, {wav.getnchannels()} channels, {8 * wav.getsampwidth()} bits"
            fits = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (SAMPLE_RATE_HZ, 1, 2)
            data = wav.readframes(wav.getnframes()) if fits else b""
    except (OSError, EOFError, wave.Error) as error:
        raise TrainingFault("SOUND_UNREADABLE", wanted, f"{path}: {error}", "give another file") from error
    if not fits:
        remedy = "convert it: ffmpeg -i IN -ar 16000 -ac 1 -c:a pcm_s16le OUT.wav"
        raise TrainingFault("SOUND_INVALID", wanted, f"{path}: {came}", remedy)
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Writes `samples` [n] in -1..1 as a WAV of 16 kHz, mono, 16 bits."""
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE_HZ)
        wav.writeframes(np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2").tobytes())


HELP = "Augment one recording, to hear what a training run hears."


def _strength(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, got {text}")
    return value


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("input", type=Path, metavar="IN.wav")
    parser.add_argument("output", type=Path, metavar="OUT.wav")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other effects (default 0)")
    parser.add_argument("--strength", type=_strength, default=1.0, help="0 to 1 (default 1)")
    parser.add_argument("--long-pad", action="store_true", help="up to 2.5 s more of silence on each side")
    parser.add_argument("--corpus", type=Path, help="folder of utterances, for babble and television")


def run(args: argparse.Namespace) -> int:
    """Augments one WAV into another; prints where the speech lies in it."""
    samples = read_wav(args.input)
    corpus = None
    if args.corpus is not None:
        from training.corpus import Corpus  # only here: a recording alone needs no corpus

        corpus = Corpus(args.corpus)
    # Smaller banks than a training run has: one recording meets one room and one noise
    augment = Augmenter(corpus, args.seed, rooms=10, noise_clips=20)
    augmented = augment(samples, args.strength, args.long_pad)
    write_wav(args.output, augmented.samples)
    print(
        f"{args.output}: {len(augmented.samples) / SAMPLE_RATE_HZ:.2f} s, "
        f"speech from {augmented.speech_start_s:.2f} to {augmented.speech_end_s:.2f} s"
    )
    return 0
