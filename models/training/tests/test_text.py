"""The sentence grammar: the same for a seed, within alphabet and lengths, wide enough, no dead ends."""

import re
from collections import Counter
from itertools import islice
from random import Random

import pytest

from training.errors import TrainingFault
from training.text import DATA, Maker, core_words, rules, sentences, split_of, vocabulary
from training.text.lexicon import Lexicon
from training.text.mix import COMMANDS, GRAMMARS, MIX
from training.text.morphology import past, plural, progressive, third_person, with_articles
from training.text.template import Grammar, parse

LINE = re.compile(r"[a-z']+( [a-z']+)*")
COFFEE = """almond americano bit brown cappuccino coffee cream dark double drip eight espresso house iced large latte
light little lots medium milk mocha ounce roast shot single sixteen skim small soy sugar sweetener triple twelve
twenty whole""".split()


@pytest.fixture(scope="module")
def many() -> list:
    return list(islice(sentences(7, "train"), 40_000))


@pytest.fixture(scope="module")
def commands() -> list:
    return list(islice(sentences(7, "train", grammar="commands"), 20_000))


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_the_same_seed_says_the_same_and_another_does_not(grammar: str) -> None:
    first, again = (list(islice(sentences(3, "train", grammar=grammar), 500)) for _ in range(2))
    assert first == again
    assert first != list(islice(sentences(4, "train", grammar=grammar), 500))


@pytest.mark.parametrize(("grammar", "said"), [("home", "many"), ("commands", "commands")])
def test_splits_share_no_sentence(grammar: str, said: str, request: pytest.FixtureRequest) -> None:
    train = request.getfixturevalue(said)
    test = list(islice(sentences(7, "test", grammar=grammar), 500))
    assert all(split_of(s.text) == "test" for s in test)
    assert all(split_of(s.text) == "train" for s in train)
    assert not {s.text for s in test} & {s.text for s in train}


def test_alphabet_and_lengths(many: list) -> None:
    assert [s.text for s in many if not LINE.fullmatch(s.text)] == []
    lengths = Counter(s.text.count(" ") + 1 for s in many)
    assert set(lengths) == set(range(1, 19))
    assert 5.5 < sum(n * count for n, count in lengths.items()) / len(many) < 7.5


def test_no_possessive_stands_alone(many: list) -> None:
    texts = [f" {sentence.text} " for sentence in many]
    assert any("'s " in text for text in texts)
    assert [text for text in texts if " '" in text] == []


