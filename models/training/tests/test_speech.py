"""The engines really speak here; an engine that is not installed is skipped by name."""

import json
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import gettempdir

import numpy as np
import pytest

from training.corpus import Corpus
from training.errors import TrainingFault
from training.speech import synthesise
from training.speech.engines import espeak_variants, installed, voices_for
from training.speech.plan import Plan, plans
from training.speech.sound import resample
from training.speech.style import Style, draw_style, spoken_text
from training.speech.voices import ESPEAK_HELD_VARIANTS, ROLES, VOICES

WORDS = "turn on the kitchen light please set a timer for twenty five minutes what's in bedroom not".split()


@dataclass(frozen=True)
class Said:
    text: str
    kind: str


def sentences(seed: int, split: str) -> Iterator[Said]:
    rng = Random(f"{seed} {split}")
    while True:
        yield Said(" ".join(rng.choices(WORDS, k=rng.randint(1, 8))), "words")


def make(
    folder: Path,
    utterances: int,
    roles: tuple[str, ...] = ("train",),
    size: int = 8,
    seed: int = 5,
    stop_after: int | None = None,
) -> None:
    settings = synthesise.settings_for(seed, "train", roles, size)
    todo = synthesise.prepare(folder, settings, utterances)
    plan = synthesise.planned(settings, sentences)
    for index, planned in islice(synthesise.shards(plan, todo, size, utterances), stop_after):
        synthesise.make_shard(folder, index, planned)
    synthesise.write_card(folder, settings)


def content(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir()) if f.name != "corpus.json"}


@pytest.mark.parametrize("voice", VOICES, ids=lambda v: f"{v.key}-{v.role}")
def test_every_voice_speaks_a_dozen(voice, tmp_path: Path) -> None:
    if not installed(voice):
        pytest.skip(f"NOT INSTALLED, NOT TESTED: {voice.key}; apt-get install {voice.package}")
    planned = list(islice(plans(sentences, [voice], 3, "train"), 12))
    done = synthesise.make_shard(tmp_path, 0, planned)
    assert (done.utterances, done.dropped) == (12, 0)
    corpus = Corpus(tmp_path)
    assert [u.text for u in corpus.utterances] == [p.request.text for p in planned]
    for utterance, plan in zip(corpus.utterances, planned, strict=True):
        samples = utterance.samples()
        assert np.abs(samples).max() == pytest.approx(plan.request.style.peak / 32768, abs=1e-3)
        assert samples.std() > 0.01, "it is silent"
        characters_a_second = len(utterance.text) / utterance.duration_s
        assert 3 < characters_a_second < 40, utterance
        assert utterance.voice.startswith(f"{voice.engine}:")
    # The tempo asked for is heard: much slower takes much longer. (Pauses are not scaled alike.)
    slow, fast = (duration_of(planned[0], rate, tmp_path / str(rate)) for rate in (0.75, 1.3))
    assert slow > 1.3 * fast


def duration_of(plan: Plan, rate: float, folder: Path) -> float:
    folder.mkdir()
    request = replace(plan.request, text="turn on the kitchen light", style=Style(rate=rate))
    return synthesise.make_shard(folder, 0, [Plan(request, "words")]).sound_s


def test_resuming_gives_the_corpus_of_one_run(tmp_path: Path) -> None:
    make(tmp_path / "once", 20)
    make(tmp_path / "twice", 20, stop_after=1)
    (tmp_path / "twice" / "000001.npy").write_bytes(b"half a shard: the list is missing")
    make(tmp_path / "twice", 20)
    make(tmp_path / "grown", 12)
    reader = Corpus(tmp_path / "grown")
    assert len(reader.utterances) == 12
    make(tmp_path / "grown", 20)
    assert reader.refresh() == 8
    assert content(tmp_path / "once") == content(tmp_path / "twice") == content(tmp_path / "grown")
    assert [u.text for u in reader.utterances] == [u.text for u in Corpus(tmp_path / "once").utterances]
    card = json.loads((tmp_path / "grown" / "corpus.json").read_text())
    assert card["utterances"] == 20 == sum(card["utterances_by_voice"].values())
    assert card["hours"] * 3600 == pytest.approx(reader.duration_s, abs=0.5)
    before = content(tmp_path / "once")
    make(tmp_path / "once", 20)
    assert content(tmp_path / "once") == before


def test_a_shard_is_spoken_whole_however_it_is_divided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(synthesise, "TOGETHER", 3)
    voice = next(v for v in VOICES if v.engine == "espeak-ng")
    planned = list(islice(plans(sentences, [voice], 3, "train"), 11))
    assert synthesise.make_shard(tmp_path, 0, planned).utterances == 11
    assert [u.text for u in Corpus(tmp_path).utterances] == [p.request.text for p in planned]


def test_rhvoice_sounds_the_same_without_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    voice = next(v for v in VOICES if v.key == "rhvoice:bdl")
    if not installed(voice):
        pytest.skip(f"NOT INSTALLED, NOT TESTED: {voice.key}; apt-get install {voice.package}")
    planned = list(islice(plans(sentences, [voice], 3, "train"), 4))
    assert synthesise.make_shard(tmp_path, 0, planned).utterances == 4
    monkeypatch.setattr("training.speech.engines.RHVOICE_PROGRAM", tmp_path / "missing.py")
    assert synthesise.make_shard(tmp_path, 1, planned).utterances == 4
    assert np.array_equal(np.load(tmp_path / "000000.npy"), np.load(tmp_path / "000001.npy"))


