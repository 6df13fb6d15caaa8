"""The adapted model as a folder that `harkd models add` takes."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from training.adapt.household import Household
from training.errors import TrainingFault
from training.model import Whisper, save_checkpoint

#: as the store has it (models/store/layout.ts)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FILES = (
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip


def name_for(base: dict[str, Any], household: Household, wanted: str | None) -> str:
    """`wanted`, or one made of the base's and the household's. Raises USAGE_INVALID."""
    name = wanted or f"{base['name']}-{household.name}"[:64].rstrip("-")
    if not NAME.fullmatch(name) or name in ("embedded", "work"):
        wanted_name = "1 to 64 letters, digits, dots, - and _, not 'embedded' or 'work'"
        raise TrainingFault("USAGE_INVALID", wanted_name, repr(name), "give another --name")
    return name


def read_card(model: Path) -> dict[str, Any]:
    """`card.json` of a model folder, or what is known without. Raises CARD_INVALID."""
    file = model / "card.json"
    known: dict[str, Any] = {
        "name": model.resolve().name, "version": "0", "description": "A Whisper.", "licence": "unknown",
        "languages": ["en"], "notFor": [],
    }  # fmt: skip
    try:
        return known | json.loads(file.read_text()) if file.exists() else known
    except (OSError, ValueError, TypeError) as error:
        fault = TrainingFault("CARD_INVALID", f"a model's card in {file}", repr(error), "repair the card")
        raise fault from error


def export(
    folder: Path,
    model: Whisper,
    base: Path,
    name: str,
    wer: list[dict[str, Any]],
    measured: list[dict[str, str]],
) -> None:
    """Writes weights, tokenizer and card, which has no word of the household's: who reads it learns no names.

    `wer` and `measured` are rows of the card (models/manifest.ts); those of the base no longer hold.
    """
    save_checkpoint(folder, model, base)
    old = read_card(base)
    card = {
        "name": name,
        "version": f"{old['version']}-adapted",
        "description": f"{old['description']} Adapted to one household.",
        "licence": old["licence"],
        "languages": old["languages"],
        "parameters": model.parameter_count(),
        "files": {file: _record(folder / file) for file in FILES},
        **{field: old[field] for field in ("segment", "decoding") if field in old},
        "wer": wer,
        "measured": measured,
        "notFor": old["notFor"],
    }
    beside = folder / "card.json.new"
    beside.write_text(json.dumps(card, indent=2) + "\n")
    beside.replace(folder / "card.json")


def _record(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": sha256(file.read_bytes()).hexdigest()}