@pytest.mark.parametrize(("mix", "said"), [(MIX, "many"), (COMMANDS | {"coffee": 12}, "commands")])
def test_kinds_come_by_their_weights(mix: dict, said: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(said)
    kinds = Counter(s.kind for s in made)
    for kind, weight in mix.items():
        # Drawing again what is longer than the longest costs the long kinds a little.
        assert kinds[kind] / len(made) == pytest.approx(weight / sum(mix.values()), rel=0.15), kind


def test_commands_say_the_core_words_and_no_others(commands: list) -> None:
    words = Counter(word for s in commands for word in s.text.split())
    assert set(words) <= set(core_words()) <= set(vocabulary())
    assert len(core_words()) == 907 and len(words) > 890
    # all but a handful are in the rules, so that the random words of the salad are no others
    ruled = {word for s in commands if s.kind != "salad" for word in s.text.split()}
    assert len(ruled) > 890


def test_commands_come_as_in_the_study_of_nano_0(commands: list) -> None:
    # what its own generator makes: 6.03 words, these kinds, at most 16 words
    lengths = [s.text.count(" ") + 1 for s in commands]
    assert (min(lengths), max(lengths)) == (1, 16)
    assert sum(lengths) / len(commands) == pytest.approx(6.03, abs=0.1)
    assert [s.text for s in commands if not LINE.fullmatch(s.text)] == []
    assert Counter(s.kind for s in commands)["coffee"] / len(commands) == pytest.approx(0.12, rel=0.08)


def test_words_are_many_and_all_in_the_vocabulary(many: list) -> None:
    words = Counter(word for s in many for word in s.text.split())
    assert len(words) >= 4000
    assert set(words) - set(vocabulary()) == set()


def test_sentences_rarely_repeat(many: list) -> None:
    assert len({s.text for s in many}) > 0.7 * len(many)


def test_orders_for_coffee_use_the_words_of_the_trade(many: list) -> None:
    words = Counter(word for s in many if s.kind == "coffee" for word in s.text.split())
    assert [word for word in COFFEE if words[word] < 20] == []


@pytest.mark.parametrize("name_of_grammar", GRAMMARS)
def test_every_rule_expands(name_of_grammar: str) -> None:
    sources = rules(name_of_grammar)
    grammar, rng = Grammar(sources), Random(1)
    for name, source in sources.items():
        if "<it>" in source:
            continue
        said = [grammar.expand(name, rng) for _ in range(20)]
        assert all(not text or LINE.fullmatch(text) for text in said), name


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_every_rule_is_used(grammar: str) -> None:
    sources = rules(grammar)
    used = {
        word
        for source in sources.values()
        for slot in re.findall(r"<([^<>]*)>", source)
        for word in slot.split()
    }
    assert set(sources) - used - set(GRAMMARS[grammar].mix) == set()


def test_slots_of_a_household_take_the_place_of_the_rules() -> None:
    slots = {"person": ["zebulon"], "room": ["orangery"]}
    texts = [s.text for s in islice(sentences(1, "train", slots), 4000)]
    assert sum("zebulon" in text for text in texts) > 50
    assert sum("orangery" in text for text in texts) > 200
    assert not any("living room light" in text for text in texts)


def test_bad_slots_and_splits_are_refused() -> None:
    for split, slots, code in (
        ("dev", None, "USAGE_INVALID"),
        ("train", {"persons": ["tom"]}, "SLOT_UNKNOWN"),
        ("train", {"person": ["Tom 2"]}, "SLOT_INVALID"),
        ("train", {"person": []}, "SLOT_INVALID"),
    ):
        with pytest.raises(TrainingFault) as caught:
            next(sentences(1, split, slots))
        assert caught.value.code == code
    with pytest.raises(TrainingFault, match="GRAMMAR_UNKNOWN: expected home or commands"):
        next(sentences(1, "train", grammar="command"))


@pytest.mark.parametrize(
    "source",
    ["(a|b", "a]", "<missing>", "<rule>", "<cardinal 1>", "<it>", "A"],
)
def test_a_broken_rule_is_refused(source: str) -> None:
    with pytest.raises(TrainingFault) as caught:
        Grammar({"rule": source}).node("rule")
    assert caught.value.code == "GRAMMAR_INVALID"


def test_the_template_language() -> None:
    rules = parse(
        "rule = <polite do> # said\ndo =\n  [100% go] (now|\n    now) *3\npolite = please <it> <count 1..1 cup>\n"
    )
    grammar = Grammar(rules)
    assert grammar.expand("rule", Random(1)) == "please go now one cup"
    weighted = Grammar({"rule": "a *9 | b"})
    counts = Counter(weighted.expand("rule", Random(seed)) for seed in range(1000))
    assert 850 < counts["a"] < 950


def test_morphology() -> None:
    assert [plural(n) for n in ("box", "city", "boy", "dish", "cup")] == [
        "boxes",
        "cities",
        "boys",
        "dishes",
        "cups",
    ]
    assert [third_person(v) for v in ("go", "carry", "watch", "turn on")] == [
        "goes",
        "carries",
        "watches",
        "turns on",
    ]
    verbs = "stop open carry bake play panic visit fix cook wait enjoy".split()
    pasts = "stopped opened carried baked played panicked visited fixed cooked waited enjoyed".split()
    assert [past(v) for v in verbs] == pasts
    assert [progressive(v) for v in ("sit", "lie", "see", "make", "begin", "be", "put away")] == [
        "sitting", "lying", "seeing", "making", "beginning", "being", "putting away",
    ]  # fmt: skip
    assert (
        with_articles("a apple at a university for a hour a m") == "an apple at a university for an hour a m"
    )
    assert with_articles("a unimportant uncle a one ounce cup") == "an unimportant uncle a one ounce cup"


def test_no_article_disagrees(many: list) -> None:
    wrong = re.compile(r"\b(an [bcdfghjklmnpqrstvwxyz](?!our|onest|eir)|a (?!m\b)[ai])|\ba a\b")
    assert [s.text for s in many if s.kind != "salad" and wrong.search(s.text)][:5] == []


def test_verbs_take_known_nouns_and_all_forms_are_words() -> None:
    lexicon = Lexicon.load(DATA / "lexicon")
    assert all(re.fullmatch(r"[a-z']+", word) for word in lexicon.words())
    assert len(lexicon.words()) > 3500
    assert Maker().of_kind("english", Random(1))
