"""The tokenizer of a model folder: byte-pair pieces over words that carry their leading space.

nano's has a thousand pieces for lower-case text; Whisper's own any text in any language.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor, tensor

from training.byte_level import from_byte_alphabet, read_rules, to_byte_alphabet
from training.errors import TrainingFault


@dataclass(frozen=True)
class Specials:
    """Ids of the pieces that are not text, of those training needs."""

    end: int
    start: int
    language: int
    transcribe: int
    no_timestamps: int
    no_speech: int

    @property
    def prompt(self) -> list[int]:
        return [self.start, self.language, self.transcribe, self.no_timestamps]


class EnglishSpecials(Specials):
    """Of a model of English alone: its tokenizer lists languages and tasks, which it was never told."""

    @property
    def prompt(self) -> list[int]:
        return [self.start, self.no_timestamps]


class Tokenizer:
    """Byte-level pieces of text, and the tokens that ask for a transcript."""

    def __init__(self, tokenizer: dict, generation: dict, language: str) -> None:
        model = tokenizer["model"]
        added = {token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])}
        self.ids: dict[str, int] = model["vocab"] | added
        self.pieces = [""] * (1 + max(self.ids.values()))
        for piece, id in self.ids.items():
            self.pieces[id] = piece
        merges = (tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in model["merges"])
        self._rank = {pair: rank for rank, pair in enumerate(merges)}
        self._normalise, self._cut = read_rules(tokenizer)
        self._hidden = frozenset(added.values())
        self._generation = generation
        self._language = language
        self._words: dict[str, list[int]] = {}

    @staticmethod
    def load(file: Path, language: str = "en") -> Tokenizer:
        """Reads a `tokenizer.json` of Hugging Face, and `generation_config.json` beside it, if there is one.

        Raises TOKENIZER_INVALID.
        """
        beside = file.with_name("generation_config.json")
        try:
            generation = json.loads(beside.read_text()) if beside.exists() else {}
            return Tokenizer(json.loads(file.read_text()), generation, language)
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise TrainingFault(
                "TOKENIZER_INVALID",
                f"a byte-pair tokenizer.json at {file}",
                repr(error),
                "name a model folder",
            ) from error

    @cached_property
    def specials(self) -> Specials:
        """Raises TOKENIZER_INVALID where the language or a token of the prompt is not there."""

        def id_of(*names: str) -> int:
            for name in names:
                if f"<|{name}|>" in self.ids:
                    return self.ids[f"<|{name}|>"]
            raise TrainingFault(
                "TOKENIZER_INVALID", f"a piece <|{names[0]}|>", "none", "use a Whisper's tokenizer"
            )

        kind = Specials if self._generation.get("is_multilingual", True) else EnglishSpecials
        return kind(
            end=id_of("endoftext"),
            start=id_of("startoftranscript"),
            language=id_of(self._language),
            transcribe=id_of("transcribe"),
            no_timestamps=id_of("notimestamps"),
            no_speech=id_of("nospeech", "nocaptions"),
        )

    @cached_property
    def text_ids(self) -> Tensor:
        """Ids of the pieces that are text, int64 [n]."""
        return tensor(sorted(set(self.ids.values()) - self._hidden))

    def suppressed(self, vocabulary: int, first: bool = False) -> list[int]:
        """Ids below `vocabulary` that are never written, or not as the `first` token after the prompt.

        All specials but the end, timestamps (older files do not list them: they follow the last listed
        token), and what `generation_config.json` names.
        """
        hidden = self._hidden | set(range(len(self.pieces), vocabulary))
        named = self._generation.get("suppress_tokens") or []
        if first:
            named = [*named, *(self._generation.get("begin_suppress_tokens") or [])]
            return sorted((hidden - {self.specials.end}) | set(named))
        return sorted((hidden | set(named)) - {self.specials.end})

    def _encode_word(self, word: str) -> list[int]:
        parts = list(to_byte_alphabet(word))
        while len(parts) > 1:
            pairs = [
                (self._rank.get(pair, len(self._rank)), at) for at, pair in enumerate(zip(parts, parts[1:]))
            ]
            rank, at = min(pairs)
            if rank == len(self._rank):
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if any(part not in self.ids for part in parts):
            unknown = next(c for c in word if any(byte not in self.ids for byte in to_byte_alphabet(c)))
            raise TrainingFault(
                "TEXT_INVALID",
                "letters a to z and the apostrophe",
                f"{unknown!r} in {word.strip()!r}",
                "spell it out",
            )
        return [self.ids[part] for part in parts]

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, which follows a blank as all transcripts do; without specials.

        Raises TEXT_INVALID for characters that have no piece, which only tokenizers like nano's lack.
        """
        ids: list[int] = []
        text = self._normalise(text.strip())
        for word in self._cut(f" {text}") if text else []:
            if word not in self._words:
                self._words[word] = self._encode_word(word)
            ids += self._words[word]
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; specials and timestamps are left out."""
        text = (self.pieces[id] for id in ids if id < len(self.pieces) and id not in self._hidden)
        return from_byte_alphabet("".join(text)).strip()
