"""Evaluation end to end on a small corpus spoken here, and its parts."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from worsened import worse

from training.__main__ import main
from training.augment.command import read_wav, write_wav
from training.corpus import Corpus
from training.errors import TrainingFault
from training.evaluation import command, standard
from training.evaluation.beside import differences
from training.evaluation.conditions import conditions, windows
from training.evaluation.measure import Extent
from training.evaluation.recogniser import PADDING_SAMPLES, STEP_SAMPLES, Recogniser, framed, gate_of
from training.evaluation.recordings import read_recordings, score_recordings, trimmed
from training.evaluation.scores import Trial, by_length, score_of
from training.evaluation.standard import Standard, make_standard
from training.speech import engines
from training.text import core_words, split_of

REPO = Path(__file__).parents[3]
EMBEDDED = REPO / "models" / "embedded"
GOLDEN = REPO / "test" / "golden" / "nano"
SENTENCES = [
    "turn on the kitchen lights",
    "set a timer for ten minutes",
    "what time is it",
    "stop",
    "volume up",
    "can i get a large latte with oat milk and one more sugar please",
]

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser.load(EMBEDDED)


@pytest.fixture(scope="module")
def golden():
    entries = json.loads((GOLDEN / "golden.json").read_text())
    return [(read_wav(GOLDEN / entry["wav"]), entry["text"]) for entry in entries]


def speak(folder: Path) -> Path:
    """A corpus folder with every sentence by two voices of flite."""
    folder.mkdir()
    rows, sounds, at = [], [], 0
    for voice in ("slt", "rms"):
        for text in SENTENCES:
            wav = folder / "said.wav"
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True)
            sound = (read_wav(wav) * 32767).astype(np.int16)
            row = {"text": text, "kind": "command", "engine": "flite", "voice": f"flite:{voice}"}
            rows.append(row | {"start": at, "end": at + len(sound)})
            sounds.append(sound)
            at += len(sound)
    wav.unlink()
    np.save(folder / "000000.npy", np.concatenate(sounds))
    (folder / "000000.json").write_text(json.dumps(rows))
    return folder


def test_sounds_heard_together_are_heard_as_alone(recogniser, golden):
    sounds = [samples for samples, _ in golden]
    together = recogniser.hear(sounds)
    for sound, heard, (_, text) in zip(sounds, together, golden, strict=True):
        [alone] = recogniser.hear([sound])
        assert heard.text == alone.text == text
        assert heard.average_log_probability == pytest.approx(alone.average_log_probability, abs=1e-4)


@needs_flite
def test_evaluation_end_to_end(tmp_path, capsys):
    corpus = speak(tmp_path / "corpus")
    people = tmp_path / "people"
    people.mkdir()
    shutil.copy(GOLDEN / "g1.wav", people)
    (people / "words.json").write_text(json.dumps({"g1.wav": ["kitchen", "lights", "zebra"]}))
    out = tmp_path / "report.json"
    given = ["--corpus", f"small={corpus}", "--recordings", str(people)]
    assert main(["evaluate", "--quick", "--model", str(EMBEDDED), *given, "--out", str(out)]) == 0
    report = json.loads(out.read_text())["models"]["embedded"]
    [score] = report["corpora"]
    assert (score["of"], score["utterances"], score["words"]) == ("small", 12, 64)
    # both voices speak plainly; a model that hears nothing would have 100 %
    assert 0 <= score["wer"]["rate"] < 0.4
    errors = score["substitutions"] + score["deletions"] + score["insertions"]
    assert score["wer"]["rate"] == pytest.approx(errors / 64, abs=1e-5)
    assert [part["of"] for part in report["by_length"]] == [
        "1 to 2 words",
        "3 to 5 words",
        "6 to 9 words",
        "10 words and more",
    ]
    by_name = {(one["kind"], one["name"]): one["every"]["wer"]["rate"] for one in report["conditions"]}
    assert by_name["clean", "clean"] == score["wer"]["rate"]
    assert by_name["babble", "0 dB"] > by_name["babble", "20 dB"]
    assert len(by_name) == 15
    assert report["recordings"]["written"]["rate"] == pytest.approx(2 / 3, abs=1e-5)
    assert {one["kind"] for one in report["nothing"]} >= {"digital silence", "music", "babble"}
    page = out.with_suffix(".md").read_text()
    assert capsys.readouterr().out == page
    assert "66.7" in page


@needs_flite
def test_models_side_by_side_on_the_standard_corpora(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "QUICK", Extent(12, 12, 1, 0.4))
    monkeypatch.setattr(standard, "STANDARD", (Standard("seen", "seen", "commands", "train", 12),))
    monkeypatch.setattr(engines, "installed", lambda voice: voice.key == "flite:slt")
    people = tmp_path / "people"
    people.mkdir()
    shutil.copy(GOLDEN / "g1.wav", people)
    (people / "words.json").write_text(json.dumps({"g1.wav": ["kitchen", "lights", "zebra"]}))
    out = tmp_path / "report.json"
    given = ["--model", f"small={worse(tmp_path / 'worse')}", "--model", str(EMBEDDED), "--quick"]
    given += ["--standard", str(tmp_path / "eval"), "--recordings", str(people), "--out", str(out)]
    assert main(["evaluate", *given]) == 0
    said = capsys.readouterr()
    report = json.loads(out.read_text())
    small, embedded = (report["models"][name] for name in ("small", "embedded"))
    rates = [one["corpora"][0]["wer"]["rate"] for one in (small, embedded)]
    assert rates[0] > rates[1] + 0.2
    [difference] = report["differences"]
    assert (difference["of"], difference["model"], difference["than"]) == ("seen", "embedded", "small")
    assert difference["wer"]["rate"] == pytest.approx(rates[1] - rates[0], abs=1e-5)
    # what is one model's alone is not the other's
    assert embedded["recordings"]["written"]["rate"] == pytest.approx(2 / 3, abs=1e-5)
    assert small["recordings"]["written"]["rate"] < 0.5
    assert small["model"]["folder"].endswith("worse")

    page = out.with_suffix(".md").read_text()
    assert said.out == page
    cells = {
        row[0]: row[1:]
        for line in page.splitlines()
        if line.startswith("|") and (row := [cell.strip() for cell in line.strip("|").split("|")])
    }
    assert cells["seen"][0] == "12"
    assert [cell.split(" (")[0] for cell in cells["seen"][1:]] == [
        f"{100 * rate:.1f}" for rate in (*rates, rates[1] - rates[0])
    ]
    assert cells["tempo, 0.8"][0] == "12" and cells["seen: tempo"][2].count(",") == 3
    assert cells["labelled words written"][1].startswith("66.7")
    assert [len(cells[f"seen: {kind}"]) for kind in ("clean", "babble", "room")] == [3, 3, 3]
    [missing] = report["missing"]
    assert missing.startswith("seen: without") and "flite:awb (package flite)" in missing
    assert f"MISSING: {missing}" in said.err and missing in page


def test_differences_are_paired_and_to_the_first_model():
    def trial(corpus, heard):
        return Trial(corpus, "flite", "slt", "turn on the lights", heard, heard)

    trials = {
        "a": [trial("one", "turn off the lights"), trial("one", ""), trial("two", "turn on the lights")],
        "b": [trial("one", "turn on the lights"), trial("one", "turn"), trial("two", "turn on a light")],
        "c": [trial("one", "turn off the lights"), trial("one", ""), trial("two", "turn on the lights")],
    }
    made = [(one.of, one.model, one.than, one.wer.rate) for one in differences(trials)]
    assert made == [
        ("one", "b", "a", (-1 - 1) / 8),
        ("two", "b", "a", 2 / 4),
        ("one", "c", "a", 0),
        ("two", "c", "a", 0),
    ]


@needs_flite
def test_standard_corpora_are_made_once_and_what_is_missing_is_told(tmp_path, monkeypatch):
    rows = (
        Standard("seen", "seen", "commands", "train", 3),
        Standard("new", "new", "home", "unseen-voice", 2),
        Standard("engine", "engine", "home", "unseen-engine", 2),
    )
    monkeypatch.setattr(standard, "STANDARD", rows)
    monkeypatch.setattr(engines, "installed", lambda voice: voice.engine == "flite")
    told: list[str] = []
    folders, missing = make_standard(tmp_path, told.append)
    assert folders == {"seen": tmp_path / "seen", "new": tmp_path / "new"}
    seen, new = (Corpus(folder).utterances for folder in folders.values())
    assert (len(seen), len(new)) == (3, 2)
    assert all(split_of(one.text) == "test" for one in (*seen, *new))
    assert {word for one in seen for word in one.text.split()} <= set(core_words())
    assert {one.voice for one in new} == {"flite:rms"}
    assert [line.split(":")[0] for line in missing] == ["seen", "new", "engine"]
    assert "rhvoice:lyubov" in missing[1] and "VOICE_MISSING" in missing[2]
    assert [line for line in told if line.startswith("MISSING: ")] == [f"MISSING: {line}" for line in missing]
    written_ns = [(folder / "000000.npy").stat().st_mtime_ns for folder in folders.values()]
    assert make_standard(tmp_path, told.append) == (folders, missing)
    assert written_ns == [(folder / "000000.npy").stat().st_mtime_ns for folder in folders.values()]


def test_two_models_of_one_name_are_refused(tmp_path, capsys):
    given = ["--model", str(EMBEDDED), "--model", f"embedded={EMBEDDED}", "--out", str(tmp_path / "r.json")]
    assert main(["evaluate", *given]) == 2
    assert "MODEL_TWICE: expected each name once, got embedded again" in capsys.readouterr().err


@needs_flite
def test_each_condition_does_what_it_says(tmp_path):
    corpus = Corpus(speak(tmp_path / "corpus"))
    samples = corpus.utterances[0].samples()
    silent = framed(samples)
    made = {(one.kind, one.name): one.of(samples, 1, 0) for one in conditions(corpus, 1)}
    assert np.array_equal(made["clean", "clean"], silent)
    speech_energy = np.mean(np.square(samples))
    for kind in ("household noise", "babble"):
        for snr_db in (20, 0):
            noise = made[kind, f"{snr_db} dB"] - silent
            came_db = 10 * np.log10(speech_energy / np.mean(np.square(noise)))
            # clipping takes a little of the loudest
            assert came_db == pytest.approx(snr_db, abs=1.0)
    assert len(made["tempo", "0.8"]) > 1.15 * len(silent)
    assert len(made["tempo", "1.2"]) < 0.92 * len(silent)
    assert all(len(sound) % STEP_SAMPLES == 0 for sound in made.values())
    # the large room rings on after the words
    tail = slice(PADDING_SAMPLES + len(samples), None)
    rung = {name: np.abs(made["room", name][tail]).mean() for kind, name in made if kind == "room"}
    small, large = rung.values()
    assert large > 2 * small > 0
    again = {(one.kind, one.name): one.of(samples, 1, 0) for one in conditions(corpus, 1)}
    assert all(np.array_equal(made[key], again[key]) for key in made)


def test_windows_hold_several_utterances_and_no_more_than_fits():
    sounds = [np.full(16000, at, np.float32) for at in range(1, 6)]
    made = windows(sounds, list("abcde"), lambda text: len(text) < 6, 10.0, 1)
    assert [text for _, text in made] == ["a b c", "d e"]
    assert 3.6 < len(made[0][0]) / 16000 < 6
    assert windows(sounds, list("abcde"), lambda _: True, 1.5, 1) == []


def test_scores_by_hand():
    trials = [
        Trial("c", "flite", "slt", "turn on the lights", "turn off the lights", "turn off the lights"),
        Trial("c", "flite", "slt", "stop", "stop", ""),
        Trial("c", "flite", "slt", "volume up", "", ""),
    ]
    score = score_of("all", trials)
    assert (score.words, score.substitutions, score.deletions, score.insertions) == (7, 1, 2, 0)
    assert score.wer.rate == pytest.approx(3 / 7)
    assert score.published_wer.rate == pytest.approx(4 / 7)
    assert (score.right, score.empty, score.withheld) == (1, 1, 1)
    lengths = [(part.of, part.utterances) for part in by_length(trials)]
    assert lengths == [("1 to 2 words", 2), ("3 to 5 words", 1)]


def test_speech_is_found_by_energy():
    rng = np.random.default_rng(3)
    sound = rng.standard_normal(6 * 16000).astype(np.float32) * 0.001
    sound[2 * 16000 : 4 * 16000] += rng.standard_normal(2 * 16000).astype(np.float32) * 0.1
    sound[16000:16160] += 0.5  # a click of 10 ms is no speech
    assert len(trimmed(sound)) / 16000 == pytest.approx(2.4, abs=0.06)
    assert np.array_equal(trimmed(sound)[3200:4800], sound[32000:33600]) or len(trimmed(sound)) > 38000
    nothing = np.zeros(16000, np.float32)
    assert np.array_equal(trimmed(nothing), nothing)


def test_padding_does_not_cost_words(recogniser, golden, tmp_path):
    samples, text = golden[0]
    padded = np.concatenate([np.zeros(48000, np.float32), samples, np.zeros(48000, np.float32)])
    write_wav(tmp_path / "long.wav", padded)
    (tmp_path / "labels.json").write_text(json.dumps({"long.wav": text.split()}))
    recall = score_recordings(recogniser, read_recordings(tmp_path))
    assert recall.written.rate == recall.whole.rate == 1


def test_what_is_wrong_is_named(tmp_path):
    (tmp_path / "words.json").write_text('{"a.wav": "milk"}')
    with pytest.raises(TrainingFault, match="LABELS_INVALID"):
        read_recordings(tmp_path)
    (tmp_path / "words.json").write_text('{"a.wav": ["milk"]}')
    with pytest.raises(TrainingFault, match="a.wav"):
        read_recordings(tmp_path)
    (tmp_path / "card.json").write_text('{"decoding": {"minAvgLogProb": "high"}}')
    with pytest.raises(TrainingFault, match="CARD_INVALID"):
        gate_of(tmp_path)
    assert gate_of(EMBEDDED) == -0.7
    assert gate_of(tmp_path / "none") == -1
