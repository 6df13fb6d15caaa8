"""What harkd publishes as it ships, counted by the evaluation: through the real `harkd transcribe`."""

import numpy as np
import pytest
from compiled import EMBEDDED
from golden_corpus import write_golden_corpus
from worsened import worse

from training.augment.command import read_wav
from training.corpus import Corpus
from training.errors import TrainingFault
from training.evaluation import shipped
from training.evaluation.beside import differences
from training.evaluation.measure import Extent
from training.evaluation.recordings import Recording
from training.evaluation.shipped import measure_shipped, publish, render_shipped

needs_harkd = pytest.mark.skipif(
    not shipped.HARKD.exists(), reason="harkd is not built: it needs Node and `npm run build`"
)
EXTENT = Extent(utterances=10, in_condition=2, long_windows=0, minutes_of_nothing=0)


def demo(name: str) -> np.ndarray:
    return read_wav(EMBEDDED / "demo" / f"{name}.wav")


@needs_harkd
def test_each_sound_has_its_own_text_and_silence_none(monkeypatch):
    monkeypatch.setattr(shipped, "FILES", 2)  # three sounds are two calls
    told = []
    texts = publish(EMBEDDED, [demo("lights"), np.zeros(16000, np.float32), demo("volume")], told.append)
    assert texts == ["dim the bedroom lights", "", "turn up the volume"]
    assert told == [2, 3]


@needs_harkd
def test_a_column_for_each_model(tmp_path):
    (tmp_path / "said").mkdir()
    write_golden_corpus(tmp_path / "said")
    corpora = {"golden": Corpus(tmp_path / "said")}
    people = [Recording(EMBEDDED / "demo" / "coffee.wav", ["large", "cappuccino", "tea"])]
    worsened = worse(tmp_path / "worse")
    notes: list[str] = []
    measured, trials = {}, {}
    for name, model in {"nano": EMBEDDED, "worse": worsened}.items():
        measured[name], trials[name] = measure_shipped(model, corpora, people, EXTENT, 1, notes.append)
    assert "clean: 10 sounds" in notes and "5 dB: 2 sounds" in notes
    assert all(len(of_model) == 10 for of_model in trials.values())
    nano, other = measured.values()
    assert nano.corpora[0].wer.rate < 0.1 < other.corpora[0].wer.rate
    assert nano.people.rate == pytest.approx(2 / 3)
    assert [one.name for one in nano.conditions][:4] == ["20 dB", "10 dB", "5 dB", "0 dB"]
    [difference] = differences(trials)
    assert difference.wer.rate == pytest.approx(other.corpora[0].wer.rate - nano.corpora[0].wer.rate)
    page = render_shipped(measured, [difference])
    assert page.count("\n| golden") == 7
    assert "| worse less nano, points |" in page and "| 66.7 (" in page


@needs_harkd
def test_what_harkd_complains_of_is_passed_on(tmp_path):
    with pytest.raises(TrainingFault, match="HARKD_FAILED.*texts of 1 sounds"):
        publish(tmp_path, [demo("lights")])


def test_without_a_build_of_harkd_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "HARKD", tmp_path / "none.js")
    with pytest.raises(TrainingFault, match="HARKD_NOT_BUILT.*npm run build"):
        publish(EMBEDDED, [np.zeros(16000, np.float32)])
