"""Lets the tests run from anywhere: `pytest models/training/tests`; and what several of them train by."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture
def recipe():
    """Of a training on the ten golden utterances that takes seconds, in this process."""
    # only here: tests of sentences and speech need no torch
    from training.batches import Batching
    from training.recipe import Recipe

    return Recipe(
        presentations=40,
        processes=1,
        warm_up_steps=2,
        snapshots=2,
        phone_head_steps=1,
        batching=Batching(frames=1200, pool=10, empty=0.0, long_pad=0.0, joined=0.0),
    )
