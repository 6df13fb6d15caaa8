"""The template language of the `.grammar` files, compiled to functions of a random source.

A file holds rules. A rule begins at the left edge with `name =`; its alternatives follow, on that line or on
indented lines, separated by `|` or by the end of the line; within brackets too. In an alternative:

    word                 itself
    (a|b|c)              one of these
    [a|b]  [20% a|b]     one of these or nothing: half the time, or with the chance given
    <name>               an alternative of the rule `name`
    <name other>         the rule `name` with its `<it>` replaced by the rule `other`
    <cardinal 1..99>     a number of that range in words; with `/5` in steps of five. So too `<ordinal 1..31>`,
                         `<year 1900..2030>`, `<digits 3..7>` (that many digits)
    <count 1..9 minute>  a number and the noun after it, singular or plural
    ... *3               at the end of an alternative: three times as likely
    # ...                a comment, to the end of the line
"""

import re
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from random import Random

from training.errors import TrainingFault
from training.text import numbers
from training.text.morphology import plural

Node = Callable[[Random], str]

TOKEN = re.compile(r"\s+|<[^<>]*>|\[\s*\d+%|[()\[\]|]|\*\d+(?:\.\d+)?|[a-z']+")
HEADER = re.compile(r"^([a-z][a-z-]*)\s*=\s*(.*)$")
RANGE = re.compile(r"^(\d+)\.\.(\d+)(?:/(\d+))?$")
NUMERIC = ("cardinal", "ordinal", "year", "digits", "count")


