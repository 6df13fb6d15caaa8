"""Words of one accent said by speakers of another: espeak-ng's pronunciation, in the phones of flite and festival.

A recorded voice brings the sound of a person, a dictionary the accent: Britain says 'heater' without an r and
'bathroom' with the vowel of 'father', whoever speaks. The American voices of flite and festival look words up in one
dictionary (CMU's) and take entries of ours.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable

from training.errors import TrainingFault
from training.speech.voices import Voice

#: said so weakly in a sentence that a pronunciation of the word by itself would be wrong
WEAK = frozenset("a an the to of and as at am but can from some than that us was".split())
#: engines make words of digits after looking for ours
NUMBERS = ("third", "four", "fourth", "thirteen", "fourteen", "thirty", "forty")

# IPA as espeak-ng writes English, longest first, and CMU's phones; vowels that may be stressed are marked with
# V. NURSE without r is none of theirs: the nearest two together.
_PHONES = {
    "tʃ": "ch",
    "dʒ": "jh",
    "aɪ": "ayV",
    "aʊ": "awV",
    "ʌʉ": "awV",
    "ɔɪ": "oyV",
    "eɪ": "eyV",
    "əʊ": "owV",
    "oʊ": "owV",
    "ɪə": "iyV ax",
    "iə": "iyV ax",
    "ʊə": "uhV ax",
    "eə": "ehV ax",
    "əɹ": "er",
    "ɜː": "ahV ax",
    "iː": "iyV",
    "uː": "uwV",
    "ɑː": "aaV",
    "ɔː": "aoV",
    "aː": "aaV",
    "eː": "eyV",
    "oː": "owV",
    "n̩": "ax n",
    "l̩": "ax l",
    "i": "iyV",
    "ɪ": "ihV",
    "ᵻ": "ihV",
    "ɛ": "ehV",
    "e": "ehV",
    "æ": "aeV",
    "a": "aeV",
    "ɑ": "aaV",
    "ɒ": "aoV",
    "ɔ": "aoV",
    "o": "aoV",
    "ʌ": "ahV",
    "ʊ": "uhV",
    "u": "uwV",
    "ʉ": "uwV",
    "ɚ": "er",
    "ɜ": "ax",
    "ə": "ax",
    "ɐ": "ax",
    "θ": "th",
    "ð": "dh",
    "ʃ": "sh",
    "ʒ": "zh",
    "ŋ": "ng",
    "ɹ": "r",
    "r": "r",
    "j": "y",
    "ʲ": "y",
    "h": "hh",
    "ɾ": "d",
    "ʔ": "t",
    "x": "k",
    "ʍ": "w",
    "ɡ": "g",
    **{consonant: consonant for consonant in "pbtdkgfvszmnlw"},
}
# The colon of ASCII for a long vowel, and marks that the phones do not tell apart.
_SAME = str.maketrans({":": "ː", "\N{COMBINING BRIDGE BELOW}": None})
_PART = re.compile("|".join(sorted(_PHONES, key=len, reverse=True)))
_VOWEL = re.compile(r"[012]$")

Lexicon = dict[str, list[str]]
_known: dict[tuple[str, str], list[str]] = {}


def takes_accent(voice: Voice) -> bool:
    """Whether words of `voice` can be given: it has CMU's phones (festival's don has British ones already)."""
    return voice.engine == "flite" or (voice.engine == "festival" and voice.name != "don_diphone")


def cmu_phones(ipa: str) -> list[str]:
    """Phones of a word in IPA, vowels with their stress: 'hˈiːtə' gives hh iy1 t ax0.

    None at all where there is no phone for one of its sounds.
    """
    phones: list[str] = []
    stressed = False
    at = 0
    ipa = ipa.translate(_SAME).replace("ʉː", "uː")
    while at < len(ipa):
        if ipa[at] in "ˈˌ":
            stressed = ipa[at] == "ˈ"
            at += 1
            continue
        part = _PART.match(ipa, at)
        if part is None:
            return []
        for phone in _PHONES[part[0]].split():
            if phone.endswith("V"):
                phones.append(f"{phone[:-1]}{int(stressed)}")
                stressed = False
            else:
                phones.append(phone + "0" if phone in ("ax", "er") else phone)
        at = part.end()
    return phones


def words_of(text: str) -> list[str]:
    """The words of a sentence that a lexicon is asked for, in order."""
    words = re.findall(r"[a-z][a-z']*", text.lower())
    return words + [n for n in NUMBERS if n not in words] if re.search(r"\d", text) else words


def learn(words: Iterable[str], accent: str) -> None:
    """Looks up the words that are new, all with one call.

    TrainingFault 'ENGINE_MISSING' without espeak-ng, 'ENGINE_FAILED' for an accent that it does not speak.
    """
    new = sorted({w for w in words if w not in WEAK and (accent, w) not in _known})
    if not new:
        return
    if shutil.which("espeak-ng") is None:
        raise TrainingFault(
            "ENGINE_MISSING", "espeak-ng, for an accent", "none", "install the package espeak-ng"
        )
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        # a paragraph each, so that none is said together with the next
        file.write("\n\n".join(new) + "\n")
        file.flush()
        said = subprocess.run(
            ["espeak-ng", "-v", accent, "-q", "--ipa", "-f", file.name], capture_output=True, text=True
        )
    lines = said.stdout.split()
    if said.returncode or len(lines) != len(new):
        raise TrainingFault(
            "ENGINE_FAILED",
            f"a pronunciation in {accent} for each of {len(new)} words",
            said.stderr.strip() or f"{len(lines)} of them",
            "give an accent of `espeak-ng --voices=en`, such as en-gb",
        )
    for word, ipa in zip(new, lines, strict=True):
        _known[accent, word] = cmu_phones(ipa)


def lexicon(text: str, accent: str) -> Lexicon:
    """The words of `text` as said in this accent, with the r that links one to a vowel that follows.

    Without weak words and those with a sound that has no phone, which the voice says in its own way.
    """
    words = words_of(text)
    learn(words, accent)
    said = [_known.get((accent, word), []) for word in words]
    entries: Lexicon = {}
    for word, phones, after in zip(words, said, [*said[1:], []], strict=True):
        if not phones:
            continue
        links = word.endswith(("r", "re")) and phones[-1] != "er0" and _VOWEL.search(phones[-1])
        entries[word] = [*phones, "r"] if links and after and _VOWEL.search(after[0]) else phones
    return entries
