"""A model that hears less than the embedded one."""

from pathlib import Path

import torch

from training.model import load_checkpoint, save_checkpoint

EMBEDDED = Path(__file__).parents[2] / "embedded"


def worse(to: Path) -> Path:
    """The embedded model with noise on its weights."""
    torch.manual_seed(1)
    model = load_checkpoint(EMBEDDED)
    with torch.no_grad():
        for weight in model.model.decoder.parameters():
            weight += 0.3 * torch.randn_like(weight)
    save_checkpoint(to, model, EMBEDDED)
    return to