class Grammar:
    """Rules by name, each compiled when it is first asked for.

    `overrides` puts plain phrases in the place of a rule's alternatives: the people and the rooms of a
    household, say. A name the grammar does not have is a TrainingFault, since it would change nothing.
    """

    def __init__(
        self, rules: Mapping[str, str], overrides: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._sources = dict(rules)
        self._nodes: dict[tuple[str, str | None], Node] = {}
        self._open: list[str] = []
        for name, phrases in (overrides or {}).items():
            if name not in self._sources:
                raise TrainingFault(
                    "SLOT_UNKNOWN", "a slot that is a rule of the grammar", repr(name),
                    "see the rules in training/text/data/*.grammar",
                )  # fmt: skip
            if not phrases or not all(re.fullmatch(r"[a-z']+( [a-z']+)*", phrase) for phrase in phrases):
                raise TrainingFault(
                    "SLOT_INVALID", f"phrases of lower case a-z and apostrophe for the slot {name!r}",
                    repr(list(phrases)), "write numbers in words and leave out punctuation",
                )  # fmt: skip
            self._sources[name] = "|".join(phrases)

    @property
    def names(self) -> list[str]:
        """The rules' names, in the order of the files."""
        return list(self._sources)

    def node(self, name: str, argument: str | None = None) -> Node:
        """The compiled rule `name`, with `<it>` standing for the rule `argument`."""
        key = (name, argument)
        if key not in self._nodes:
            if name not in self._sources:
                raise _fault("a rule of the grammar", f"<{name}>", self._open[-1] if self._open else "?")
            if name in self._open:
                raise _fault("rules that do not use themselves", " > ".join([*self._open, name]), name)
            self._open.append(name)
            self._nodes[key] = _Compiler(self, name, self._sources[name], argument).compiled()
            self._open.pop()
        return self._nodes[key]

    def expand(self, name: str, rng: Random) -> str:
        """One expansion of the rule `name`, its words separated by single spaces."""
        # `<person>'s` comes as two parts
        return " ".join(self.node(name)(rng).split()).replace(" 's ", "'s ")


def parse(text: str) -> dict[str, str]:
    """The rules of one file: name to source, alternatives separated by `|`."""
    rules: dict[str, list[str]] = {}
    name = None
    for line in text.splitlines():
        line = line.split("#", 1)[0].rstrip()
        if not line:
            continue
        header = HEADER.match(line)
        if header:
            name, line = header[1], header[2]
            if name in rules:
                raise _fault("each rule once", "a second one", name)
            rules[name] = []
        elif name is None or not line[0].isspace():
            raise _fault("'name = alternatives' or an indented line", repr(line), name or "the beginning")
        if line.strip():
            rules[name].append(line.strip())
    return {name: "|".join(line.removesuffix("|") for line in lines) for name, lines in rules.items()}


class _Compiler:
    """Recursive descent over one rule's source."""

    def __init__(self, grammar: Grammar, rule: str, source: str, argument: str | None) -> None:
        self.grammar, self.rule, self.argument = grammar, rule, argument
        self.tokens: list[str] = []
        at = 0
        while at < len(source):
            match = TOKEN.match(source, at)
            if not match:
                raise _fault("words, (|), [|], <name>, *weight", repr(source[at : at + 20]), rule)
            at = match.end()
            if not match[0].isspace():
                self.tokens.append(match[0])
        self.at = 0

    def compiled(self) -> Node:
        node = self.alternatives()
        if self.at < len(self.tokens):
            raise _fault("balanced brackets", repr(self.tokens[self.at]), self.rule)
        return node

    def alternatives(self) -> Node:
        nodes: list[Node | str] = []
        weights: list[float] = []
        while True:
            node, weight = self.sequence()
            nodes.append(node)
            weights.append(weight)
            if self.peek() != "|":
                return _choice(nodes, weights)
            self.at += 1

    def sequence(self) -> tuple[Node | str, float]:
        parts: list[Node | str] = []
        weight = 1.0
        while (token := self.peek()) and token not in "|)]":
            self.at += 1
            if token[0] == "*":
                weight = float(token[1:])
            elif token == "(":
                parts.append(self.alternatives())
                self.close(")")
            elif token[0] == "[":
                chance = int(token[1:-1]) / 100 if len(token) > 1 else 0.5
                parts.append(_optional(self.alternatives(), chance))
                self.close("]")
            elif token[0] == "<":
                parts.append(self.reference(token[1:-1].split()))
            elif parts and isinstance(parts[-1], str):
                parts[-1] += " " + token
            else:
                parts.append(token)
        return _sequence(parts), weight

    def reference(self, words: list[str]) -> Node:
        name = words[0] if words else ""
        if name in NUMERIC:
            match = RANGE.match(words[1]) if len(words) > 1 else None
            if not match or (name == "count") != (len(words) > 2):
                raise _fault("<number from..to>", f"<{' '.join(words)}>", self.rule)
            values = range(int(match[1]), int(match[2]) + 1, int(match[3] or 1))
            return _numeric(name, values, " ".join(words[2:]))
        if name == "it":
            if not self.argument:
                raise _fault("<it> only in a rule used with an argument", "<it>", self.rule)
            return self.grammar.node(self.argument)
        if len(words) not in (1, 2):
            raise _fault("<name> or <name other>", f"<{' '.join(words)}>", self.rule)
        return self.grammar.node(name, words[1] if len(words) == 2 else None)

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def close(self, bracket: str) -> None:
        if self.peek() != bracket:
            raise _fault(repr(bracket), repr(self.peek() or "the end"), self.rule)
        self.at += 1


def _choice(nodes: list[Node | str], weights: list[float]) -> Node:
    if len(nodes) == 1:
        only = nodes[0]
        return (lambda rng: only) if isinstance(only, str) else only
    sums = list(accumulate(weights))
    total = sums[-1]

    def choose(rng: Random) -> str:
        node = nodes[bisect(sums, rng.random() * total)]
        return node if isinstance(node, str) else node(rng)

    return choose


def _sequence(parts: list[Node | str]) -> Node | str:
    if not parts:
        return ""
    if len(parts) == 1:
        return parts[0]
    return lambda rng: " ".join([part if isinstance(part, str) else part(rng) for part in parts])


def _optional(node: Node, chance: float) -> Node:
    return lambda rng: node(rng) if rng.random() < chance else ""


def _numeric(name: str, values: range, noun: str) -> Node:
    if name == "digits":

        def row(rng: Random) -> str:
            return numbers.digits(
                [rng.randrange(10) for _ in range(rng.choice(values))], rng.choice(("zero", "oh"))
            )

        return row
    if name == "count":
        words = [f"{numbers.cardinal(n)} {noun if n == 1 else plural(noun)}" for n in values]
        return lambda rng: rng.choice(words)
    speak = {"cardinal": numbers.cardinal, "ordinal": numbers.ordinal, "year": numbers.year}[name]
    spoken = [speak(n) for n in values] if len(values) <= 1000 else None
    return lambda rng: rng.choice(spoken) if spoken else speak(rng.choice(values))


def _fault(expected: str, came: str, rule: str) -> TrainingFault:
    return TrainingFault("GRAMMAR_INVALID", expected, came, f"mend the rule {rule!r}")
