"""From utterances to batches: pools sorted by length, augmented, with texts for decoder and phoneme loss."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.augment import Augmenter
from training.corpora import Corpora
from training.corpus import Utterance
from training.tokens import Tokenizer

SAMPLE_RATE_HZ = 16000
#: samples that make one position of the encoder; harkd cuts its segments to a multiple, too
POSITION_SAMPLES = 320
#: Batches of this many rows or more have a multiple of it: on the CPU, products of a shape that was there before take a
#: half to a fifth of the time of those for which code must be made first, and there are fewer shapes so.
ROWS_STEP = 4


@dataclass(frozen=True)
class Batching:
    """How batches are made up."""

    #: mel frames per batch of one process, padding included
    frames: int = 5400
    #: utterances drawn at a time; a batch takes neighbours in length from them
    pool: int = 800
    #: share of the items that hold no speech and have no text
    empty: float = 0.1
    #: share of batches with up to 2.5 s of silence around the speech
    long_pad: float = 0.08
    #: share of batches in which utterances follow each other in one window
    joined: float = 0.1
    #: what no window is longer than
    longest_s: float = 14.0


@dataclass(frozen=True)
class Batch:
    #: [B, samples], padded with digital silence to the longest
    samples: Tensor
    texts: list[str]
    #: where speech starts and ends in each, s
    spans_s: list[tuple[float, float]]


class Batches:
    """Endless batches of a corpus that may still be growing."""

    def __init__(
        self,
        corpus: Corpora,
        augmenter: Augmenter,
        tokenizer: Tokenizer,
        longest_text: int,
        how: Batching,
        seed: int,
    ) -> None:
        self._corpus = corpus
        self._augmenter = augmenter
        self._tokenizer = tokenizer
        self._longest_text = longest_text
        self._how = how
        self._random = random.Random(seed)

    def forever(self, strength: Callable[[], float]) -> Iterator[Batch]:
        """`strength` of the augmentation is asked for each pool anew."""
        while True:
            utterances = self._corpus.utterances
            pool = self._random.sample(utterances, min(self._how.pool, len(utterances)))
            yield from self._of_pool(pool, strength())

    def _of_pool(self, pool: list[Utterance], strength: float) -> Iterator[Batch]:
        jitter = self._random.random
        pool.sort(key=lambda u: (u.end - u.start) * (1 + 0.15 * jitter()))
        groups: list[list[Utterance]] = [[]]
        for utterance in pool:
            # the longest comes last, so the batch will be about as wide as this one, augmentation included
            frames = (utterance.end - utterance.start) / 160 + 50
            if groups[-1] and frames * (len(groups[-1]) + 1) > self._how.frames:
                groups.append([])
            groups[-1].append(utterance)
        if len(groups) > 1:
            # what is left over would make the other processes wait for nothing; it is drawn again
            longest = groups[-1][-1]
            if ((longest.end - longest.start) / 160 + 50) * len(groups[-1]) < self._how.frames / 2:
                groups.pop()
        self._random.shuffle(groups)
        for group in groups:
            yield self._batch(group, strength)

    def _batch(self, group: list[Utterance], strength: float) -> Batch:
        how = self._how
        joined = self._random.random() < how.joined
        long_pad = not joined and self._random.random() < how.long_pad
        if joined or long_pad:
            group = group[: len(group) // 2 + 1]
        if len(group) >= ROWS_STEP:
            group = group[: len(group) // ROWS_STEP * ROWS_STEP]
        longest_s = max(u.end - u.start for u in group) / SAMPLE_RATE_HZ + 0.3
        clips, texts, spans = [], [], []
        for utterance in group:
            if self._random.random() < how.empty:
                clips.append(self._augmenter.nothing(longest_s * (1.6 if long_pad else 1)))
                texts.append("")
                spans.append((0.0, 0.0))
                continue
            samples, text = utterance.samples(), utterance.text
            if joined and self._random.random() < 0.8:
                samples, text = self._followed(samples, text)
            heard = self._augmenter(samples, strength, long_pad)
            clips.append(heard.samples)
            texts.append(text)
            spans.append((heard.speech_start_s, heard.speech_end_s))
        width = max(map(len, clips)) + self._random.choice([0, 0, 0, 1600, 4000])
        width = min(width, int(how.longest_s * SAMPLE_RATE_HZ)) // POSITION_SAMPLES * POSITION_SAMPLES
        padded = np.zeros((len(clips), width), np.float32)
        for row, clip in zip(padded, clips):
            row[: len(clip)] = clip[:width]
        return Batch(torch.from_numpy(padded), texts, spans)

    def _followed(self, samples: np.ndarray, text: str) -> tuple[np.ndarray, str]:
        """Another utterance after a short pause, where text and window have room for it."""
        other = self._random.choice(self._corpus.utterances)
        both = f"{text} {other.text}"
        pause = np.zeros(int(SAMPLE_RATE_HZ * self._random.uniform(0.05, 0.6)), np.float32)
        longer = np.concatenate([samples, pause, other.samples()])
        fits = len(longer) < (self._how.longest_s - 4) * SAMPLE_RATE_HZ
        return (
            (longer, both)
            if fits and len(self._tokenizer.encode(both)) <= self._longest_text
            else (samples, text)
        )
