"""`python -m training label`: a corpus as a teacher hears it, kept where the teacher is sure."""

from __future__ import annotations

import argparse
import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.corpus import SAMPLE_RATE_HZ, Corpus, Utterance
from training.errors import TrainingFault
from training.evaluation.recogniser import Recogniser, framed, gate_of
from training.features import SAMPLES_MULTIPLE
from training.model import load_checkpoint
from training.tokens import Tokenizer

HELP = """Writes a corpus with a teacher's texts in place of what was known of it, for training students.
Utterances are kept where the teacher is sure: by the geometric mean of the probabilities of its tokens.
Interrupted, the same command goes on. Samples of what is kept are copied.

example: python -m training label --teacher /data/whisper-small.en --corpus /data/heard --out /data/labels
         (a Whisper that always heard 30 s: --window-s 30; for a student that writes as nano does: --plain)"""

#: utterances read at a time
TOGETHER = 100
#: what nano writes; digits and other characters have no letters to be replaced by
_PLAIN = re.compile(r"[a-z']+(?: [a-z']+)*")


@dataclass(frozen=True)
class Labelling:
    """How a corpus is labelled; one that was labelled otherwise is not gone on with."""

    teacher: str
    corpus: str
    least_confidence: float = 0.9
    #: what shorter sounds are filled up to with silence
    window_s: float = 0.0
    language: str = "en"
    #: texts are brought to lower case without punctuation; dropped where more would be needed
    plain: bool = False


@dataclass(frozen=True)
class Labelled:
    utterance: Utterance
    text: str
    confidence: float


def plain_text(text: str) -> str | None:
    """`text` in a-z and the apostrophe, or nothing where it holds digits or letters of other kinds."""
    words = re.sub(r"[-\s.,!?;:\"“”…—–()]+", " ", text.lower().replace("’", "'")).strip()
    return words if _PLAIN.fullmatch(words) else None


def _heard_as(samples: np.ndarray, window_s: float) -> np.ndarray:
    sound = framed(samples)
    return np.pad(sound, (0, max(0, int(window_s * SAMPLE_RATE_HZ) - len(sound))))


def label_shard(utterances: list[Utterance], teacher: Recogniser, how: Labelling) -> list[Labelled]:
    """What is kept of `utterances`, in their order. Those longer than the teacher hears at once are not."""
    longest = teacher.model.shape.max_source_positions * SAMPLES_MULTIPLE
    kept = []
    for at in range(0, len(utterances), TOGETHER):
        some = [(u, _heard_as(u.samples(), how.window_s)) for u in utterances[at : at + TOGETHER]]
        some = [(utterance, sound) for utterance, sound in some if len(sound) <= longest]
        for (utterance, _), heard in zip(some, teacher.hear([sound for _, sound in some])):
            text = plain_text(heard.text) if how.plain else heard.text
            confidence = math.exp(heard.average_log_probability)
            if text and confidence >= how.least_confidence:
                kept.append(Labelled(utterance, text, confidence))
    return kept


def _write_json(file: Path, value: object) -> None:
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(value, indent=1))
    beside.replace(file)


def _write_shard(out: Path, shard: str, kept: list[Labelled]) -> None:
    rows, parts, end = [], [], 0
    for labelled in kept:
        utterance = labelled.utterance
        samples = np.round(utterance.samples() * 32768).astype(np.int16)
        row = {name: getattr(utterance, name) for name in ("kind", "engine", "voice")}
        row |= {"text": labelled.text, "start": end, "end": end + len(samples)}
        rows.append(row | {"confidence": round(labelled.confidence, 4)})
        parts.append(samples)
        end += len(samples)
    beside = out / f"{shard}.npy.new"
    with beside.open("wb") as file:
        np.save(file, np.concatenate(parts))
    beside.replace(out / f"{shard}.npy")
    _write_json(out / f"{shard}.json", rows)


def label(how: Labelling, out: Path) -> dict[str, dict[str, int]]:
    """Writes the labelled corpus; returns by shard how many utterances were heard and kept.

    Raises LABELS_OTHER where `out` holds labels that were made otherwise.
    """
    folder = Path(how.teacher)
    tokenizer = Tokenizer.load(folder / "tokenizer.json", how.language)
    teacher = Recogniser(folder, load_checkpoint(folder).eval(), tokenizer, gate_of(folder))
    corpus = Corpus(how.corpus)
    out.mkdir(parents=True, exist_ok=True)
    card = out / "labels.json"
    said = {"labelling": asdict(how), "shards": {}}
    if card.exists():
        said = json.loads(card.read_text())
        if said["labelling"] != asdict(how):
            raise TrainingFault("LABELS_OTHER", f"the labelling in {card}", "another", "name an empty folder")
    shards: dict[str, list[Utterance]] = {}
    for utterance in corpus.utterances:
        shards.setdefault(utterance.shard, []).append(utterance)
    for shard, utterances in shards.items():
        if shard in said["shards"]:
            continue
        kept = label_shard(utterances, teacher, how)
        if kept:
            _write_shard(out, shard, kept)
        said["shards"][shard] = {"heard": len(utterances), "kept": len(kept)}
        _write_json(card, said)
        print(f"{shard}: {len(kept)} of {len(utterances)} utterances kept", flush=True)
    return said["shards"]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--teacher", required=True, help="model folder")
    parser.add_argument("--corpus", required=True, help="corpus folder; its texts are not looked at")
    parser.add_argument("--out", type=Path, required=True, help="folder for the labelled corpus")
    parser.add_argument("--least-confidence", type=float, default=Labelling.least_confidence)
    parser.add_argument("--window-s", type=float, default=Labelling.window_s, help="fill sounds up to this")
    parser.add_argument(
        "--language", default=Labelling.language, help="of a multilingual teacher (default en)"
    )
    parser.add_argument("--plain", action="store_true", help="texts of a-z and apostrophes only")


def run(args: argparse.Namespace) -> None:
    names = Labelling.__dataclass_fields__
    counts = label(Labelling(**{name: getattr(args, name) for name in names}), args.out).values()
    heard, kept = (sum(count[what] for count in counts) for what in ("heard", "kept"))
    print(f"{kept} of {heard} utterances kept")
