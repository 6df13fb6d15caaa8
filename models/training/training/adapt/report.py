"""What an adaptation changed, for people and for the model's card."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from training.adapt.check import Heard, change, recalls
from training.adapt.household import Household

#: columns of the table
FIRST, OTHER = 34, 14


def compared(household: Household, before: dict[str, Heard], after: dict[str, Heard]) -> dict[str, Any]:
    """Word errors of each set of utterances, and how often each term of the household was found.

    Terms are not looked for in "general" sentences.
    """
    own = [kind for kind in before if kind != "general"]

    def found(heard: dict[str, Heard]) -> dict[str, dict[str, int]]:
        recalled = recalls(household, [heard[kind] for kind in own])
        return {term: asdict(recall) for term, recall in recalled.items()}

    return {
        "utterances": {kind: len(heard.said) for kind, heard in before.items()},
        "wer": {kind: asdict(change(before[kind], after[kind])) for kind in before},
        "recall": {"before": found(before), "after": found(after)},
    }


def table(report: dict[str, Any]) -> str:
    """Before and after of the word errors and of every term that was said."""
    before, after = report["recall"]["before"], report["recall"]["after"]
    lines = [_row("", "before", "after")]
    for kind, one in report["wer"].items():
        numbers = (f"{one[when]:.1f} %" for when in ("before_percent", "after_percent"))
        draws = f"{one['low_points']:+.1f} to {one['high_points']:+.1f} points"
        lines.append(_row(f"word errors, {kind} sentences", *numbers) + draws)
    for term in ("all", *sorted(set(before) - {"all"})):
        if before[term]["said"]:
            label = "household words heard" if term == "all" else f"  {term}"
            counts = (f"{one[term]['found']} of {one[term]['said']}" for one in (before, after))
            lines.append(_row(label, *counts))
    return "\n".join(["", *(line.rstrip() for line in lines), ""])


def _row(first: str, *others: str) -> str:
    return first.ljust(FIRST) + "".join(other.ljust(OTHER) for other in others)


def card_rows(report: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The rows `wer` and `measured` of the card."""
    wer = []
    for kind, one in report["wer"].items():
        spoken = kind != "recorded"
        test = f"{kind} sentences, synthesised voices" if spoken else "recordings of the household"
        percent = round(one["after_percent"], 1)
        wer.append({"test": test, "utterances": report["utterances"][kind], "percent": percent})
    before, after = (report["recall"][when]["all"] for when in ("before", "after"))
    what = "words of the household found in sentences that were not learnt"
    result = f"{after['found']} of {after['said']}, before {before['found']}"
    return wer, [{"what": what, "result": result}]
