"""The trainer: what learns when, how it goes on, and what it refuses."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from compiled import EMBEDDED
from golden_corpus import write_golden_corpus

from training.corpora import Corpora, read_words
from training.errors import TrainingFault
from training.model import load_checkpoint
from training.recipe import Progress, Recipe, learning_rate, strength_at
from training.train import Trainer, train


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_golden_corpus(folder)
    return folder


def test_a_new_head_for_phones_does_not_move_the_encoder(corpus, recipe, tmp_path):
    trainer = Trainer(recipe, EMBEDDED, [corpus], tmp_path, 0)
    batch = next(trainer._batches.forever(lambda: 0.3))
    encoder = trainer.student.whisper.model.encoder.conv1.weight
    trainer.losses(batch, 0.0)["phones"].backward()
    assert encoder.grad is None
    assert trainer.student.phones.weight.grad.abs().sum() > 0
    trainer.progress.step = 1
    trainer.losses(batch, 0.0)["phones"].backward()
    assert encoder.grad.abs().sum() > 0


def test_the_rate_warms_up_and_falls_to_the_last(recipe):
    recipe = replace(recipe, warm_up_steps=10, peak_learning_rate=1e-3, final_learning_rate=1e-5)
    assert learning_rate(recipe, 0, 0.0) == pytest.approx(1e-4)
    assert learning_rate(recipe, 9, 0.0) == pytest.approx(1e-3)
    assert learning_rate(recipe, 100, 0.5) == pytest.approx((1e-3 + 1e-5) / 2)
    assert learning_rate(recipe, 100, 1.0) == pytest.approx(1e-5)


def test_the_augmentation_grows_to_its_strength():
    eased = Recipe(strength=0.5, strength_easing=0.4)
    assert [strength_at(eased, share) for share in (0, 0.2, 0.4, 1)] == pytest.approx([0.1, 0.3, 0.5, 0.5])
    assert strength_at(Recipe(strength=0.5, strength_easing=0), 0) == 0.5


def test_whichever_is_over_first_ends_it(recipe):
    recipe = replace(recipe, presentations=100, minutes=10)
    assert Progress(presentations=25).share(recipe) == 0.25
    assert Progress(presentations=25, elapsed_s=300).share(recipe) == 0.5
    assert Progress(presentations=250).share(recipe) == 1


def test_it_trains_keeps_what_it_was_on_the_way_and_goes_on(corpus, recipe, tmp_path):
    train(recipe, EMBEDDED, [corpus], tmp_path)
    shown = [int(folder.name) for folder in sorted((tmp_path / "snapshots").iterdir())]
    assert len(shown) == 2 and shown[0] < shown[1] and shown[1] >= 40
    trained = load_checkpoint(tmp_path / "model")
    first = load_checkpoint(EMBEDDED).state_dict()
    changed = [name for name, weight in trained.state_dict().items() if not torch.equal(weight, first[name])]
    assert len(changed) == len(first) - 1, "all but the position codes of the encoder"

    again = Trainer(recipe, EMBEDDED, [corpus], tmp_path, 0)
    assert again.progress.presentations == shown[1]
    mean = again.mean_model().state_dict()
    assert all(torch.equal(weight, mean[name]) for name, weight in trained.state_dict().items())
    assert json.loads((tmp_path / "recipe.json").read_text())["recipe"] == asdict(recipe)


def test_muon_moves_the_matrices_of_the_layers_and_goes_on(corpus, recipe, tmp_path):
    recipe = replace(recipe, optimiser="muon")
    train(recipe, EMBEDDED, [corpus], tmp_path)
    again = Trainer(recipe, EMBEDDED, [corpus], tmp_path, 0)
    adam, muon = again._optimisers
    names = {id(weight): name for name, weight in again.student.named_parameters()}
    moved = {names[id(weight)] for weight in muon.param_groups[0]["params"]}
    shape = again.student.whisper.shape
    assert len(moved) == 6 * shape.encoder_layers + 10 * shape.decoder_layers
    assert all(name.endswith(("proj.weight", "fc1.weight", "fc2.weight")) for name in moved)
    assert all(weight in muon.state for weight in muon.param_groups[0]["params"]), "its momentum came back"
    others = {names[id(weight)] for group in adam.param_groups for weight in group["params"]}
    assert moved.isdisjoint(others) and len(moved | others) == len(again._trained)
    trained, first = load_checkpoint(tmp_path / "model").state_dict(), load_checkpoint(EMBEDDED).state_dict()
    whisper = {name.removeprefix("whisper.") for name in moved}
    assert not any(torch.equal(trained[name], first[name]) for name in whisper)


def test_an_unknown_optimiser_is_refused(corpus, recipe, tmp_path):
    with pytest.raises(TrainingFault, match="USAGE_INVALID"):
        Trainer(replace(recipe, optimiser="sgd"), EMBEDDED, [corpus], tmp_path, 0)


def test_another_recipe_in_the_same_folder_is_refused(corpus, recipe, tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(TrainingFault, match="RECIPE_CHANGED"):
        train(recipe, EMBEDDED, [corpus], tmp_path)


def test_kinds_can_be_left_out(corpus):
    assert len(Corpora([corpus]).utterances) == 10
    assert Corpora([corpus], leave_out=frozenset({"golden"})).utterances == []


def test_only_sentences_of_given_words_can_be_learnt(corpus, tmp_path):
    every = Corpora([corpus]).utterances
    words = tmp_path / "words.txt"
    words.write_text(f"{every[0].text}\n{every[1].text}\n")
    chosen = Corpora([corpus], words=read_words(words)).utterances
    assert {every[0].text, every[1].text} <= {utterance.text for utterance in chosen}
    assert len(chosen) < len(every)
    words.write_text("\n")
    for file in (words, tmp_path / "none.txt"):
        with pytest.raises(TrainingFault, match="WORDS_INVALID"):
            read_words(file)
