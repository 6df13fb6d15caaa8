"""A model folder that hears sounds, many at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.decode import Hypothesis, greedy
from training.errors import TrainingFault
from training.features import SAMPLE_RATE_HZ, SAMPLES_MULTIPLE, log_mel
from training.model import Whisper, load_checkpoint
from training.tokens import Tokenizer

#: Silence that harkd leaves before and after what it takes for speech (`segment` of the model's card).
PADDING_SAMPLES = SAMPLE_RATE_HZ // 5
#: Sounds are heard at a multiple of this length, so that many are equally long and heard together.
STEP_SAMPLES = 5 * SAMPLES_MULTIPLE
#: Seconds of sound that are encoded at once, and texts that are written at once: more is no faster on a CPU.
ENCODED_S = 120
WRITTEN = 48
#: harkd's own where the card says nothing (models/whisper/belief.ts).
USUAL_GATE = -1.0


def framed(samples: np.ndarray) -> np.ndarray:
    """`samples` float32 [n] with silence before and after as in harkd, at a length that is heard as it is."""
    length = len(samples) + 2 * PADDING_SAMPLES
    out = np.zeros(-(-length // STEP_SAMPLES) * STEP_SAMPLES, np.float32)
    out[PADDING_SAMPLES : PADDING_SAMPLES + len(samples)] = samples
    return out


@dataclass
class Recogniser:
    """Greedy decoding in float32. `gate` is the mean log-probability below which harkd withholds a text."""

    folder: Path
    model: Whisper
    tokenizer: Tokenizer
    gate: float

    @staticmethod
    def load(folder: Path) -> Recogniser:
        """Raises CHECKPOINT_INVALID, TOKENIZER_INVALID or CARD_INVALID, naming the file."""
        model = load_checkpoint(folder).eval()
        return Recogniser(folder, model, Tokenizer.load(folder / "tokenizer.json"), gate_of(folder))

    @torch.inference_mode()
    def hear(
        self, sounds: Sequence[np.ndarray], told: Callable[[int], None] | None = None
    ) -> list[Hypothesis]:
        """What is said in each of `sounds` (float32 [n] in -1..1, 16 kHz), in order.

        Silence is added at the end up to the next tenth of a second; which others are heard at the same
        time makes no difference. `told` is told now and then how many are heard. Raises SOUND_TOO_LONG.
        """
        heard: dict[int, Hypothesis] = {}
        waiting: list[tuple[int, torch.Tensor]] = []
        for indices, encoded in self._encoded(sounds):
            waiting += zip(indices, encoded)
            while len(waiting) >= WRITTEN:
                heard |= self._written(waiting[:WRITTEN])
                del waiting[:WRITTEN]
                if told is not None:
                    told(len(heard))
        if waiting:
            heard |= self._written(waiting)
        return [heard[index] for index in range(len(sounds))]

    def _encoded(self, sounds: Sequence[np.ndarray]) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Indices of sounds, the shortest first, and what the encoder makes of them [B, positions, width]."""
        by_length: dict[int, list[int]] = {}
        for index, sound in enumerate(sounds):
            length = max(1, -(-len(sound) // STEP_SAMPLES)) * STEP_SAMPLES
            by_length.setdefault(length, []).append(index)
        for length, indices in sorted(by_length.items()):
            at_once = max(1, ENCODED_S * SAMPLE_RATE_HZ // length)
            for start in range(0, len(indices), at_once):
                chosen = indices[start : start + at_once]
                batch = np.zeros((len(chosen), length), np.float32)
                for row, index in zip(batch, chosen):
                    row[: len(sounds[index])] = sounds[index]
                mel = log_mel(torch.from_numpy(batch), self.model.shape.num_mel_bins)
                yield chosen, self.model.encode(mel)

    def _written(self, encoded: list[tuple[int, torch.Tensor]]) -> dict[int, Hypothesis]:
        sound = torch.nn.utils.rnn.pad_sequence([one for _, one in encoded], batch_first=True)
        positions = torch.tensor([len(one) for _, one in encoded])
        hypotheses = greedy(self.model, sound, self.tokenizer, positions)
        return {index: hypothesis for (index, _), hypothesis in zip(encoded, hypotheses)}

    def published(self, hypothesis: Hypothesis) -> str:
        """What harkd would publish: nothing where the text is not believed."""
        return hypothesis.text if hypothesis.average_log_probability >= self.gate else ""


def gate_of(folder: Path) -> float:
    """`decoding.minAvgLogProb` of the folder's card.json. Raises CARD_INVALID where that is no number."""
    card = folder / "card.json"
    if not card.exists():
        return USUAL_GATE
    try:
        gate = json.loads(card.read_text()).get("decoding", {}).get("minAvgLogProb", USUAL_GATE)
        return float(gate)
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise TrainingFault(
            "CARD_INVALID", f"decoding.minAvgLogProb, a number, in {card}", repr(error), "repair the card"
        ) from error
