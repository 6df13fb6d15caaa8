"""What harkd's own graphs make of the golden utterances, by Node (test/training/logits.ts)."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

REPO = Path(__file__).parents[3]
EMBEDDED = REPO / "models" / "embedded"
PROGRAM = REPO / "dist" / "test" / "training" / "logits.js"
PROMPT = [1, 2, 3, 4]
#: the first six pieces are suppressed but the end of text: -infinity in the graph
SUPPRESSED = slice(1, 6)


@dataclass(frozen=True)
class Compiled:
    """One golden utterance; the decoder was fed `tokens`."""

    name: str
    #: [1, L]
    tokens: torch.Tensor
    #: [1, 80, 2 T]
    log_mel: torch.Tensor
    #: [1, T, D]
    hidden: torch.Tensor
    #: [steps, V], the first for the token after the prompt; 0 where suppressed
    logits: torch.Tensor


def heard_by_harkd(out: Path, model: Path, weights: str, window: int | None = None) -> list[Compiled]:
    """Skips the test, saying why, where harkd is not built."""
    if shutil.which("node") is None or not PROGRAM.exists():
        pytest.skip("harkd is not built: the comparison with its graphs needs Node and `npm run build`")
    said = ["node", PROGRAM, model, out, weights] + ([] if window is None else [str(window)])
    subprocess.run(said, check=True, capture_output=True)
    cases = json.loads((REPO / "test" / "golden" / "nano" / "golden.json").read_text())
    return [_read(out, case) for case in cases]


def _read(out: Path, case: dict) -> Compiled:
    name = case["wav"].removesuffix(".wav")

    def values(what: str, *shape: int) -> torch.Tensor:
        return torch.from_numpy(np.fromfile(out / f"{name}.{what}.f32", np.float32).reshape(shape))

    tokens = torch.tensor([PROMPT + case["tokens"]])[:, : len(PROMPT) - 1 + case["steps"]]
    logits = values("logits", case["steps"], -1)
    logits[:, SUPPRESSED] = 0
    mel = values("log_mel", 1, 80, -1)
    return Compiled(name, tokens, mel, values("hidden", 1, mel.shape[2] // 2, -1), logits)


def logits_of(model: torch.nn.Module, tokens: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """As in `Compiled`."""
    logits = model.decode(tokens, hidden)[0, len(PROMPT) - 1 :]
    logits[:, SUPPRESSED] = 0
    return logits
