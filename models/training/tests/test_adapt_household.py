"""What a household may write down, what is told when it cannot be, and the sentences that are made of it."""

import json
from itertools import islice
from pathlib import Path

import pytest

from training.adapt.household import check_pieces, read_household, read_names, writable
from training.adapt.sayings import holds, household_sayings
from training.errors import TrainingFault
from training.text import split_of
from training.tokens import Tokenizer

EMBEDDED = Path(__file__).parents[3] / "models" / "embedded"
HOME = {
    "person": [{"write": "Siobhan", "say": "shavawn"}, "O'Brien"],
    "room": ["the scullery"],
    "device": ["the terrarium"],
    "phrase": ["turn on the aquarium"],
}


def household(folder: Path, content: object = HOME) -> Path:
    file = folder / "Our Home.json"
    text = content if isinstance(content, str) else json.dumps(content, indent=1, ensure_ascii=False)
    file.write_text(text)
    return file


def test_a_household_is_read_as_it_will_be_written(tmp_path: Path) -> None:
    home = read_household(household(tmp_path))
    assert home.name == "our-home"
    assert [(term.slot, term.text) for term in home.terms] == [
        ("person", "siobhan"),
        ("person", "o'brien"),
        ("room", "scullery"),
        ("device", "terrarium"),
        ("phrase", "turn on the aquarium"),
    ]
    assert home.terms[0].spoken == "shavawn"


def test_names_stand_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("# the family\nSiobhan = shavawn\n\nyusuf   # next door\nyusuf\n")
    home = read_names(file)
    assert [(term.text, term.spoken) for term in home.terms] == [("siobhan", "shavawn"), ("yusuf", "yusuf")]
    file.write_text("yusuf\nsiobhan =\n")
    with pytest.raises(TrainingFault, match="HOUSEHOLD_INVALID.*names.txt:2"):
        read_names(file)
    file.write_text("yusuf\n\nZoë\n")
    with pytest.raises(TrainingFault, match='TERM_UNWRITABLE.*Zoë.*names.txt:3; write "zoe" there'):
        read_names(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"person": ["yusuf",\n "R2D2"]}', r"'R2D2' in .*:2; write \"r two d two\" there"),
        ('{"room": ["yusuf"],\n\n "device": ["socket 12"]}', r"socket 12.*:3; write \"socket twelve\" there"),
        ('{"person": [\n"anne-marie"]}', r"anne-marie.*:2; write \"anne marie\" there"),
        ('{"person": [\n"\\u0141ukasz"]}', r"Łukasz.*:2; write \"lukasz\" there"),
        ('{"person": [{"write": "siobhan", "say": "sha-vawn"}]}', r"sha-vawn.*write \"sha vawn\" there"),
        ('{"person": ["北京"]}', "leave it out"),
        ({"phrase": [" ".join(["la"] * 10)]}, "TERM_UNWRITABLE.*at most 9 words"),
        ({"pets": ["rex"]}, "HOUSEHOLD_INVALID.*person, room, device, phrase.*'pets'"),
        ({"person": "yusuf"}, r'HOUSEHOLD_INVALID.*a list for "person".*put it into \[ \]'),
        ({"person": [{"write": "siobhan"}]}, "HOUSEHOLD_INVALID.*mend that entry"),
        ({"person": []}, "HOUSEHOLD_INVALID.*got 0"),
        ({"person": ["a" * n for n in range(1, 302)]}, "HOUSEHOLD_INVALID.*1 to 300.*got 301"),
        ('{"person": ["yusuf"', "HOUSEHOLD_INVALID.*JSON"),
        ("[]", "HOUSEHOLD_INVALID.*list"),
    ],
)
def test_what_cannot_be_is_said_with_its_line(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(TrainingFault, match=said):
        read_household(household(tmp_path, content))


def test_no_file_is_a_fault_too(tmp_path: Path) -> None:
    with pytest.raises(TrainingFault, match="HOUSEHOLD_INVALID"):
        read_household(tmp_path / "none.json")


def test_what_is_proposed_can_be_written() -> None:
    for text in ("Zoë", "007", "straße 2", "b&b", "wi-fi", "5 %", "'n'", "naïve café"):
        proposed = writable(text)
        assert proposed == writable(proposed) != ""


def test_a_phrase_must_fit_the_model(tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(EMBEDDED / "tokenizer.json")
    check_pieces(read_household(household(tmp_path)), tokenizer)
    long = read_household(household(tmp_path, {"phrase": ["zxqvjwkzxqvjwkzxqvjwkzxqvjwkzxqvjwkzxqvjwkz"]}))
    with pytest.raises(TrainingFault, match="TERM_UNWRITABLE.*at most 32 pieces"):
        check_pieces(long, tokenizer)


def test_sayings_hold_every_term_as_often_in_either_split(tmp_path: Path) -> None:
    home = read_household(household(tmp_path))
    train = list(islice(household_sayings(home, 1, "train"), 100))
    assert train == list(islice(household_sayings(home, 1, "train"), 100))
    test = list(islice(household_sayings(home, 1, "test"), 50))
    for sayings, split, count in ((train, "train", 20), (test, "test", 10)):
        assert {split_of(saying.text) for saying in sayings} == {split}
        for term in home.terms:
            assert sum(holds(saying.text, term.text) for saying in sayings) >= count
    assert len({saying.text for saying in test}) == len(test)


def test_an_engine_is_given_the_name_as_it_is_said(tmp_path: Path) -> None:
    home = read_household(household(tmp_path))
    named = [s for s in islice(household_sayings(home, 2, "train"), 300) if holds(s.text, "siobhan")]
    assert any("siobhan's" in saying.text for saying in named)
    for saying in named:
        assert "siobhan" not in saying.spoken
        assert saying.spoken.replace("shavawn", "siobhan") == saying.text


def test_a_term_is_held_as_whole_words_only() -> None:
    assert holds("turn off anna's light", "anna") and holds("anna", "anna")
    assert not holds("annabel is here", "anna") and not holds("hanna is here", "anna")
