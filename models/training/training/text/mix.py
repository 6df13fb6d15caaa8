"""The grammars there are, and how much there is of each kind of sentence in them."""

from dataclasses import dataclass

# Kind to weight in hundredths. A kind is the rule of that name in the grammar's files, but for `english` (the
# written grammar of english.py over the lexicon) and `salad` (random words, so that the model spells what it
# hears and not what it expects).
MIX: dict[str, float] = {
    "light": 8,
    "climate": 5,
    "blind": 3.5,
    "lock": 3,
    "timer": 7,
    "media": 6,
    "device": 6,
    "coffee": 12,
    "kitchen": 4,
    "lists": 4,
    "calls": 3,
    "question": 7,
    "numeric": 4,
    "everyday": 7.5,
    "english": 12,
    "salad": 8,
}
COMMANDS: dict[str, float] = {
    "light": 15,
    "climate": 8,
    "blind": 6,
    "lock": 5,
    "timer": 10,
    "music": 7,
    "device": 9,
    # 12 in what comes out: a fifth of them are longer than 16 words, and drawn again.
    "coffee": 15,
    "question": 7,
    "lists": 6,
    "everyday": 9,
    "salad": 4,
    "numbers": 2,
}


@dataclass(frozen=True)
class Written:
    """A grammar: the folder of its files below data/, its mix of kinds and its longest sentence."""

    folder: str
    mix: dict[str, float]
    longest_words: int


# `home` is wide: 7,600 words. `commands` is what nano 0 learnt first: the 907 words of core-words.txt, shorter
# sentences, no general English.
GRAMMARS = {"home": Written("", MIX, 18), "commands": Written("commands", COMMANDS, 16)}
