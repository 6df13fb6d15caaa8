"""Whisper-shaped checkpoints with random weights, by Node (test/fixtures/random-whisper.ts)."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[3]


def node(program: str, **values: object) -> str:
    """What a program prints that imports from `dist/`; skips where there is none. `values` are constants."""
    if shutil.which("node") is None or not (REPO / "dist/test/fixtures/random-whisper.js").exists():
        pytest.skip("harkd is not built: the comparison with it needs Node and `npm run build`")
    constants = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    said = ["node", "--input-type=module", "-e", constants + program]
    done = subprocess.run(said, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, languages: int = 99, vocabulary: int = 51_865) -> Path:
    """All 1501 timestamps, three and four layers; of 1884 tokens, none is of two bytes or more.

    Models of English alone have 51864.
    """
    program = """
        const { writeRandomWhisper } = await import('./dist/test/fixtures/random-whisper.js');
        writeRandomWhisper(dir, { shape: {
          width: 32, encoderLayers: 3, decoderLayers: 4, heads: 2, melBins: 80, languages, audioFrames: 400,
          vocabularySize: vocabulary, textTokens: 48 } });
    """
    node(program, dir=str(folder), languages=languages, vocabulary=vocabulary)
    return folder
