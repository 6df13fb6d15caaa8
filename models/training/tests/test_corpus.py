import json
import os
from pathlib import Path

import numpy as np
import pytest

from training.corpora import Corpora
from training.corpus import Corpus
from training.errors import TrainingFault


def write(folder: Path, name: str, lengths: list[int], seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).integers(-20000, 20000, sum(lengths), dtype=np.int16)
    ends = np.cumsum(lengths).tolist()
    rows = [
        {
            "text": f"word {i}",
            "kind": "k",
            "engine": "flite",
            "voice": "flite:slt@1.07",
            "start": e - n,
            "end": e,
        }
        for i, (n, e) in enumerate(zip(lengths, ends, strict=True))
    ]
    np.save(folder / f"{name}.npy", samples)
    (folder / f"{name}.json").write_text(json.dumps(rows))
    return samples


def test_samples_read_back_equal(tmp_path: Path) -> None:
    first, second = write(tmp_path, "000000", [1600, 3200]), write(tmp_path, "000001", [800], 1)
    corpus = Corpus(tmp_path)
    assert [(u.shard, u.start, u.end) for u in corpus.utterances] == [
        ("000000", 0, 1600),
        ("000000", 1600, 4800),
        ("000001", 0, 800),
    ]
    heard = np.concatenate([u.samples() for u in corpus.utterances])
    assert heard.dtype == np.float32
    np.testing.assert_array_equal(heard * 32768, np.concatenate([first, second]))
    assert corpus.duration_s == pytest.approx(0.35)


def test_refresh_takes_in_new_shards_in_order(tmp_path: Path) -> None:
    write(tmp_path, "000001", [800])
    corpus = Corpus(tmp_path)
    held = corpus.utterances[0]
    before = held.samples()
    assert corpus.refresh() == 0
    write(tmp_path, "000000", [1600, 3200], 1)
    write(tmp_path, "000002", [100], 2)
    (tmp_path / "corpus.json").write_text("{}")
    (tmp_path / ".000003.json.17").write_text("[")
    assert corpus.refresh() == 3
    assert [u.shard for u in corpus.utterances] == ["000000", "000000", "000001", "000002"]
    np.testing.assert_array_equal(held.samples(), before)


def test_what_was_drawn_from_corpora_is_heard_after_its_shard_was_written_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for seed, folder in enumerate((first, second)):
        folder.mkdir()
        write(folder, "000000", [800], seed)
    corpora = Corpora([first, second])
    held, before = corpora.utterances, [utterance.samples() for utterance in corpora.utterances]
    assert not np.array_equal(*before)
    # as the last shard of a shorter run is: beside it, then in its place
    again = tmp_path / "again"
    again.mkdir()
    write(again, "000000", [800, 1600], 1)
    os.utime(again / "000000.json", ns=(1, 1))
    for name in ("000000.npy", "000000.json"):
        (again / name).replace(second / name)
    assert corpora.refresh() == 1
    assert [len(utterance.samples()) for utterance in corpora.utterances] == [800, 800, 1600]
    for utterance, samples in zip(held, before, strict=True):
        np.testing.assert_array_equal(utterance.samples(), samples)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingFault, match="CORPUS_MISSING.*python -m training synthesise"):
        Corpus(tmp_path)


@pytest.mark.parametrize(
    "damage", ["cut sound", "cut list", "no sound", "rows", "gap", "type", "float sound"]
)
def test_a_damaged_shard_is_a_fault(tmp_path: Path, damage: str) -> None:
    samples = write(tmp_path, "000000", [1600, 3200])
    sound, listed = tmp_path / "000000.npy", tmp_path / "000000.json"
    rows = json.loads(listed.read_text())
    if damage == "cut sound":
        sound.write_bytes(sound.read_bytes()[:5000])
    elif damage == "cut list":
        listed.write_text(listed.read_text()[:100])
    elif damage == "no sound":
        sound.unlink()
    elif damage == "rows":
        listed.write_text(json.dumps(rows[:1]))
    elif damage == "gap":
        listed.write_text(json.dumps([rows[0], {**rows[1], "start": 1700}]))
    elif damage == "type":
        listed.write_text(json.dumps([{**rows[0], "end": "1600"}, rows[1]]))
    else:
        np.save(sound, samples.astype(np.float32))
    with pytest.raises(TrainingFault, match="SHARD_INVALID.*delete .*000000.json"):
        Corpus(tmp_path)
