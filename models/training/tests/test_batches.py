"""Batches: sizes, texts and where speech lies, on a corpus of tones."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from test_losses import EMBEDDED

from training.augment import Augmenter, augmented_mel
from training.batches import POSITION_SAMPLES, ROWS_STEP, Batches, Batching
from training.corpus import Utterance
from training.tokens import Tokenizer


@dataclass
class Tones:
    """A corpus of tones of 0.5 to 4 s."""

    utterances: list[Utterance]


def tones():
    random = np.random.default_rng(1)
    lengths = random.integers(8000, 64000, 300)
    tone = (9830 * np.sin(np.arange(64000) * 0.2)).astype(np.int16)
    one = Utterance("turn on the lights", "light", "tone", "tone:a", 0, 0, "000000", tone)
    return Tones([replace(one, end=int(length)) for length in lengths])


def batches(how, seed=1):
    corpus = tones()
    tokenizer = Tokenizer.load(EMBEDDED / "tokenizer.json")
    augmenter = Augmenter(corpus, seed, rooms=2, noise_clips=4)
    return Batches(corpus, augmenter, tokenizer, 59, how, seed).forever(lambda: 0.5)


def test_batches_keep_to_their_size_and_name_where_speech_is():
    how = Batching(frames=3000, empty=0.2, joined=0.0, long_pad=0.0)
    seen = empties = 0
    for _, batch in zip(range(25), batches(how)):
        rows, width = batch.samples.shape
        assert width % POSITION_SAMPLES == 0
        assert rows * width / 160 < 3000 * 1.8 or rows == 1
        for text, (start_s, end_s) in zip(batch.texts, batch.spans_s, strict=True):
            seen += 1
            empties += text == ""
            assert 0 <= start_s <= end_s <= width / 16000 + 4
            assert (end_s > start_s) == (text != "")
    assert 0.1 < empties / seen < 0.3


def test_batches_come_in_few_shapes_and_none_is_a_scrap():
    """Code for products is made for each shape anew, and one process waits for another with more to do."""
    how = Batching(frames=3000, empty=0.0, joined=0.0, long_pad=0.0, pool=60)
    made = [batch.samples.shape for _, batch in zip(range(40), batches(how))]
    assert all(rows % ROWS_STEP == 0 or rows < ROWS_STEP for rows, _ in made)
    assert max(rows for rows, _ in made) > ROWS_STEP
    assert min(rows * width / 160 for rows, width in made) > 3000 / 4
    random = np.random.default_rng(1)
    for rows, width in made[:5]:
        mel = augmented_mel(torch.zeros(rows, width), 80, 0.7, random)
        assert mel.masked.shape == mel.unmasked.shape and mel.masked.shape[2] % 16 == 0
        assert mel.masked.shape[2] == pytest.approx(mel.stretched * width / 160)


def test_joined_utterances_have_both_texts_and_fit_the_window():
    how = Batching(frames=3000, empty=0.0, joined=1.0)
    texts = [text for _, batch in zip(range(10), batches(how)) for text in batch.texts]
    both = "turn on the lights turn on the lights"
    assert 0.5 < texts.count(both) / len(texts) < 1
    widths = [batch.samples.shape[1] for _, batch in zip(range(10), batches(how))]
    assert max(widths) <= 14 * 16000


def test_the_same_seed_gives_the_same_batches():
    first, again, other = (next(batches(Batching(), seed)).samples for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
