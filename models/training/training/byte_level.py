"""Words in the byte alphabet of GPT-2 and Whisper, by the rules of a Hugging Face `tokenizer.json`.

The standard library's regular expressions do not know Unicode's letters and numbers: each character is
replaced by a sign for its kind, and the pattern is matched against those.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from training.errors import TrainingFault

SPACE = "Ġ"

#: GPT-2's word pattern over kinds: l letter, n number, o other, blank itself, s other white space
_KINDS = re.compile(r" ?l+| ?n+| ?o+|[ s]+(?![^ s])|[ s]+")
_CONTRACTIONS = re.compile(r"'(?:s|t|re|ve|m|ll|d)")
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_REST = [byte for byte in range(256) if byte not in set(_PRINTABLE)]
#: 188 bytes stand for themselves, the others are written as U+0100 and up
BYTE_CHARACTERS = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(0x100 + at) for at, byte in enumerate(_REST)
}
_BYTES = {character: byte for byte, character in BYTE_CHARACTERS.items()}


def to_byte_alphabet(text: str) -> str:
    """The UTF-8 bytes of `text`, one character each: ` é` becomes `ĠÃ©`."""
    return "".join(BYTE_CHARACTERS[byte] for byte in text.encode())


def from_byte_alphabet(pieces: str) -> str:
    """The text that `pieces` stand for; bytes that make no character become U+FFFD."""
    whole = b"".join(bytes([_BYTES[c]]) if c in _BYTES else c.encode() for c in pieces)
    return whole.decode(errors="replace")


def _kind(character: str) -> str:
    if character == " ":
        return " "
    if character.isspace():
        return "s"
    category = unicodedata.category(character)[0]
    return {"L": "l", "N": "n"}.get(category, "o")


def gpt2_words(text: str) -> list[str]:
    """`text` cut into words that carry the blank before them, as the pattern of GPT-2 does."""
    kinds = "".join(map(_kind, text))
    words, at = [], 0
    while at < len(text):
        match = _CONTRACTIONS.match(text, at) or _KINDS.match(kinds, at)
        words.append(text[at : match.end()])
        at = match.end()
    return words


def blank_words(text: str) -> list[str]:
    """`text` cut before every blank: nano's words."""
    return re.findall(r" ?[^ ]+", text)


def _unknown(part: str, came: object) -> TrainingFault:
    return TrainingFault(
        "TOKENIZER_INVALID",
        f"the {part} of a Whisper tokenizer.json",
        repr(came)[:160],
        "use Whisper's own tokenizer",
    )


def read_rules(tokenizer: dict) -> tuple[Callable[[str], str], Callable[[str], list[str]]]:
    """How to normalise text and how to cut it into words. Raises TOKENIZER_INVALID for other rules."""
    normalizer = tokenizer.get("normalizer")
    kind = None if normalizer is None else normalizer.get("type")
    if kind not in (None, "Lowercase"):
        raise _unknown("normalizer", normalizer)
    normalise: Callable[[str], str] = str.lower if kind == "Lowercase" else str
    chain = tokenizer.get("pre_tokenizer") or {}
    if chain.get("type") == "ByteLevel" and chain.get("use_regex", True):
        return normalise, gpt2_words
    parts = chain.get("pretokenizers", [])
    if [part.get("type") for part in parts] == ["Split", "ByteLevel"]:
        if parts[0].get("pattern") == {"Regex": " ?[^ ]+"}:
            return normalise, blank_words
    raise _unknown("pre_tokenizer", chain)
