"""Pronunciations by flite."""

import shutil

import pytest

from training.errors import TrainingFault
from training.phones import PHONES, Pronunciations

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="no flite: apt install flite")


def said(pronunciations, text):
    return " ".join(PHONES[phone] for phone in pronunciations.of(text))


@needs_flite
def test_words_are_looked_up_together_as_they_are_one_by_one(tmp_path):
    together = Pronunciations(tmp_path / "together.json")
    together.learn(["turn on the kitchen lights", "don't", "the thermostat's a"])
    assert said(together, "kitchen lights") == "k ih ch ax n l ay t s"
    for word in ("turn", "the", "a", "don't", "thermostat's"):
        alone = Pronunciations(tmp_path / f"{word}.json")
        alone.learn([word])
        assert said(together, word) == said(alone, word)
    # what was written is read
    assert said(Pronunciations(tmp_path / "together.json"), "don't") == said(together, "don't")


@needs_flite
def test_a_full_stop_inside_shifts_no_word(tmp_path):
    pronunciations = Pronunciations(tmp_path / "phones.json")
    pronunciations.learn(["hello dr.smith.no world"])
    assert said(pronunciations, "world") == "w er l d"
    assert said(pronunciations, "hello") == "hh ax l ow"


def test_without_flite_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrainingFault, match="ENGINE_MISSING"):
        Pronunciations(tmp_path / "phones.json").learn(["hello"])
