"""The golden command makes again what harkd's tests compare with."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from random_whisper import write

from training.__main__ import main
from training.errors import TrainingFault
from training.evaluation.golden import write_golden
from training.tokens import Tokenizer

REPO = Path(__file__).parents[3]
EMBEDDED = REPO / "models" / "embedded"
GOLDEN = REPO / "test" / "golden" / "nano"


def test_the_embedded_model_gives_the_vectors_of_the_repository(tmp_path):
    assert main(["golden", "--model", str(EMBEDDED), "--out", str(tmp_path)]) == 0
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in GOLDEN.iterdir()}
    wanted, made = (json.loads((folder / "golden.json").read_text()) for folder in (GOLDEN, tmp_path))
    for want, got in zip(wanted, made, strict=True):
        assert got.pop("avgLogProb") == pytest.approx(want.pop("avgLogProb"), abs=1e-5)
        assert got == want
    vectors = sorted(GOLDEN.glob("*.f32"))
    assert len(vectors) == 30
    for file in vectors:
        got = np.fromfile(tmp_path / file.name, "<f4")
        np.testing.assert_allclose(got, np.fromfile(file, "<f4"), rtol=0, atol=1e-4, err_msg=file.name)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(TrainingFault, match="RECORDINGS_MISSING.*g1.wav"):
        write_golden(EMBEDDED, tmp_path, tmp_path / "out")


def test_a_whisper_of_all_languages_never_writes_a_language_or_a_timestamp(tmp_path):
    whisper, recordings = write(tmp_path / "whisper"), tmp_path / "recordings"
    recordings.mkdir()
    shutil.copy(GOLDEN / "g1.wav", recordings)
    [entry] = write_golden(whisper, recordings, tmp_path / "out")
    tokenizer = Tokenizer.load(whisper / "tokenizer.json")
    first, *later = entry["tokens"]
    assert len(later) > 2
    assert first not in tokenizer.suppressed(51865, first=True)
    assert not set(later) & set(tokenizer.suppressed(51865))
