"""The command as people run it, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.corpus import Corpus
from training.speech import synthesise
from training.speech.voices import VOICES
from training.text import core_words, split_of

HERE = Path(__file__).parents[1]


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "training", "synthesise", "--out", str(out), *options]
    return subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(out: Path, *options: str) -> str:
    process = start(out, *options)
    said, wrong = process.communicate(timeout=300)
    assert process.returncode == 0, wrong
    return said


@pytest.mark.parametrize(("signalled", "workers"), [(signal.SIGINT, "1"), (signal.SIGTERM, "2")])
def test_an_interrupted_run_cleans_up_and_goes_on(
    tmp_path: Path, signalled: signal.Signals, workers: str
) -> None:
    # many more shards than are made until a signal arrives on a busy machine
    shards = 12
    options = ("--utterances", str(10 * shards), "--shard", "10", "--seed", "9")
    process = start(tmp_path / "broken", *options, "--workers", workers)
    # its lines come seconds apart, in which a fast machine is through with all of it
    while process.poll() is None and not (tmp_path / "broken" / "000000.json").exists():
        time.sleep(0.01)
    process.send_signal(signalled)
    _, wrong = process.communicate(timeout=60)
    assert process.returncode == 130, wrong
    assert "run the same command to go on" in wrong and "Traceback" not in wrong
    temporary = synthesise.fast_folder() or "/tmp"
    assert not [f for f in os.listdir(temporary) if f.startswith(f"speech-{process.pid}-")]
    made = len(list((tmp_path / "broken").glob("0*.json")))
    assert 1 <= made < shards
    said = run(tmp_path / "broken", *options)
    assert f"{made} shards there, {shards - made} to make" in said
    run(tmp_path / "whole", *options)
    for shard in range(shards):
        for kind in ("npy", "json"):
            name = f"{shard:06d}.{kind}"
            assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    card = json.loads((tmp_path / "broken" / "corpus.json").read_text())
    assert card["utterances"] == 10 * shards and card["settings"]["roles"] == ["train"]


@pytest.mark.parametrize("role", ["unseen-voice", "unseen-engine"])
def test_evaluation_corpora_hold_held_voices_and_held_sentences_only(tmp_path: Path, role: str) -> None:
    run(tmp_path, "--utterances", "4", "--split", "test", "--roles", role, "--seed", "2")
    engines = {v.engine for v in VOICES if v.role == role}
    corpus = Corpus(tmp_path)
    assert len(corpus.utterances) == 4
    for utterance in corpus.utterances:
        assert utterance.engine in engines and "@" not in utterance.voice
        assert split_of(utterance.text) == "test"


def test_a_corpus_of_one_voice_goes_on_with_it_alone(tmp_path: Path) -> None:
    options = ("--utterances", "4", "--seed", "5", "--shard", "2")
    said = run(tmp_path / "kal", *options, "--voices", "flite:kal16")
    assert "voices: flite:kal16 100.0 %" in said
    assert {u.voice.split("@")[0] for u in Corpus(tmp_path / "kal").utterances} == {"flite:kal16"}
    process = start(tmp_path / "kal", *options)
    assert "CORPUS_OF_OTHERS" in process.communicate(timeout=300)[1] and process.returncode == 2
    process = start(tmp_path / "no", *options, "--voices", "flite:kal16,flite:rms")
    _, wrong = process.communicate(timeout=300)
    assert "USAGE_INVALID" in wrong and "flite:rms" in wrong and process.returncode == 2


def test_an_accent_is_given_to_voices_that_take_one(tmp_path: Path) -> None:
    options = ("--utterances", "4", "--seed", "5", "--shard", "4", "--accent", "en-gb-x-rp")
    said = run(tmp_path / "all", *options)
    assert "flite:slt" in said and "espeak-ng" not in said and "don_diphone" not in said
    voices = {u.voice.split("@")[0] for u in Corpus(tmp_path / "all").utterances}
    assert all(v.endswith("/en-gb-x-rp") for v in voices)
    process = start(tmp_path / "no", *options, "--voices", "flite:slt,festival:don_diphone")
    _, wrong = process.communicate(timeout=300)
    assert "USAGE_INVALID" in wrong and "don_diphone" in wrong and process.returncode == 2


def test_a_corpus_of_commands_goes_on_as_one_of_commands_only(tmp_path: Path) -> None:
    options = ("--utterances", "3", "--roles", "train", "--seed", "4", "--shard", "3")
    run(tmp_path / "commands", *options, "--grammar", "commands")
    assert (
        json.loads((tmp_path / "commands" / "corpus.json").read_text())["settings"]["grammar"] == "commands"
    )
    said = {word for u in Corpus(tmp_path / "commands").utterances for word in u.text.split()}
    assert said <= set(core_words())
    _, wrong = start(tmp_path / "commands", *options).communicate(timeout=60)
    assert wrong.startswith("CORPUS_OF_OTHERS: expected grammar=commands, got grammar=home")
    # a card of before there were two grammars
    run(tmp_path / "home", *options)
    card = tmp_path / "home" / "corpus.json"
    before = json.loads(card.read_text())
    assert before["settings"].pop("grammar") == "home"
    card.write_text(json.dumps(before))
    assert "1 shards there, 0 to make" in run(tmp_path / "home", *options)


def test_what_cannot_be_is_said_in_a_line(tmp_path: Path) -> None:
    for options, expected in (
        (("--utterances", "0"), "USAGE_INVALID: expected --utterances of 1 or more"),
        (("--utterances", "2", "--roles", "trian"), "USAGE_INVALID"),
    ):
        process = start(tmp_path, *options)
        _, wrong = process.communicate(timeout=60)
        assert process.returncode == 2 and wrong.startswith(expected) and wrong.count("\n") == 1
