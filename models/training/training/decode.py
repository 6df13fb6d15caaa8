"""Greedy decoding of batches, as harkd does it: arg-max over what is not suppressed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.model import Attention, DecoderLayer, Whisper
from training.tokens import Tokenizer


@dataclass(frozen=True)
class Hypothesis:
    text: str
    #: mean of the log-probabilities of the chosen tokens, the end included
    average_log_probability: float


@torch.inference_mode()
def greedy(
    model: Whisper, sound: Tensor, tokenizer: Tokenizer, positions: Tensor | None = None
) -> list[Hypothesis]:
    """Texts for encoded sounds [B, S, D]; of each only the first `positions` [B], where that is given."""
    specials = tokenizer.specials
    vocabulary = model.shape.vocab_size
    suppressed, later = (tokenizer.suppressed(vocabulary, first) for first in (True, False))
    texts: list[list[int]] = [[] for _ in range(sound.shape[0])]
    sums = [0.0] * len(texts)
    steps = Steps(model, sound, positions)
    tokens = torch.tensor([specials.prompt] * len(texts))
    going = list(range(len(texts)))
    for _ in range(model.shape.max_target_positions - len(specials.prompt)):
        logits = steps.next(tokens).float()
        logits[:, suppressed] = -torch.inf
        best, chosen = logits.log_softmax(-1).max(-1)
        for row, id, log_probability in zip(going, chosen.tolist(), best.tolist()):
            texts[row].append(id)
            sums[row] += log_probability
        rows = (chosen != specials.end).nonzero()[:, 0]
        if not len(rows):
            break
        if len(rows) < len(going):
            # those that have ended cost nothing more: one that talks on does not hold up the others
            going = [going[row] for row in rows.tolist()]
            steps.keep(rows)
        tokens = chosen[rows, None]
        suppressed = later
    return [Hypothesis(tokenizer.decode(ids), total / len(ids)) for ids, total in zip(texts, sums)]


class Steps:
    """The decoder, a few tokens at a time: keys and values of the sound and of earlier tokens are kept."""

    def __init__(self, model: Whisper, sound: Tensor, positions: Tensor | None = None) -> None:
        """`sound` [B, S, D] is what the encoder made, for each as long as `positions` [B] says."""
        self._decoder = model.model.decoder
        self._length = 0
        layers: list[DecoderLayer] = list(self._decoder.layers)
        self._sound = [_keys_and_values(layer.encoder_attn, sound) for layer in layers]
        self._text: list[tuple[Tensor, Tensor] | None] = [None] * len(layers)
        whole = sound.shape[1]
        self._audible = None
        if positions is not None and bool((positions < whole).any()):
            self._audible = (torch.arange(whole) < positions[:, None])[:, None, None]

    def next(self, tokens: Tensor) -> Tensor:
        """Logits [B, vocabulary] for what follows `tokens` [B, L], which follow those given before."""
        decoder, start = self._decoder, self._length
        self._length = end = start + tokens.shape[1]
        x = decoder.embed_tokens(tokens) + decoder.embed_positions.weight[start:end]
        earlier = torch.ones(end, end, dtype=torch.bool, device=tokens.device).tril()[start:]
        for at, layer in enumerate(decoder.layers):
            y = layer.self_attn_layer_norm(x)
            kept, new = self._text[at], _keys_and_values(layer.self_attn, y)
            text = new if kept is None else tuple(torch.cat(pair, 2) for pair in zip(kept, new))
            self._text[at] = text
            x = x + _attend(layer.self_attn, y, *text, earlier)
            y = layer.encoder_attn_layer_norm(x)
            x = x + _attend(layer.encoder_attn, y, *self._sound[at], self._audible)
            x = x + layer.fc2(torch.nn.functional.gelu(layer.fc1(layer.final_layer_norm(x))))
        return decoder.embed_tokens.logits(decoder.layer_norm(x[:, -1:]))[:, 0]

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows of the batch alone, in this order."""
        self._sound = [(keys[rows], values[rows]) for keys, values in self._sound]
        self._audible = None if self._audible is None else self._audible[rows]
        self._text = [None if pair is None else (pair[0][rows], pair[1][rows]) for pair in self._text]


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def _keys_and_values(attention: Attention, source: Tensor) -> tuple[Tensor, Tensor]:
    heads = attention.heads
    return _heads(attention.k_proj(source), heads), _heads(attention.v_proj(source), heads)


def _attend(
    attention: Attention, x: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None
) -> Tensor:
    queries = _heads(attention.q_proj(x), attention.heads)
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return attention.out_proj((scores.softmax(-1) @ values).transpose(1, 2).reshape(x.shape))
