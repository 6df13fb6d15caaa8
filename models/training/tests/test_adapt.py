"""A small adaptation from household to model folder: it learns, checks, refuses, and can be interrupted."""

import json
import shutil
from copy import deepcopy
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from test_adapt_household import EMBEDDED, household

from training.__main__ import main
from training.adapt import check
from training.adapt.low_rank import LowRank, last_layer, low_rank, merge
from training.adapt.tune import Tuner, TuningRecipe
from training.corpora import Corpora
from training.errors import TrainingFault
from training.model import Shape, Whisper, load_checkpoint
from training.tokens import Tokenizer

SMALL = Shape(40, 80, 32, 3, 2, 64, 2, 2, 64, 200, 20)
TINY = "--engines espeak-ng,flite --utterances 16 --checked 10 --steps 2 --minutes 60".split()

needs_engines = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("flite")), reason="speaks with espeak-ng and flite"
)


def heard(model: Whisper) -> torch.Tensor:
    mel = torch.randn(2, 80, 120, generator=torch.Generator().manual_seed(3))
    return model.decode(torch.tensor([[1, 2, 3, 4, 5]] * 2), model.encode(mel))


def learn_a_step(model: Whisper) -> None:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=0.02, weight_decay=0.0)
    for _ in range(2):
        optimiser.zero_grad()
        heard(model).square().mean().backward()
        optimiser.step()


def changed(model: Whisper, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}


def test_a_merged_update_is_the_function_that_was_trained() -> None:
    model = Whisper(SMALL).eval()
    before = deepcopy(model.state_dict())
    at_first = heard(model).detach()
    learning = low_rank(model, 4, seed=1)
    assert torch.equal(heard(model), at_first)
    learn_a_step(model)
    assert [weight for weight in learning if weight.grad is None] == []
    trained = heard(model).detach()
    assert (trained - at_first).abs().max() > 0.01
    merged = merge(model)
    assert not any(isinstance(module, LowRank) for module in merged.modules())
    assert merged.state_dict().keys() == before.keys()
    torch.testing.assert_close(heard(merged), trained, rtol=1e-4, atol=1e-5)
    projections = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
    wanted = {
        name
        for name in before
        if name.endswith(".weight")
        and name.split(".")[-2] in projections
        and ".encoder.layers.0." not in name
    }
    assert changed(merged, before) == wanted


def test_the_update_is_of_the_rank_that_was_asked_for() -> None:
    model = Whisper(SMALL)
    before = model.model.decoder.layers[1].fc1.weight.clone()
    low_rank(model, 3, seed=1)
    learn_a_step(model)
    update = (merge(model).model.decoder.layers[1].fc1.weight - before).detach()
    assert torch.linalg.matrix_rank(update, atol=1e-6) == 3
    for rank in (0, 32):
        with pytest.raises(TrainingFault, match="USAGE_INVALID.*1 to 31"):
            low_rank(Whisper(SMALL), rank, seed=1)


def test_the_last_layer_learns_and_of_the_table_only_the_rows_of_the_household() -> None:
    model = Whisper(SMALL)
    before = deepcopy(model.state_dict())
    last_layer(model, [5, 17])
    learn_a_step(model)
    table = "model.decoder.embed_tokens.weight"
    assert {name for name in changed(model, before)} - {table} == {
        name for name in before if name.startswith(("model.decoder.layers.1.", "model.decoder.layer_norm."))
    }
    moved = (model.state_dict()[table] != before[table]).any(1).nonzero()[:, 0].tolist()
    assert moved == [5, 17]


