"""Engines and espeak-ng really speak here; expected phones are CMU's for what dictionaries of Britain say."""

import shutil
import subprocess
from pathlib import Path

import pytest

from training.errors import TrainingFault
from training.speech.accent import cmu_phones, learn, lexicon, takes_accent
from training.speech.engines import _COMMANDS, Failure, Request, installed, speak
from training.speech.style import Style
from training.speech.voices import VOICES, Voice

pytestmark = pytest.mark.skipif(
    not shutil.which("espeak-ng"), reason="NOT INSTALLED, NOT TESTED: apt-get install espeak-ng"
)


def voice(key: str) -> Voice:
    found = next(v for v in VOICES if v.key == key)
    if not installed(found):
        pytest.skip(f"NOT INSTALLED, NOT TESTED: {key}; apt-get install {found.package}")
    return found


def test_ipa_becomes_phones_with_their_stress() -> None:
    assert cmu_phones("hˈiːtə") == ["hh", "iy1", "t", "ax0"]
    assert cmu_phones("bˈɑːθɹuːm") == ["b", "aa1", "th", "r", "uw0", "m"]
    assert cmu_phones("tʃˈeə") == ["ch", "eh1", "ax0"]
    assert cmu_phones("təmˈɒɹəʊ") == ["t", "ax0", "m", "ao1", "r", "ow0"]
    assert cmu_phones("qˈiː") == []


def test_britain_leaves_out_its_r_and_links_it_to_a_vowel() -> None:
    said = lexicon("Four more doors, four hours in the car at 30", "en-gb-x-rp")
    assert said["more"] == ["m", "ao1"] and said["doors"] == ["d", "ao1", "z"]
    assert said["four"] == ["f", "ao1", "r"], "before hours"
    assert said["thirty"][:1] == ["th"] and "r" not in said["thirty"], "of the digits"
    assert not {"the", "at"} & said.keys(), "weak words are the voice's own"
    assert lexicon("four doors", "en-us")["four"][-1] == "r"


def phones_of_flite(accent: str) -> list[str]:
    request = Request("set her heater in the bathroom", voice("flite:slt"), "slt", Style(), accent)
    command, _ = _COMMANDS["flite"](request, "none.wav")
    said = subprocess.run([*command, "-ps"], capture_output=True, text=True, check=True)
    assert "not in lexicon" not in said.stdout + said.stderr
    return said.stdout.split()


def test_flite_says_the_words_of_the_accent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert {"ae", "er"} <= set(phones_of_flite("")) and "aa" not in phones_of_flite("")
    british = phones_of_flite("en-gb-x-rp")
    assert "aa" in british and not {"ae", "er"} & set(british)


@pytest.mark.parametrize("key", [v.key for v in VOICES if v.engine == "festival" and takes_accent(v)])
def test_festival_says_the_words_of_the_accent(key: str, tmp_path: Path) -> None:
    own, accent = (
        Request("more of the tomatoes", voice(key), key.partition(":")[2], Style(), accent)
        for accent in ("", "en-gb-x-rp")
    )
    first, second = speak([own, accent], tmp_path)
    assert not isinstance(first, Failure) and not isinstance(second, Failure)
    assert first.read_bytes() != second.read_bytes()


def test_an_accent_that_nobody_speaks_is_a_fault() -> None:
    with pytest.raises(TrainingFault, match="ENGINE_FAILED.*xx-none"):
        learn(["word"], "xx-none")


def test_without_espeak_the_fault_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TrainingFault, match="ENGINE_MISSING.*espeak-ng"):
        learn(["unheard"], "en-gb")
