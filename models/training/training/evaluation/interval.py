"""How far a rate may lie from the truth: the utterances are drawn again (Efron 1979; Bisani and Ney 2004)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
SEED = 1


@dataclass(frozen=True)
class Rate:
    """A sum over another; 95 % of the draws lie from `low` to `high`."""

    rate: float
    low: float
    high: float


def rate_of(numerators: Sequence[float], denominators: Sequence[float]) -> Rate | None:
    """The rate over utterances that may come as well as others would have. None without a denominator.

    Errors over words give a word error rate; errors of one model less those of another, on the same
    utterances, give the paired difference of the two.
    """
    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    count = len(above)
    if not count or below.sum() == 0:
        return None
    # how often each utterance is drawn says all of a draw
    times = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), DRAWS)
    drawn_above, drawn_below = times @ above, times @ below
    # a draw of nothing but utterances without words tells nothing
    rates = drawn_above[drawn_below > 0] / drawn_below[drawn_below > 0]
    low, high = np.quantile(rates, (0.025, 0.975))
    return Rate(float(above.sum() / below.sum()), float(low), float(high))
