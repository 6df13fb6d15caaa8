"""The whole way, from sentences to a model that harkd compiles, smaller than small."""

import json
import shutil

import pytest
from random_whisper import node

from training.corpus import Corpus
from training.tiny import Size, tiny


def test_the_whole_way(tmp_path):
    if shutil.which("flite") is None:
        pytest.skip("no flite, which speaks and knows pronunciations: apt install flite")
    size = Size(
        utterances=60,
        test_utterances=10,
        teacher_presentations=160,
        student_presentations=120,
        processes=1,
        log_every=2,
    )
    report = tiny(tmp_path, size)
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert len(Corpus(tmp_path / "speech").utterances) == 60
    for stage, parts in (("teacher", {"phones", "text"}), ("student", {"phones", "text", "teacher"})):
        lines = (tmp_path / stage / "metrics.jsonl").read_text().splitlines()
        assert parts <= json.loads(lines[-1]).keys()
    labelled = json.loads((tmp_path / "labels" / "labels.json").read_text())
    assert sum(shard["heard"] for shard in labelled["shards"].values()) == 60
    assert set(report["heard"]) == {"teacher", "student"}
    program = """
        const { compile } = await import('./dist/models/compiler/compile.js');
        const { model } = compile(dir, out, { attentionWindow: 128 });
        console.log(model.shape.encoderLayers, model.shape.decoderLayers);
    """
    assert node(program, dir=report["model"], out=str(tmp_path / "compiled")).strip() == "3 1"
