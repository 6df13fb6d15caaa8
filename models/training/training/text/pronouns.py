"""Pronouns, and the persons that verbs agree with."""

# Agreement: first person singular, third person singular, and all the rest.
I, S, P = "first", "third", "plural"  # noqa: E741
PRONOUNS = (
    ("i", I, 5),
    ("you", P, 4),
    ("he", S, 3),
    ("she", S, 3),
    ("we", P, 3),
    ("they", P, 3),
    ("it", S, 1),
)
OBJECT_PRONOUNS = "me you him her us them it".split()
PRONOUN_WORDS = frozenset(word for word, _, _ in PRONOUNS)