def test_another_seed_is_refused_in_the_same_folder(tmp_path: Path) -> None:
    make(tmp_path, 2)
    with pytest.raises(TrainingFault, match="CORPUS_OF_OTHERS: expected seed=5, .* seed=6"):
        make(tmp_path, 2, seed=6)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(TrainingFault, match="CORPUS_OF_OTHERS"):
        make(tmp_path, 2)
    assert content(tmp_path) == {"thesis.txt": b"mine"}


def test_two_runs_side_by_side_do_not_meet(tmp_path: Path) -> None:
    runs = [
        multiprocessing.get_context("fork").Process(
            target=make, args=(tmp_path / str(seed), 8), kwargs={"seed": seed}
        )
        for seed in (5, 6)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    make(tmp_path / "alone", 8, seed=6)
    assert content(tmp_path / "6") == content(tmp_path / "alone")
    assert content(tmp_path / "5") != content(tmp_path / "6")


def test_no_temporary_file_stays(tmp_path: Path) -> None:
    make(tmp_path, 8)
    own = f"speech-{os.getpid()}-"
    assert not [f for f in os.listdir(synthesise.fast_folder() or gettempdir()) if f.startswith(own)]
    assert not [f for f in os.listdir(tmp_path) if f.startswith(".")]


def test_roles_never_mix() -> None:
    roles_of: dict[str, set[str]] = {}
    for voice in VOICES:
        if voice.speaker != "artificial":
            roles_of.setdefault(voice.speaker, set()).add(voice.role)
        assert "evaluation only" not in voice.licence or voice.role != "train", voice.key
    assert {s: r for s, r in roles_of.items() if len(r) > 1} == {}
    heard: dict[str, set[str]] = {}
    for role in ROLES:
        present, _ = voices_for([role])
        assert {v.role for v in present} == {role}
        requests = [p.request for p in islice(plans(sentences, present, 1, "train"), 3000)]
        heard[role] = {r.speaker.partition("+")[2] for r in requests if r.voice.engine == "espeak-ng"}
        if role != "train":
            assert {r.style.speaker_factor for r in requests} == {1.0}
    assert heard["unseen-voice"] == set(ESPEAK_HELD_VARIANTS) & set(espeak_variants())
    assert heard["train"] and not heard["train"] & heard["unseen-voice"]
    assert heard["unseen-engine"] == set()


def test_an_unknown_role_is_named() -> None:
    with pytest.raises(TrainingFault, match="USAGE_INVALID"):
        voices_for(["trian"])


def test_a_missing_engine_leaves_its_share_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "training.speech.engines.shutil.which",
        lambda name: None if name == "RHVoice-test" else f"/usr/bin/{name}",
    )
    present, missing = voices_for(["train"])
    assert {v.engine for v in missing} >= {"rhvoice"}
    assert "rhvoice" not in {v.engine for v in present}
    monkeypatch.setattr("training.speech.engines.shutil.which", lambda name: None)
    with pytest.raises(TrainingFault, match="VOICE_MISSING.*apt-get install.*espeak-ng"):
        voices_for(["train"])


def test_a_broken_engine_is_a_fault_and_not_a_smaller_corpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "flite").write_text("#!/bin/sh\necho no voice data >&2\nexit 3\n")
    (tmp_path / "flite").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    voice = next(v for v in VOICES if v.key == "flite:slt")
    planned = list(islice(plans(sentences, [voice], 3, "train"), 8))
    with pytest.raises(TrainingFault, match="ENGINE_FAILED.*8 failures of 8.*no voice data"):
        synthesise.make_shard(tmp_path, 0, planned)
    assert not list(tmp_path.glob("*.json"))


def test_resampling_moves_the_pitch_and_keeps_the_level() -> None:
    for rate_hz in (16000, 22050, 24000, 32000):
        tone = 10000 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz).astype(np.float32)
        for factor in (0.88, 1.0, 1.07, 1.12):
            heard = resample(tone, rate_hz, factor)
            assert len(heard) == pytest.approx(16000 / factor, rel=2e-3)
            spectrum = np.abs(np.fft.rfft(heard[1000:9000] * np.hanning(8000)))
            assert 2 * spectrum.argmax() == pytest.approx(1000 * factor, abs=3)
            assert np.abs(heard[1000:9000]).max() == pytest.approx(10000, rel=0.02)
        alias = 10000 * np.sin(2 * np.pi * 9600 * np.arange(rate_hz) / rate_hz).astype(np.float32)
        if rate_hz > 20000:
            assert np.abs(resample(alias, rate_hz)[1000:9000]).max() < 30


def test_a_style_stays_in_range_and_a_hesitation_is_a_comma() -> None:
    rng = Random(1)
    styles = [draw_style(rng, words, True) for words in range(1, 10) for _ in range(300)]
    assert all(0.75 <= s.rate <= 1.3 and 0.88 <= s.speaker_factor <= 1.12 for s in styles)
    assert any(s.speaker_factor == 1 for s in styles) and len({s.speaker_factor for s in styles}) == 25
    assert spoken_text("turn it off", Style(pause_after=2)) == "turn it, off"
    assert {draw_style(rng, 2, True).pause_after for _ in range(300)} == {0}
    assert {draw_style(rng, 4, True).pause_after for _ in range(900)} == {0, 1, 2, 3}
