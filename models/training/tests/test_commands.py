"""What `python -m training` says of its commands."""

import importlib
import re
from pathlib import Path

import pytest

from training.__main__ import COMMANDS, main
from training.text import core_words

README = Path(__file__).parents[1] / "README.md"


def test_help_lists_each_command_with_what_it_does_as_the_readme_does(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    listed = re.findall(r"^  ([a-z]+) {2,}(\w.+)$", capsys.readouterr().out.split("commands, each")[1], re.M)
    assert listed == [(name, command.does) for name, command in COMMANDS.items()]
    # one of them has two rows
    rows = dict.fromkeys(re.findall(r"^\| `([a-z]+)", README.read_text(), re.M))
    assert [name for name, _ in listed] == list(rows)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name, capsys):
    assert {"HELP", "arguments", "run"} <= vars(importlib.import_module(COMMANDS[name].module)).keys()
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert f"usage: python -m training {name}" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["trian"])
    said = capsys.readouterr().err
    assert "invalid choice: 'trian'" in said and "synthesise" in said


def test_an_interrupted_command_says_so_and_nothing_else(capsys, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.text.command.run", interrupted)
    assert main(["text"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_sentences_of_either_grammar_are_printed(capsys):
    printed = {}
    for grammar in ("home", "commands"):
        main(["text", "--grammar", grammar, "--count", "300", "--seed", "2", "--kind"])
        printed[grammar] = capsys.readouterr().out.splitlines()
        assert len(printed[grammar]) == 300
    main(["text", "--count", "300", "--seed", "2", "--kind"])
    assert capsys.readouterr().out.splitlines() == printed["home"]
    words = {word for line in printed["commands"] for word in line.split("\t")[1].split()}
    assert words <= set(core_words())
