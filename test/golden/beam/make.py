"""Writes golden.json: what beam search makes of small random language models.

  python3 test/golden/beam/make.py       (numpy 2.4)

The search is written from openai/whisper's decoding.py (MIT licence; BeamSearchDecoder, MaximumLikelihoodRanker,
patience 1, no length penalty) with its own data structures, dictionaries of whole sequences; none of harkd's code is
used. A model is a table [V, V, V]: logits of the next token by the last two; before the first token both are 0, which
is the end of the text.
"""
import json
from pathlib import Path
import numpy as np

V, EOT = 6, 0


def log_softmax(x):
    x = x - x.max()
    return x - np.log(np.exp(x).sum())


def beam_search(table, beam_size, max_tokens):
    finished = {}
    prefixes, sums = [()], [0.0]
    for _ in range(max_tokens):
        scores = {}
        for prefix, total in zip(prefixes, sums):
            last = (0, 0, *prefix)[-2:]
            logprobs = log_softmax(table[last])
            for token in np.argsort(-logprobs, kind="stable")[: beam_size + 1]:
                scores[prefix + (int(token),)] = total + logprobs[token]
        prefixes, sums, newly = [], [], {}
        for sequence in sorted(scores, key=scores.get, reverse=True):
            if sequence[-1] == EOT:
                newly[sequence] = scores[sequence]
            else:
                prefixes.append(sequence)
                sums.append(scores[sequence])
                if len(prefixes) == beam_size:
                    break
        for sequence in sorted(newly, key=newly.get, reverse=True):
            if len(finished) >= beam_size:
                break
            finished[sequence] = newly[sequence]
        if len(finished) >= beam_size:
            break
    for j in np.argsort(sums)[::-1]:
        if len(finished) >= beam_size:
            break
        finished[prefixes[j] + (EOT,)] = sums[j]
    best = max(finished, key=lambda s: finished[s] / max(len(s) - 1, 1))
    return {"tokens": list(best[:-1]), "sum": round(float(finished[best]), 5)}


cases = []
rng = np.random.default_rng(22)
for n in range(12):
    table = rng.normal(0, 2, (V, V, V))
    table[0, 0, EOT] = -np.inf  # a text has at least one token, as with Whisper's SuppressBlank
    table[:, :, EOT] -= n % 4
    table = np.round(table, 3)
    results = {str(k): beam_search(table, k, 9) for k in (1, 2, 3, 5)}
    flat = [None if np.isinf(x) else float(x) for x in table.ravel()]
    cases.append({"table": flat, "results": results})
Path(__file__).with_name("golden.json").write_text(
    json.dumps({"vocabularySize": V, "endOfText": EOT, "maxTokens": 9, "cases": cases}) + "\n"
)
