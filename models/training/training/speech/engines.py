"""The speech engines of this machine: what is installed, and how each is made to speak."""

import glob
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from random import Random

from training.errors import TrainingFault
from training.speech.accent import lexicon
from training.speech.style import Style, spoken_text
from training.speech.voices import (
    ESPEAK_ACCENTS,
    ESPEAK_HELD_VARIANTS,
    ESPEAK_UNNATURAL_VARIANTS,
    ROLES,
    VOICES,
    Voice,
)

PROGRAMS = {
    "espeak-ng": "espeak-ng",
    "mbrola": "espeak-ng",
    "flite": "flite",
    "rhvoice": "RHVoice-test",
    "festival": "festival",
    "pico": "pico2wave",
}
LONGEST_CALL_S = 120
RHVOICE_PROGRAM = Path(__file__).with_name("rhvoice.py")
ESPEAK_VARIANT_FOLDERS = ("/usr/lib/*/espeak-ng-data/voices/!v", "/usr/share/espeak-ng-data/voices/!v")


@dataclass(frozen=True)
class Request:
    """A sentence to be spoken by `voice`; `speaker` is the voice's name for the engine, such as en-us+f2.

    `accent`: of espeak-ng, such as en-gb, whose pronunciations another engine's voice shall have (takes_accent).
    """

    text: str
    voice: Voice
    speaker: str
    style: Style
    accent: str = ""


@dataclass(frozen=True)
class Failure:
    """An engine did not speak: why, in its own words."""

    reason: str


def installed(voice: Voice) -> bool:
    """Whether this machine can speak with `voice`: its program and all its data are there."""
    needs = (PROGRAMS[voice.engine], *voice.needs)
    return all(glob.glob(n) if n.startswith("/") else shutil.which(n) for n in needs)


def voices_for(roles: Sequence[str], only: Sequence[str] = ()) -> tuple[list[Voice], list[Voice]]:
    """The voices of these roles, or those of them named `engine:name`: those installed, and those missing.

    TrainingFault if none can speak, or for a role or name that is not in the table.
    """
    unknown = [r for r in roles if r not in ROLES]
    if unknown or not roles:
        raise TrainingFault(
            "USAGE_INVALID",
            f"roles out of {', '.join(ROLES)}",
            repr(unknown or roles),
            "name one or more of them, with commas between",
        )
    wanted = [v for v in VOICES if v.role in roles and (not only or v.key in only)]
    strange = set(only) - {v.key for v in wanted}
    if strange:
        raise TrainingFault(
            "USAGE_INVALID",
            f"voices of role {' or '.join(roles)}",
            ", ".join(sorted(strange)),
            "name some that `python -m training voices` lists, as engine:voice",
        )
    present = [v for v in wanted if installed(v)]
    missing = [v for v in wanted if v not in present]
    if not present:
        packages = sorted({p for v in missing for p in v.package.split()})
        raise TrainingFault(
            "VOICE_MISSING",
            f"a voice of role {' or '.join(roles)}",
            "none installed",
            f"apt-get install {' '.join(packages)}",
        )
    return present, missing


def speaker_of(voice: Voice, rng: Random) -> str:
    """What the engine calls the speaker; for espeak-ng one accent and variant out of the voice's many."""
    if voice.engine != "espeak-ng":
        return voice.name
    held = voice.name == "held-variants"
    variants = [v for v in espeak_variants() if (v in ESPEAK_HELD_VARIANTS) == held]
    accent = rng.choices(list(ESPEAK_ACCENTS), list(ESPEAK_ACCENTS.values()))[0]
    return f"{accent}+{rng.choice(variants)}"


def espeak_variants() -> list[str]:
    """The artificial speakers that sound like people, sorted. Names with a space cannot be asked for."""
    if not _variants:
        found = {os.path.basename(f) for d in ESPEAK_VARIANT_FOLDERS for f in glob.glob(f"{d}/*")}
        _variants.extend(sorted(v for v in found - ESPEAK_UNNATURAL_VARIANTS if " " not in v))
    return _variants