def adapt(out: Path, home: Path, *options: str) -> int:
    where = ["--model", str(EMBEDDED), "--household", str(home), "--out", str(out)]
    return main(["adapt", *where, *TINY, *options])


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an adaptation has been; what was spoken for it serves the others, too."""
    out = tmp_path_factory.mktemp("adapted")
    assert adapt(out, household(out), "--learning-rate", "1e-6", "--name", "home", "--force") == 0
    return out


@needs_engines
def test_what_is_exported_is_a_model_of_the_same_tokenizer(adapted: Path) -> None:
    folder = adapted / "home"
    model, base = load_checkpoint(folder), load_checkpoint(EMBEDDED)
    assert (folder / "tokenizer.json").read_bytes() == (EMBEDDED / "tokenizer.json").read_bytes()
    names = changed(model, base.state_dict())
    assert names and not any(name.startswith("model.encoder.layers.0.") for name in names)
    card, old = (json.loads((at / "card.json").read_text()) for at in (folder, EMBEDDED))
    assert card["name"] == "home" and card.keys() == old.keys()
    assert card["decoding"] == old["decoding"] and card["segment"] == old["segment"]
    for name, record in card["files"].items():
        content = (folder / name).read_bytes()
        assert record == {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    assert "siobhan" not in (folder / "card.json").read_text()
    report = json.loads((adapted / "report.json").read_text())
    assert report["recipe"]["step"] == 2
    assert report["wer"]["general"]["before_percent"] > 0
    assert report["recall"]["before"]["all"]["said"] >= 10


@needs_engines
def test_a_wrecked_model_is_not_exported_unless_forced(
    adapted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = adapted / "Our Home.json"
    assert adapt(adapted, home, "--learning-rate", "9", "--name", "wreck") == 2
    said = capsys.readouterr().err
    assert "ADAPT_FORGETS" in said and "fewer --steps" in said and "--force" in said
    assert not (adapted / "wreck").exists()
    assert adapt(adapted, home, "--learning-rate", "9", "--name", "wreck", "--force") == 0
    assert load_checkpoint(adapted / "wreck").shape == load_checkpoint(EMBEDDED).shape


@needs_engines
def test_a_model_that_has_learnt_nothing_is_not_exported(
    adapted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = adapted / "Our Home.json"
    assert adapt(adapted, home, "--learning-rate", "1e-6", "--name", "vain") == 2
    said = capsys.readouterr().err
    assert "ADAPT_IN_VAIN" in said and "keyTerms" in said
    assert not (adapted / "vain").exists()


@needs_engines
def test_less_of_the_update_is_exported_where_all_of_it_does_harm(
    adapted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = adapted / "Our Home.json"
    require_unharmed, refused = check.require_unharmed, []

    def refuse_first(general: check.Change) -> None:
        if refused:
            return require_unharmed(general)
        refused.append(general)
        raise TrainingFault("ADAPT_FORGETS", "little", "much", "wait")

    monkeypatch.setattr(check, "require_learnt", lambda before, after: None)
    assert adapt(adapted, home, "--learning-rate", "2e-6", "--name", "whole") == 0
    monkeypatch.setattr(check, "require_unharmed", refuse_first)
    assert adapt(adapted, home, "--learning-rate", "2e-6", "--name", "half") == 0
    said = capsys.readouterr().out
    assert "100% of what was learnt" in said and "50% of what was learnt" in said
    assert json.loads((adapted / "report.json").read_text())["share"] == 0.5
    base, whole, half = (load_checkpoint(at) for at in (EMBEDDED, adapted / "whole", adapted / "half"))
    between = {name: (weight + base.state_dict()[name]) / 2 for name, weight in whole.state_dict().items()}
    assert all(torch.allclose(weight, between[name], atol=1e-7) for name, weight in half.state_dict().items())
    assert changed(half, base.state_dict())


@needs_engines
def test_an_interrupted_training_goes_on_where_it_was(adapted: Path, tmp_path: Path) -> None:
    corpus = Corpora(list((adapted / "work").glob("*/learnt")))
    tokenizer = Tokenizer.load(EMBEDDED / "tokenizer.json")
    recipe = TuningRecipe(steps=3, minutes=60, frames=800)

    def begun() -> Tuner:
        model = load_checkpoint(EMBEDDED)
        low_rank(model, 2, seed=1)
        return Tuner(model, tokenizer, corpus, recipe, tmp_path / "tuning.pt")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    tuner = begun()
    with pytest.raises(KeyboardInterrupt):
        tuner.run(interrupt)
    again = begun()
    assert again.progress.step == 1
    for name, weight in tuner._learning.items():
        assert torch.equal(weight, again._learning[name])
    shares: list[float] = []
    again.run(lambda share, loss: shares.append(share))
    assert again.progress.step == 3 and shares[-1] == 1 and len(shares) == 2


@needs_engines
def test_recordings_of_ones_own_are_learnt_and_checked(adapted: Path, tmp_path: Path) -> None:
    from training.adapt.spoken import take_recordings
    from training.augment.command import write_wav
    from training.corpus import Corpus

    source = Corpora(list((adapted / "work").glob("*/learnt")))
    texts = {}
    for number, utterance in enumerate(source.utterances[:12]):
        write_wav(tmp_path / f"{number}.wav", utterance.samples())
        texts[f"{number}.wav"] = utterance.text
    file = tmp_path / "own.json"
    file.write_text(json.dumps(texts))
    learnt, checked = take_recordings(file, tmp_path / "learnt", tmp_path / "checked")
    assert learnt + checked == 12 and learnt > checked
    said = {u.text for u in Corpus(tmp_path / "learnt").utterances}
    assert said | {u.text for u in Corpus(tmp_path / "checked").utterances} == set(texts.values())
    file.write_text(json.dumps({"0.wav": "Room 12"}))
    with pytest.raises(TrainingFault, match="RECORDINGS_INVALID.*Room 12"):
        take_recordings(file, tmp_path / "learnt", tmp_path / "checked")
    file.write_text(json.dumps({"no.wav": "hello"}))
    with pytest.raises(TrainingFault, match="SOUND_UNREADABLE"):
        take_recordings(file, tmp_path / "learnt", tmp_path / "checked")


def test_bad_options_are_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (("--minutes", "0"), ("--steps", "-1"), ("--name", "embedded"), ("--rank", "0")):
        assert adapt(tmp_path, household(tmp_path), option, value) == 2
        assert capsys.readouterr().err.count("\n") == 1
