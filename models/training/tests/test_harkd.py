"""What is taken from a report of harkd's bench:wer."""

import json
from pathlib import Path

import pytest

from training.__main__ import main
from training.errors import TrainingFault
from training.evaluation import harkd
from training.evaluation.harkd import formats_in, render_formats, score_formats

REPO = Path(__file__).parents[3]
EMBEDDED = REPO / "models" / "embedded"
REPORT = REPO / "docs" / "bench" / "word-errors-2026-11-23.json"


def test_the_formats_of_a_report_of_harkd():
    report = json.loads(REPORT.read_text())
    formats = formats_in(report)
    assert [one.weights for one in formats] == ["fp32", "int8", "int8, decoder int4"]
    for one in formats:
        assert one.wer.rate == report["clean"]["scores"][one.weights]["wer"]["rate"]
        assert one.noisy_wer.rate > one.wer.rate
        assert one.found.rate >= one.found_published.rate > 0.5
    assert formats[0].difference.rate == 0
    assert f"{100 * formats[1].wer.rate:.1f} (" in render_formats("nano", "seen", formats)


def test_without_a_build_of_harkd_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(harkd, "BENCH", tmp_path / "none.js")
    with pytest.raises(TrainingFault, match="HARKD_NOT_BUILT.*npm run build"):
        score_formats(tmp_path, tmp_path, 20, 1, None)


def test_it_is_said_before_anything_is_made_or_heard(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(harkd, "BENCH", tmp_path / "none.js")
    given = [
        "--model",
        str(EMBEDDED),
        "--standard",
        str(tmp_path / "eval"),
        "--out",
        str(tmp_path / "r.json"),
    ]
    assert main(["evaluate", "--harkd", *given]) == 2
    assert "HARKD_NOT_BUILT" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_harkd_complains_of_is_passed_on(tmp_path, monkeypatch):
    script = tmp_path / "fails.js"
    script.write_text("console.error('no such corpus'); process.exit(1)")
    monkeypatch.setattr(harkd, "BENCH", script)
    with pytest.raises(TrainingFault, match="HARKD_FAILED.*no such corpus"):
        score_formats(tmp_path, tmp_path, 20, 1, None)
