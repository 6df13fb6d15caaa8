#!/usr/bin/env python3
"""
Vectors for test/models/compiler/parity.test.ts: what PyTorch makes of Whisper checkpoints with random weights, at the
shapes of published models. An implementation of its own, from the paper (Radford et al. 2022) and openai/whisper's
model.py: it shares no code with harkd, reads the same model.safetensors, and computes in float64, so that what differs
is harkd's rounding.

    npm run build && node dist/test/parity.js write DIR      writes DIR/NAME/model.safetensors and DIR/NAME/sound.f32
    python3 reference.py DIR                                 writes vectors.json here    (torch 2.13, numpy, safetensors)
    npm run test:parity                                      all shapes; npm test runs the smallest
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

torch.manual_seed(0)
torch.set_num_threads(2)
DTYPE = torch.float64


def log_mel(samples: np.ndarray, mels: int) -> torch.Tensor:
    """openai/whisper audio.py log_mel_spectrogram, with librosa's slaney filter bank computed here."""

    def to_mel(hz):
        hz = np.asarray(hz, dtype=np.float64)
        linear = hz / (200 / 3)
        return np.where(hz >= 1000, 15 + np.log(np.maximum(hz, 1e-9) / 1000) / (np.log(6.4) / 27), linear)

    def to_hz(mel):
        return np.where(mel >= 15, 1000 * np.exp((np.log(6.4) / 27) * (mel - 15)), mel * (200 / 3))

    edges = to_hz(np.linspace(to_mel(0), to_mel(8000), mels + 2))
    bins = np.linspace(0, 8000, 201)
    lower = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    upper = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(lower, upper)) * (2 / (edges[2:] - edges[:-2]))[:, None]

    audio = torch.from_numpy(samples).to(DTYPE)
    stft = torch.stft(audio, 400, 160, window=torch.hann_window(400, dtype=DTYPE), return_complex=True)
    power = stft[..., :-1].abs() ** 2
    log = torch.clamp(torch.from_numpy(filters) @ power, min=1e-10).log10()
    log = torch.maximum(log, log.max() - 8.0)
    return (log + 4.0) / 4.0


class Whisper:
    def __init__(self, folder: str):
        self.config = json.load(open(os.path.join(folder, "config.json")))
        self.generation = json.load(open(os.path.join(folder, "generation_config.json")))
        tensors = load_file(os.path.join(folder, "model.safetensors"))
        self.weights = {name: tensor.to(DTYPE) for name, tensor in tensors.items()}

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.weights["model." + name]

    def linear(self, x, name):
        return F.linear(x, self[name + ".weight"], self.weights.get(f"model.{name}.bias"))

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self[name + ".weight"], self[name + ".bias"], eps=1e-5)

    def attention(self, x, source, name, heads, causal=False):
        length, width = x.shape
        split = lambda y: y.view(y.shape[0], heads, width // heads).transpose(0, 1)
        q = split(self.linear(x, name + ".q_proj"))
        k = split(self.linear(source, name + ".k_proj"))
        v = split(self.linear(source, name + ".v_proj"))
        scores = q @ k.transpose(1, 2) / (width // heads) ** 0.5
        if causal:
            scores = scores + torch.full((length, length), float("-inf"), dtype=DTYPE).triu(1)
        out = (scores.softmax(-1) @ v).transpose(0, 1).reshape(length, width)
        return self.linear(out, name + ".out_proj")

    def feed_forward(self, x, name):
        return self.linear(F.gelu(self.linear(self.norm(x, name + ".final_layer_norm"), name + ".fc1")), name + ".fc2")

    def encode(self, mel):
        heads = self.config["encoder_attention_heads"]
        x = F.gelu(F.conv1d(mel[None], self["encoder.conv1.weight"], self["encoder.conv1.bias"], padding=1))
        x = F.gelu(F.conv1d(x, self["encoder.conv2.weight"], self["encoder.conv2.bias"], stride=2, padding=1))
        x = x[0].T
        x = x + self["encoder.embed_positions.weight"][: len(x)]
        for i in range(self.config["encoder_layers"]):
            layer = f"encoder.layers.{i}"
            h = self.norm(x, layer + ".self_attn_layer_norm")
            x = x + self.attention(h, h, layer + ".self_attn", heads)
            x = x + self.feed_forward(x, layer)
        return self.norm(x, "encoder.layer_norm")

    def logits(self, tokens, sound):
        heads = self.config["decoder_attention_heads"]
        x = self["decoder.embed_tokens.weight"][tokens] + self["decoder.embed_positions.weight"][: len(tokens)]
        for i in range(self.config["decoder_layers"]):
            layer = f"decoder.layers.{i}"
            h = self.norm(x, layer + ".self_attn_layer_norm")
            x = x + self.attention(h, h, layer + ".self_attn", heads, causal=True)
            h = self.norm(x, layer + ".encoder_attn_layer_norm")
            x = x + self.attention(h, sound, layer + ".encoder_attn", heads)
            x = x + self.feed_forward(x, layer)
        x = self.norm(x, "decoder.layer_norm")
        tied = self.config["tie_word_embeddings"]
        return x @ (self["decoder.embed_tokens.weight"] if tied else self.weights["proj_out.weight"]).T


def reference(folder: str) -> dict:
    model = Whisper(folder)
    samples = np.fromfile(os.path.join(folder, "sound.f32"), dtype=np.float32)
    hidden = model.encode(log_mel(samples, model.config["num_mel_bins"]))
    recipe = json.load(open(os.path.join(folder, "recipe.json")))
    vocabulary = model.config["vocab_size"]
    never = torch.zeros(vocabulary, dtype=DTYPE)
    never[model.generation["suppress_tokens"]] = float("-inf")
    first = never.clone()
    first[model.generation["begin_suppress_tokens"]] = float("-inf")
    tokens, chosen, rows = list(recipe["prompt"]), [], []
    # every so many-th logit, the same for all rows: enough to notice a row that is wrong anywhere
    sampled = list(range(0, vocabulary, recipe["every"]))
    for step in range(recipe["tokens"]):
        row = model.logits(tokens, hidden)[-1]
        allowed = row + (first if step == 0 else never)
        top = torch.topk(allowed, 2)
        may = row[torch.isfinite(allowed)]
        chosen.append(int(top.indices[0]))
        rows.append(
            {
                "sampled": [round(float(row[i]), 6) for i in sampled],
                "top": [round(float(value), 6) for value in top.values],
                "sum": round(float(may.sum()), 4),
                "squares": round(float((may * may).sum()), 3),
            }
        )
        tokens.append(chosen[-1])
    corner = [round(float(value), 6) for value in hidden[:4, :16].flatten()]
    return {"tokens": chosen, "rows": rows, "hidden": corner}


if __name__ == "__main__":
    root = sys.argv[1]
    vectors = {}
    for name in sorted(os.listdir(root)):
        with torch.no_grad():
            vectors[name] = reference(os.path.join(root, name))
        print(name, vectors[name]["tokens"], [row["top"] for row in vectors[name]["rows"]][:2])
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors.json")
    with open(target, "w") as out:
        json.dump(vectors, out, indent=None, separators=(",", ":"))
        out.write("\n")
