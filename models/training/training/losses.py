"""What training minimises: text, phones, and in the beginning where the decoder looks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.batches import POSITION_SAMPLES, SAMPLE_RATE_HZ
from training.model import Whisper
from training.tokens import Tokenizer

#: what cross-entropy does not count
IGNORED = -100
_POSITIONS_PER_S = SAMPLE_RATE_HZ / POSITION_SAMPLES


def decoder_texts(texts: list[list[int]], tokenizer: Tokenizer, step: int = 1) -> tuple[Tensor, Tensor]:
    """Inputs and targets [B, 4 + longest] of the decoder for token ids, the width a multiple of `step`.

    After the start, the target is the language, or "no speech" where the text is empty, as in Whisper; the rest of
    the prompt is given, not guessed.
    """
    specials = tokenizer.specials
    prompt = specials.prompt
    width = -(-(len(prompt) + max(map(len, texts))) // step) * step
    inputs = torch.full((len(texts), width), specials.end)
    targets = torch.full((len(texts), width), IGNORED)
    for row, ids in enumerate(texts):
        given, wanted = prompt + ids, ids + [specials.end]
        inputs[row, : len(given)] = torch.tensor(given)
        # what a model of English alone writes after the start does not say the language
        if specials.language in prompt:
            targets[row, 0] = specials.language if ids else specials.no_speech
        targets[row, len(prompt) - 1 : len(given)] = torch.tensor(wanted)
    return inputs, targets


def drop_tokens(inputs: Tensor, share: float, tokenizer: Tokenizer, generator: torch.Generator) -> Tensor:
    """Replaces a share of the text tokens by random ones, so that the decoder has to listen instead of guessing."""
    prompt = len(tokenizer.specials.prompt)
    dropped = torch.rand(inputs.shape, generator=generator) < share
    dropped[:, :prompt] = False
    text_ids = tokenizer.text_ids
    random = text_ids[torch.randint(len(text_ids), inputs.shape, generator=generator)]
    return torch.where(dropped, random, inputs)


def text_loss(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross-entropy of logits [B, L, V] over the targets [B, L] that count."""
    return F.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, label_smoothing=label_smoothing
    )


def phone_loss(logits: Tensor, phones: list[list[int]]) -> Tensor:
    """CTC over phones: logits [B, S, phones], per phone said. Rows without phones shall be blank throughout."""
    batch, positions = logits.shape[:2]
    lengths = torch.tensor([len(row) for row in phones])
    flat = torch.tensor([phone for row in phones for phone in row], dtype=torch.long)
    total = F.ctc_loss(
        logits.float().log_softmax(-1).transpose(0, 1),
        flat,
        torch.full((batch,), positions),
        lengths,
        reduction="sum",
        zero_infinity=True,
    )
    return total / (lengths.sum() + batch)


def keep_cross_attention(model: Whisper, keep: bool) -> None:
    """Whether the decoder's layers keep where they look, for `guidance_loss`."""
    for layer in model.model.decoder.layers:
        layer.encoder_attn.keep_weights = keep


def guidance_loss(
    model: Whisper, texts: list[list[int]], spans_s: list[tuple[float, float]], tokenizer: Tokenizer
) -> Tensor:
    """How much the decoder looks away from where its word is about to be said, after a forward pass.

    The place is guessed from the letters said so far as a share of the utterance; the guess is wide (a tenth of the
    speech), which is enough to make the decoder listen at all and little enough not to bend it.
    """
    first = len(tokenizer.specials.prompt) - 1
    weights = [layer.encoder_attn.weights for layer in model.model.decoder.layers]
    batch, _, length, positions = weights[0].shape
    centre = torch.zeros(batch, length - first)
    spread = torch.ones(batch, 1)
    counted = torch.zeros(batch, length - first)
    for row, (ids, (start_s, end_s)) in enumerate(zip(texts, spans_s)):
        if not ids:
            continue
        letters = torch.tensor([float(len(tokenizer.pieces[id])) for id in ids])
        said = torch.cat([(letters.cumsum(0) - letters / 2) / letters.sum(), torch.ones(1)])
        speech = (end_s - start_s) * _POSITIONS_PER_S
        centre[row, : len(said)] = start_s * _POSITIONS_PER_S + said * speech
        spread[row] = 4 + 0.1 * speech
        counted[row, : len(said)] = 1
    places = torch.arange(positions)[None, None]
    window = torch.exp(-0.5 * ((places - centre[..., None]) / spread[..., None]) ** 2)
    total = torch.zeros(())
    for layer in weights:
        within = (layer.float().mean(1)[:, first:] * window).sum(-1)
        total = total - ((within + 1e-4).log() * counted).sum() / counted.sum().clamp(min=1)
    return total / len(weights)