_variants: list[str] = []


def speak(requests: Sequence[Request], folder: Path) -> list[Path | Failure]:
    """Speaks each request into a wave file in `folder`, in order. The requests share one engine and voice."""
    engine = requests[0].voice.engine
    if engine == "festival":
        return _festival(requests, folder)
    if engine == "rhvoice":
        return _rhvoices(requests, folder)
    say = _COMMANDS[engine]
    return [_call(say, request, folder / f"{i}.wav") for i, request in enumerate(requests)]


Command = Callable[[Request, str], tuple[list[str], str | None]]


def _call(command: Command, request: Request, out: Path) -> Path | Failure:
    arguments, text_in = command(request, str(out))
    ended = _run(arguments, text_in)
    if ended is not None:
        return Failure(ended)
    return out if out.exists() else Failure(f"{arguments[0]} wrote no file")


def _run(arguments: list[str], text_in: str | None) -> str | None:
    """Runs a program to its end; returns what went wrong, None if nothing."""
    try:
        ended = subprocess.run(
            arguments,
            input=text_in,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=LONGEST_CALL_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if ended.returncode:
        return f"{arguments[0]} ended with {ended.returncode}: {ended.stderr.strip()[-200:]}"
    return None


def _between(low: float, value: float, high: float) -> float:
    return max(low, min(high, value))


def _espeak(request: Request, out: str) -> tuple[list[str], str | None]:
    # 165 words a minute is where its rhythm is nearest to people's; 80 is as slow as it goes.
    style = request.style
    speed = round(_between(80, 165 * style.engine_rate, 260))
    pitch = round(_between(10, 50 + 15 * style.pitch, 90))
    lively = round(_between(40, 100 + 30 * style.liveliness, 160))
    text = f'<prosody range="{lively}%">{escape(spoken_text(request.text, style), quote=False)}</prosody>'
    return (
        [
            "espeak-ng",
            "-m",
            "-v",
            request.speaker,
            "-s",
            str(speed),
            "-p",
            str(pitch),
            "-g",
            str(style.word_gap),
            "-w",
            out,
            text,
        ],
        None,
    )


def _mbrola(request: Request, out: str) -> tuple[list[str], str | None]:
    style = request.style
    speed = round(_between(80, 165 * style.engine_rate, 260))
    pitch = round(_between(30, 50 + 8 * style.pitch, 70))
    return (
        [
            "espeak-ng",
            "-v",
            f"mb-{request.speaker}",
            "-s",
            str(speed),
            "-p",
            str(pitch),
            "-w",
            out,
            spoken_text(request.text, style),
        ],
        None,
    )


def _flite(request: Request, out: str) -> tuple[list[str], str | None]:
    style = request.style
    settings = {"duration_stretch": 1 / style.engine_rate, "f0_shift": 1.06**style.pitch}
    pairs = [x for k, v in settings.items() for x in ("--setf", f"{k}={v:.3f}")]
    text = spoken_text(request.text, style)
    words: list[str] = []
    if request.accent:
        file = Path(out).with_suffix(".lex")
        entries = lexicon(request.text, request.accent)
        file.write_text("".join(f"{word} : {' '.join(phones)}\n" for word, phones in entries.items()))
        words = ["-add_lex", str(file)]
    return ["flite", "-voice", request.speaker, *words, *pairs, "-t", text, "-o", out], None


def _rhvoice_pitch_and_rate(style: Style) -> tuple[int, int]:
    """In percent of the voice's own."""
    return round(_between(82, 100 + 8 * style.pitch, 118)), round(_between(60, 100 * style.engine_rate, 160))


def _rhvoice(request: Request, out: str) -> tuple[list[str], str | None]:
    pitch, rate = _rhvoice_pitch_and_rate(request.style)
    return (
        ["RHVoice-test", "-q", "min", "-p", request.speaker, "-r", str(rate), "-t", str(pitch), "-o", out],
        spoken_text(request.text, request.style) + "\n",
    )


def _rhvoices(requests: Sequence[Request], folder: Path) -> list[Path | Failure]:
    """With the library where it is installed (four times as fast), what it leaves with RHVoice-test.

    Both give the same samples. 'min' is the 16 kHz data of a voice, all of which is kept.
    """
    (folder / "RHVoice.conf").write_text("quality=min\n")
    outs = [folder / f"{i}.wav" for i in range(len(requests))]
    wanted = []
    for request, out in zip(requests, outs, strict=True):
        pitch, rate = _rhvoice_pitch_and_rate(request.style)
        wanted.append(
            json.dumps(
                {
                    "text": spoken_text(request.text, request.style),
                    "voice": request.speaker,
                    "rate": rate / 100,
                    "pitch": pitch / 100,
                    "out": str(out),
                }
            )
        )
    _run([sys.executable, "-I", "-S", str(RHVOICE_PROGRAM), str(folder)], "\n".join(wanted) + "\n")
    return [
        out if out.exists() else _call(_rhvoice, request, out)
        for request, out in zip(requests, outs, strict=True)
    ]


def _pico(request: Request, out: str) -> tuple[list[str], str | None]:
    style = request.style
    rate = round(_between(60, 100 * style.engine_rate, 160))
    pitch = round(_between(85, 100 + 7 * style.pitch, 115))
    text = escape(spoken_text(request.text, style), quote=False)
    return (
        [
            "pico2wave",
            "-l",
            request.speaker,
            "-w",
            out,
            f'<speed level="{rate}"><pitch level="{pitch}">{text}</pitch></speed>',
        ],
        None,
    )


_COMMANDS: dict[str, Command] = {
    "espeak-ng": _espeak,
    "mbrola": _mbrola,
    "flite": _flite,
    "pico": _pico,
}


# How each kind of festival voice takes pitch and tempo: a function (spoken_with PITCH_RATIO RATE).
_FESTIVAL_DIPHONE = """(set! own_lr_params int_lr_params)
(define (spoken_with pitch rate)
  (Parameter.set 'Duration_Stretch (/ 1 rate))
  (set! int_lr_params (cons (list 'target_f0_mean (* pitch (cadr (assoc 'target_f0_mean own_lr_params))))
                            (cdr own_lr_params))))"""
# Festival 2.5 hands -r on to the HTS engine, but neither -fm (pitch) nor -a (formants).
_FESTIVAL_HTS = """(set! own_hts_params hts_engine_params)
(define (spoken_with pitch rate)
  (set! hts_engine_params (append own_hts_params (list (list "-r" rate)))))"""


def _festival(requests: Sequence[Request], folder: Path) -> list[Path | Failure]:
    """All in one process: loading a voice takes festival longer than speaking a sentence."""
    speaker = requests[0].speaker
    lines = [f"(voice_{speaker})", _FESTIVAL_HTS if speaker.endswith("_hts") else _FESTIVAL_DIPHONE]
    outs = [folder / f"{i}.wav" for i in range(len(requests))]
    for request, out in zip(requests, outs, strict=True):
        style = request.style
        lines.append(f"(spoken_with {1.06**style.pitch:.4f} {style.engine_rate:.4f})")
        if request.accent:
            for word, phones in lexicon(request.text, request.accent).items():
                syllables = f"(lex.syllabify.phstress '({' '.join(phones)}))"
                lines.append(f'(lex.add.entry (list "{word}" nil {syllables}))')
        text = spoken_text(request.text, style).replace("\\", "").replace('"', "")
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{out}" \'riff)')
    script = folder / "speak.scm"
    script.write_text("\n".join(lines) + "\n")
    wrong = _run(["festival", "-b", str(script)], None)
    return [out if out.exists() else Failure(wrong or "festival wrote no file") for out in outs]
