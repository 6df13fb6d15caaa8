"""The curve of a training run, its picture, and the cost of models."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from worsened import EMBEDDED, worse

from training.__main__ import main
from training.errors import TrainingFault
from training.evaluation.chart import Line, ends_around, figure, render_lines
from training.evaluation.cost import decoder_multiply_adds, encoder_multiply_adds
from training.evaluation.curve import CoreHours, find_snapshots
from training.model import load_checkpoint

REPO = Path(__file__).parents[3]
GOLDEN = REPO / "test" / "golden" / "nano"


@pytest.fixture
def people(tmp_path):
    """Recordings whose labels are all of their words."""
    folder = tmp_path / "people"
    folder.mkdir()
    entries = json.loads((GOLDEN / "golden.json").read_text())[:3]
    for entry in entries:
        shutil.copy(GOLDEN / entry["wav"], folder)
    (folder / "words.json").write_text(json.dumps({entry["wav"]: entry["text"].split() for entry in entries}))
    return folder


def test_the_curve_of_a_run(tmp_path, people, capsys):
    run = tmp_path / "run"
    worse(run / "snapshots" / "0000500")
    (run / "snapshots" / "0002000").symlink_to(EMBEDDED)
    (run / "snapshots" / "0003000").mkdir()
    (run / "recipe.json").write_text(json.dumps({"recipe": {"processes": 2}}))
    rows = [{"presentations": 1000, "elapsed_s": 1800.0}, {"presentations": 2000, "elapsed_s": 5400.0}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [name for name, _ in find_snapshots(run)] == [500, 2000]

    out = tmp_path / "curve"
    given = ["curve", "--run", str(run), "--recordings", str(people), "--out", str(out)]
    assert main(given) == 0
    points = json.loads(out.with_suffix(".json").read_text())["points"]
    assert [point["presentations"] for point in points] == [500, 2000]
    assert [point["core_hours"] for point in points] == [0.5, 3.0]
    assert points[0]["found"]["rate"] < 0.5
    assert points[1]["found"]["rate"] == 1
    picture = ElementTree.parse(out.with_suffix(".svg")).getroot()
    assert picture[0].text == "After 2000 utterances: 100.0 % of the labelled words of people found."

    # nothing is heard again: the snapshots could not be
    shutil.rmtree(run / "snapshots" / "0000500")
    (run / "snapshots" / "0000500").mkdir()
    (run / "snapshots" / "0000500" / "model.safetensors").write_text("gone")
    capsys.readouterr()
    assert main([*given, "--over", "core-hours"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "100.0 %" in said.out

    # nor without the run
    drawn = out.with_suffix(".svg").read_text()
    out.with_suffix(".svg").unlink()
    assert main(["curve", "--out", str(out), "--over", "core-hours"]) == 0
    assert out.with_suffix(".svg").read_text() == drawn
    assert main(["curve", "--out", str(tmp_path / "none")]) == 2
    assert "CURVE_INVALID" in capsys.readouterr().err


def test_what_was_spent_between_the_lines_of_the_metrics(tmp_path):
    assert CoreHours(tmp_path).at(5) is None
    rows = [{"presentations": 1000, "elapsed_s": 3600.0}, {"presentations": 3000, "elapsed_s": 7200.0}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert [CoreHours(tmp_path).at(count) for count in (500, 1000, 2000, 9000)] == [0.5, 1, 1.5, 2]


def test_a_run_without_snapshots_is_refused(tmp_path):
    with pytest.raises(TrainingFault, match="NO_SNAPSHOTS"):
        find_snapshots(tmp_path)


def test_lines_lie_where_they_should():
    picture = render_lines([Line("WER", [(1000, 100), (100000, 0)])], "a < b", "x", 100, "said")
    root = ElementTree.fromstring(picture)
    [line] = [one for one in root if one.tag.endswith("polyline")]
    assert line.get("points") == "46.0,56.0 744.0,356.0"
    texts = [one.text for one in root]
    assert {"a < b", "10k", "100k", "0 %", "100 %"} <= set(texts)
    with pytest.raises(ValueError, match="above 0"):
        render_lines([Line("WER", [])], "", "", 100, "")


def test_ends_and_figures_of_an_axis():
    assert ends_around(1200, 40000) == (1000, 50000)
    assert ends_around(2000, 2000) == (2000, 5000)
    assert [figure(value) for value in (0.05, 20, 1500, 2e6)] == ["0.05", "20", "1.5k", "2M"]


def test_multiply_adds_are_those_of_the_matrices():
    shape = load_checkpoint(EMBEDDED).shape
    # one second: 100 frames, 50 positions
    stem = 100 * 192 * 80 * 3 + 50 * 192 * 192 * 3
    layer = 50 * (4 * 192 * 192 + 2 * 192 * shape.encoder_ffn_dim) + 2 * 50 * 50 * 192
    assert encoder_multiply_adds(shape, 1.0) == stem + shape.encoder_layers * layer
    windowed = stem + shape.encoder_layers * (layer - 2 * 50 * 40 * 192)
    assert encoder_multiply_adds(shape, 1.0, attention_window=10) == windowed
    one, two = (decoder_multiply_adds(shape, 1.0, tokens) for tokens in (1, 2))
    own = 2 * (6 * 192 * 192 + 2 * 192 * shape.decoder_ffn_dim + 2 * 192 * 52) + 192 * 1000
    assert two - one == own
    assert encoder_multiply_adds(replace(shape, encoder_layers=8), 1.0) - stem == 8 * layer
