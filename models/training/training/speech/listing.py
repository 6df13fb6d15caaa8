"""`python -m training voices`: the table of voices, as this machine has them."""

import argparse

from training.speech.engines import ESPEAK_ACCENTS, ESPEAK_HELD_VARIANTS, espeak_variants, installed
from training.speech.voices import VOICES

HELP = "Lists the voices: engine, voice, role, share in its role, speaker, licence, and what to install."


def arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace) -> int:
    del args
    rows = [("ENGINE", "VOICE", "ROLE", "SHARE", "SPEAKER", "LICENCE", "INSTALLED")]
    totals: dict[str, float] = {}
    for voice in VOICES:
        totals[voice.role] = totals.get(voice.role, 0) + voice.weight
    for voice in VOICES:
        there = "yes" if installed(voice) else f"no: apt-get install {voice.package}"
        share = f"{100 * voice.weight / totals[voice.role]:.1f} %"
        rows.append((voice.engine, voice.name, voice.role, share, voice.speaker, voice.licence, there))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    kept = [v for v in espeak_variants() if v not in ESPEAK_HELD_VARIANTS]
    print(
        f"\nespeak-ng: {len(ESPEAK_ACCENTS)} accents, each through {len(kept)} variants in training and "
        f"{len(ESPEAK_HELD_VARIANTS)} held: {' '.join(ESPEAK_HELD_VARIANTS)}"
    )
    return 0
