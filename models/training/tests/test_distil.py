"""Tokenizers of real Whispers, selection of layers, labels, and what a student learns beside its teacher."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from compiled import EMBEDDED
from golden_corpus import write_golden_corpus
from random_whisper import node, write

from training.byte_level import from_byte_alphabet, to_byte_alphabet
from training.corpus import Corpus
from training.decode import greedy
from training.distil import distillation_loss, evenly, load_teacher, select
from training.errors import TrainingFault
from training.label import Labelling, label, plain_text
from training.losses import IGNORED, decoder_texts, drop_tokens
from training.model import load_checkpoint
from training.select_command import select_into
from training.tokens import Tokenizer
from training.train import train

TEXTS = [
    "Turn on the lights, it's 7:30!",
    "Äpfel über\tStraße — naïve  café",
    "今日は良い天気ですね。 12½ ²x",
    "don't we'll I'd 'tis ''s  \n x",
    "नमस्ते दुनिया 🙂",
]


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return write(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def golden_corpus(tmp_path_factory):
    """The ten golden utterances as a corpus that says something else of each."""
    folder = tmp_path_factory.mktemp("corpus")
    return folder, write_golden_corpus(folder, says="unknown")


def test_byte_level_text_is_encoded_as_harkd_does(whisper):
    program = """
        const { readTokenizer } = await import('./dist/models/whisper/tokenizer.js');
        const { readFileSync } = await import('node:fs');
        const { encode, special } = readTokenizer(readFileSync(dir + '/tokenizer.json', 'utf8'), 51865);
        console.log(JSON.stringify({ ids: texts.map((text) => encode(' ' + text.trim())), special }));
    """
    wanted = json.loads(node(program, dir=str(whisper), texts=TEXTS))
    tokenizer = Tokenizer.load(whisper / "tokenizer.json")
    assert [tokenizer.encode(text) for text in TEXTS] == wanted["ids"]
    assert [tokenizer.decode(ids) for ids in wanted["ids"]] == TEXTS
    assert tokenizer.specials.start == wanted["special"]["startOfTranscript"]
    assert tokenizer.specials.end == wanted["special"]["endOfText"]
    assert tokenizer.specials.no_speech == wanted["special"]["noSpeech"]
    assert from_byte_alphabet(to_byte_alphabet("".join(TEXTS))) == "".join(TEXTS)


def test_the_prompt_is_that_of_the_language_or_none(whisper, tmp_path):
    def names(tokenizer):
        return [tokenizer.pieces[id] for id in tokenizer.specials.prompt]

    german = Tokenizer.load(whisper / "tokenizer.json", "de")
    assert names(german) == ["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]
    english = Tokenizer.load(write(tmp_path, languages=1, vocabulary=51_864) / "tokenizer.json")
    assert names(english) == ["<|startoftranscript|>", "<|notimestamps|>"]
    _, targets = decoder_texts([[5, 6]], english)
    assert targets.tolist() == [[IGNORED, 5, 6, english.specials.end]]
    with pytest.raises(TrainingFault, match=r"<\|xx\|>"):
        _ = Tokenizer.load(whisper / "tokenizer.json", "xx").specials.prompt


def test_specials_and_timestamps_are_neither_written_nor_drawn(whisper):
    tokenizer = Tokenizer.load(whisper / "tokenizer.json")
    first, later = (set(tokenizer.suppressed(51865, first)) for first in (True, False))
    assert tokenizer.specials.end in first and tokenizer.specials.end not in later
    assert first - later == {32, tokenizer.specials.end}
    assert {tokenizer.ids["<|0.00|>"], tokenizer.ids["<|30.00|>"], tokenizer.ids["<|de|>"]} <= later
    inputs, _ = decoder_texts([list(range(100, 140))], tokenizer)
    drawn = drop_tokens(inputs, 1.0, tokenizer, torch.Generator().manual_seed(1))[0, 4:]
    assert not later & set(drawn.tolist()) - set(tokenizer.suppressed(51865))
    model = load_checkpoint(whisper).eval()
    [heard] = greedy(model, model.encode(torch.randn(1, 80, 60)), tokenizer)
    assert "<|" not in heard.text and heard.average_log_probability < 0


def test_layers_are_kept_evenly_from_the_first_to_the_last():
    assert evenly(12) == [0, 2, 4, 7, 9, 11]
    assert evenly(4) == [0, 3]
    assert evenly(3) == [0, 2]
    assert evenly(1) == [0]


def test_a_student_is_its_teacher_without_the_other_layers(whisper, tmp_path, capsys):
    teacher = load_checkpoint(whisper)
    assert all(
        torch.equal(weight, teacher.state_dict()[name])
        for name, weight in select(teacher, [0, 1, 2], [0, 1, 2, 3]).state_dict().items()
    )
    file = whisper / "generation_config.json"
    generation = json.loads(file.read_text())
    file.write_text(json.dumps(generation | {"alignment_heads": [[1, 0], [3, 1]]}))
    select_into(tmp_path, whisper, [0, 2], None)
    file.write_text(json.dumps(generation))
    student = load_checkpoint(tmp_path)
    assert (student.shape.encoder_layers, student.shape.decoder_layers) == (2, 2)
    last = "model.decoder.layers.{}.encoder_attn.q_proj.weight"
    assert torch.equal(student.state_dict()[last.format(1)], teacher.state_dict()[last.format(3)])
    assert json.loads((tmp_path / "generation_config.json").read_text())["alignment_heads"] == [[1, 1]]
    program = """
        const { readArchitecture } = await import('./dist/models/compiler/architecture.js');
        console.log(readArchitecture(dir).shape.decoderLayers);
    """
    assert node(program, dir=str(tmp_path)).strip() == "2"
    for layers in ([], [1, 0], [0, 3]):
        with pytest.raises(TrainingFault, match="LAYERS_INVALID: expected layers of the encoder.*0 to 2"):
            select(teacher, layers, [0])


def test_a_student_diverges_from_its_teacher_by_what_the_definition_says():
    student, teacher = torch.randn(1, 3, 5), torch.randn(1, 3, 5)
    targets = torch.tensor([[1, IGNORED, 2]])
    wanted = 0.0
    for row in (0, 2):
        p = np.exp(teacher[0, row].numpy() / 2) / np.exp(teacher[0, row].numpy() / 2).sum()
        q = np.exp(student[0, row].numpy() / 2) / np.exp(student[0, row].numpy() / 2).sum()
        wanted += 4 * float((p * np.log(p / q)).sum()) / 2
    assert distillation_loss(student, teacher, targets, 2.0).item() == pytest.approx(wanted, rel=1e-5)
    assert distillation_loss(teacher, teacher, targets, 2.0).item() == pytest.approx(0, abs=1e-6)


def test_a_teacher_with_other_tokens_is_refused(whisper):
    with pytest.raises(
        TrainingFault, match="TEACHER_UNLIKE: expected a teacher with vocab_size 1000, got 51865"
    ):
        load_teacher(whisper, load_checkpoint(EMBEDDED).shape)


def test_labels_are_what_the_teacher_says_where_it_is_sure(golden_corpus, tmp_path):
    folder, said = golden_corpus
    how = Labelling(str(EMBEDDED), str(folder), least_confidence=0.9)
    counts = label(how, tmp_path / "sure")
    assert counts["000000"]["heard"] == 10 and counts["000000"]["kept"] >= 8
    labelled = Corpus(tmp_path / "sure")
    texts = [utterance.text for utterance in labelled.utterances]
    assert set(texts) <= set(said) and len(texts) == counts["000000"]["kept"]
    rows = json.loads((tmp_path / "sure" / "000000.json").read_text())
    assert all(0.9 <= row["confidence"] <= 1 for row in rows)
    # samples are those of the same utterance
    original = Corpus(folder)
    at = said.index(texts[-1])
    assert np.array_equal(labelled.utterances[-1].samples(), original.utterances[at].samples())
    # what is there is not made again
    before = (tmp_path / "sure" / "000000.npy").stat().st_mtime_ns
    assert label(how, tmp_path / "sure") == counts
    assert (tmp_path / "sure" / "000000.npy").stat().st_mtime_ns == before
    with pytest.raises(TrainingFault, match="LABELS_OTHER"):
        label(Labelling(str(EMBEDDED), str(folder), least_confidence=0.5), tmp_path / "sure")
    # too sure for any: no shard, and still done
    surest = math.nextafter(max(row["confidence"] for row in rows) + 0.001, 2)
    assert label(Labelling(str(EMBEDDED), str(folder), surest), tmp_path / "none")["000000"]["kept"] == 0


def test_plain_texts_hold_letters_only():
    assert plain_text("Turn on the lights, it’s — late!") == "turn on the lights it's late"
    assert plain_text("at 7 o'clock") is None
    assert plain_text("café") is None
    assert plain_text(" ... ") is None


def test_a_student_of_any_whisper_learns_from_it(golden_corpus, recipe, tmp_path):
    """No phones, so any language; windows of attention, and int8 imitated from the middle on."""
    whisper = write(tmp_path / "whisper", vocabulary=1884)
    select_into(tmp_path / "start", whisper, None, [0, 3])
    recipe = replace(
        recipe,
        presentations=200,
        encoder_layers=2,
        peak_learning_rate=3e-3,
        warm_up_steps=5,
        phone_weight=0.0,
        guidance_weight=0.0,
        token_dropout=0.0,
        strength=0.0,
        snapshots=1,
        teacher=str(whisper),
        imitate="int8",
        imitate_from=0.5,
        attention_window=32,
    )
    train(recipe, tmp_path / "start", [golden_corpus[0]], tmp_path / "run", log_every=4)
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert "phones" not in metrics[-1]
    assert metrics[-1]["teacher"] < 0.8 * metrics[0]["teacher"]
    assert metrics[-1]["text"] < metrics[0]["text"]
    trained = load_checkpoint(tmp_path / "run" / "model")
    assert trained.shape.decoder_layers == 2
    assert set(trained.state_dict()) == set(load_checkpoint(tmp_path / "start").state_dict())
