"""Word errors against counts made by hand, and intervals against what is known of them."""

import numpy as np
import pytest

from training.evaluation.interval import rate_of
from training.evaluation.word_errors import WordErrors, count_errors, labels_found, total


@pytest.mark.parametrize(
    ("said", "heard", "substitutions", "deletions", "insertions"),
    [
        ("turn on the lights", "turn on the lights", 0, 0, 0),
        ("turn on the lights", "Turn on the lights.", 0, 0, 0),
        ("turn on the lights", "turn off the light", 2, 0, 0),
        ("turn on the lights", "turn the lights", 0, 1, 0),
        ("turn on the lights", "please turn on the lights now", 0, 0, 2),
        ("turn on the lights", "", 0, 4, 0),
        ("", "turn on", 0, 0, 2),
        ("a b c", "b d", 1, 1, 0),
        # as cheap as a deletion and an insertion
        ("a b", "b a", 2, 0, 0),
        ("set a timer for ten minutes", "set the timer ten minutes please", 1, 1, 1),
        ("don't", "dont", 1, 0, 0),
    ],
)
def test_errors_by_kind(said, heard, substitutions, deletions, insertions):
    wanted = WordErrors(len(said.split()), substitutions, deletions, insertions)
    assert count_errors(said, heard) == wanted
    assert wanted.errors == substitutions + deletions + insertions


def test_sums():
    both = total([count_errors("a b", "a"), count_errors("c", "c d e")])
    assert both == WordErrors(3, 0, 1, 2)


@pytest.mark.parametrize(
    ("labels", "text", "found"),
    [
        (["milk", "shot"], "a shot with milk", 2),
        (["milk", "milk"], "milk please", 1),
        (["Milk"], "MILK", 1),
        (["milk"], "milkshake", 0),
        ([], "milk", 0),
        (["milk"], "", 0),
    ],
)
def test_labels(labels, text, found):
    assert labels_found(labels, text) == found


def test_the_interval_of_a_rate_is_that_of_a_binomial():
    rng = np.random.default_rng(5)
    errors = (rng.random(1000) < 0.2).astype(int)
    rate = rate_of(errors, np.ones(1000))
    share = errors.mean()
    wide = 1.96 * np.sqrt(share * (1 - share) / 1000)
    assert rate.rate == pytest.approx(share)
    assert rate.low == pytest.approx(share - wide, abs=0.004)
    assert rate.high == pytest.approx(share + wide, abs=0.004)


def test_more_utterances_make_a_narrower_interval():
    few, many = (rate_of([1, 0, 0, 0] * n, [4] * 4 * n) for n in (10, 250))
    assert few.rate == many.rate == 1 / 16
    assert many.high - many.low < (few.high - few.low) / 3


def test_certainty_and_nothing():
    assert rate_of([0, 0, 0], [5, 5, 5]).high == 0
    assert rate_of([], []) is None
    assert rate_of([1], [0]) is None
    # an utterance without words may be drawn by itself
    assert rate_of([0, 1], [0, 2]).rate == 0.5
