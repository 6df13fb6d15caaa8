"""The table of voices: who speaks in training, who is kept for evaluation, and how often each is drawn."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["train", "unseen-voice", "unseen-engine"]
ROLES: tuple[Role, ...] = ("train", "unseen-voice", "unseen-engine")

ARCTIC = "CMU Arctic (free, any use)"
FESTIVAL = "Edinburgh/CMU (free, any use)"
RHVOICE_NC = "CC-BY-NC-ND-4.0 (evaluation only)"
ESPEAK = "GPL-3+ (its sound is free)"


@dataclass(frozen=True)
class Voice:
    """A row of the table. `weight` is relative to the other voices of the same role.

    `speaker` names the person recorded: voices of one speaker must share one role. `needs` are the files and
    programs that must be there, `package` the Debian package that brings them.
    """

    engine: str
    name: str
    role: Role
    weight: float
    speaker: str
    licence: str
    package: str
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.engine}:{self.name}"


_FLITE = "/usr/lib/*/libflite_cmu_us_{}.so.1"
_RHVOICE = "/usr/share/RHVoice/voices/{}"
_FESTIVAL = "/usr/share/festival/voices/*/{}"
_MBROLA = "/usr/share/mbrola/{0}/{0}"


def _flite(name: str, role: Role, weight: float, speaker: str, licence: str = ARCTIC) -> Voice:
    return Voice("flite", name, role, weight, speaker, licence, "flite", (_FLITE.format(name),))


def _rhvoice(name: str, role: Role, weight: float, speaker: str, licence: str) -> Voice:
    return Voice(
        "rhvoice",
        name,
        role,
        weight,
        speaker,
        licence,
        "rhvoice rhvoice-english librhvoice5",
        (_RHVOICE.format(name),),
    )


def _festival(name: str, weight: float, speaker: str, package: str, licence: str = FESTIVAL) -> Voice:
    return Voice("festival", name, "train", weight, speaker, licence, package, (_FESTIVAL.format(name),))


def _mbrola(name: str, role: Role, weight: float, speaker: str, licence: str) -> Voice:
    return Voice(
        "mbrola",
        name,
        role,
        weight,
        speaker,
        licence,
        f"espeak-ng mbrola mbrola-{name}",
        (_MBROLA.format(name), "mbrola"),
    )


# Weights of 'train': about 61 % voices built from recordings, 39 % espeak-ng with its hundreds of artificial
# speakers. RHVoice sounds the most human and takes the most time; the diphone voices are cheap and rough.
VOICES: tuple[Voice, ...] = (
    _rhvoice("alan", "train", 9.5, "rhvoice-alan", "LGPL-2.1+ (RHVoice)"),
    _rhvoice("bdl", "train", 9.0, "cmu-bdl", ARCTIC),
    _rhvoice("clb", "train", 9.5, "cmu-clb", ARCTIC),
    _rhvoice("slt", "train", 6.0, "cmu-slt", ARCTIC),
    _flite("awb", "train", 8.0, "cmu-awb"),
    _flite("slt", "train", 6.0, "cmu-slt"),
    _flite("kal16", "train", 3.0, "kal", FESTIVAL),
    _festival("ked_diphone", 2.5, "ked", "festival festvox-kdlpc16k"),
    _festival("kal_diphone", 1.5, "kal", "festival festvox-kallpc16k"),
    _festival("don_diphone", 2.0, "don", "festival festvox-don"),
    _festival("cmu_us_slt_arctic_hts", 3.5, "cmu-slt", "festival festvox-us-slt-hts", ARCTIC),
    _mbrola("en1", "unseen-voice", 0.3, "roger", "MBROLA en1 (mbrola only; evaluation only)"),
    Voice("espeak-ng", "variants", "train", 37.5, "artificial", ESPEAK, "espeak-ng"),
    _flite("rms", "unseen-voice", 1.0, "cmu-rms"),
    _rhvoice("evgeniy-eng", "unseen-voice", 0.7, "evgeniy", RHVOICE_NC),
    _rhvoice("lyubov", "unseen-voice", 0.7, "lyubov", RHVOICE_NC),
    Voice("espeak-ng", "held-variants", "unseen-voice", 0.6, "artificial", ESPEAK, "espeak-ng"),
    _mbrola("us1", "unseen-voice", 0.3, "mbrola-us1", "MBROLA us1 (may not be sold; evaluation only)"),
    _mbrola("us2", "unseen-voice", 0.3, "mbrola-us2", "MBROLA us2 (may not be sold; evaluation only)"),
    _mbrola("us3", "unseen-voice", 0.3, "mbrola-us3", "MBROLA us3 (may not be sold; evaluation only)"),
    Voice(
        "pico",
        "en-US",
        "unseen-engine",
        1.0,
        "pico-en-US",
        "Apache-2.0",
        "libttspico-utils",
        ("/usr/share/pico/lang/en-US_ta.bin",),
    ),
    Voice(
        "pico",
        "en-GB",
        "unseen-engine",
        1.0,
        "pico-en-GB",
        "Apache-2.0",
        "libttspico-utils",
        ("/usr/share/pico/lang/en-GB_ta.bin",),
    ),
)

# espeak-ng speaks an accent through a variant (the artificial speaker); drawn by these weights.
ESPEAK_ACCENTS: dict[str, float] = {
    "en-us": 5,
    "en-gb": 3,
    "en-gb-x-rp": 2,
    "en-gb-scotland": 1,
    "en-gb-x-gbclan": 1,
    "en-gb-x-gbcwmd": 1,
    "en-029": 1,
    "en-us-nyc": 1,
}
# Kept from training altogether, so that 'unseen-voice' has artificial speakers of its own.
ESPEAK_HELD_VARIANTS = ("Alicia", "Andrea", "f4", "m7", "paul", "victor")
# Not like people: whispers, croaks, robots, and one that swallows whole words.
ESPEAK_UNNATURAL_VARIANTS = frozenset(
    [
        "whisper",
        "whisperf",
        "croak",
        "fast",
        "Demonic",
        "UniRobot",
        "anikaRobot",
        "Tweaky",
        "Mr serious",
        "kaukovalta",
        "klatt6",
        "AnxiousAndy",
        "robosoft",
        *(f"robosoft{i}" for i in range(2, 9)),
    ]
)
