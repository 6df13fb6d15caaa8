"""The regular forms of English words, and a or an."""

VOWELS = "aeiou"
# Words that begin with a vowel letter but a consonant sound, and the other way round.
CONSONANT_SOUND = (
    "one", "once", "uni", "use", "usual", "usage", "utensil", "utility", "euro", "ukulele", "unanimous",
)  # fmt: skip
VOWEL_SOUND = ("hour", "honest", "honor", "honour", "heir")
UN_NOT_UNI = ("unin", "unim", "unid")


def plural(noun: str) -> str:
    """The regular plural of the last word of `noun`."""
    return _with_s(noun)


def third_person(verb: str) -> str:
    """'go' gives 'goes'; a particle stays behind: 'turn on' gives 'turns on'."""
    head, *tail = verb.split(" ")
    irregular = {"have": "has", "be": "is", "do": "does", "go": "goes"}
    return " ".join([irregular.get(head) or _with_s(head), *tail])


def past(verb: str) -> str:
    """The regular past: 'stop' gives 'stopped', 'carry' 'carried'."""
    head, *tail = verb.split(" ")
    if head.endswith("e"):
        head += "d"
    elif head.endswith("y") and head[-2] not in VOWELS:
        head = head[:-1] + "ied"
    else:
        head = _doubled(head) + "ed"
    return " ".join([head, *tail])


def progressive(verb: str) -> str:
    """'make' gives 'making', 'sit' 'sitting', 'lie' 'lying'."""
    head, *tail = verb.split(" ")
    if head.endswith("ie"):
        head = head[:-2] + "y"
    elif head.endswith("e") and not head.endswith(("ee", "oe", "ye")) and head != "be":
        head = head[:-1]
    else:
        head = _doubled(head)
    return " ".join([head + "ing", *tail])


def article(following: str) -> str:
    """'a' or 'an', by the sound `following` begins with."""
    if following.startswith(VOWEL_SOUND):
        return "an"
    if following.startswith(CONSONANT_SOUND) and not following.startswith(UN_NOT_UNI):
        return "a"
    return "an" if following[:1] in VOWELS else "a"


def with_articles(text: str) -> str:
    """`text` with each 'a' before a vowel sound made 'an'. The hours' 'a m' stays as it is."""
    if not (" a " in text or text.startswith("a ")):
        return text
    words = text.split(" ")
    for i in range(len(words) - 1):
        if words[i] == "a" and article(words[i + 1]) == "an":
            words[i] = "an"
    return " ".join(words)


def _with_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in tuple(VOWELS):
        return word[:-1] + "ies"
    return word + "s"


# Verbs of two syllables and more whose last syllable is stressed, so that the consonant doubles.
STRESSED_AT_THE_END = frozenset(
    "admit begin commit compel control forget forbid occur omit permit prefer refer regret submit transfer upset "
    "equip expel rebel recur propel unplug reset input unzip".split()
)


def _doubled(verb: str) -> str:
    if len(verb) < 3 or verb[-1] in VOWELS + "wxyhck" or verb[-2] not in VOWELS or verb[-3] in VOWELS:
        if not (verb.endswith("quit") or verb.endswith("quip")):
            return verb + ("k" if verb.endswith("ic") else "")
    syllables = sum(1 for i, c in enumerate(verb) if c in VOWELS and (i == 0 or verb[i - 1] not in VOWELS))
    return verb + verb[-1] if syllables == 1 or verb in STRESSED_AT_THE_END else verb
