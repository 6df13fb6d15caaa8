"""How much there is of each kind of sentence."""

# Kind to weight in hundredths. A kind is the rule of that name in data/*.grammar, but for `english` (the
# written grammar of english.py over the lexicon) and `salad` (random common words, so that the model spells
# what it hears and not what it expects).
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
