"""Reference for models/whisper/timestamp-rules.ts and sampling.ts, made once with numpy:

    python3 test/golden/timestamp-rules/make.py

Follows the semantics of openai/whisper decoding.py (SuppressTokens, SuppressBlank, ApplyTimestampRules) on random
logits and histories, for a small vocabulary in Whisper's order: text, end of text, other special tokens, timestamps.
Writes cases.json: logits in eighths (exact in float32), what was sampled so far, which ids stay allowed, and the
log-softmax at the likeliest of them.
One rule is not in the source: timestamps beyond the end of the sound are out (`last`).
"""
import json
from pathlib import Path

import numpy as np

END_OF_TEXT, NO_TIMESTAMPS, TIMESTAMP_BEGIN, SIZE = 40, 45, 46, 66
SPECIAL = [41, 42, 43, 44]


def log_softmax(x):
    x = x - x.max()
    return x - np.log(np.exp(x).sum())


def log_sum_exp(x):
    top = x.max() if len(x) else -np.inf
    return -np.inf if top == -np.inf else top + np.log(np.exp(x - top).sum())


def apply(logits, sampled, max_initial, last):
    logits = logits.copy()
    logits[SPECIAL] = -np.inf  # SuppressTokens
    logits[TIMESTAMP_BEGIN + last + 1 :] = -np.inf
    logits[NO_TIMESTAMPS] = -np.inf
    last_was_timestamp = len(sampled) >= 1 and sampled[-1] >= TIMESTAMP_BEGIN
    penultimate_was_timestamp = len(sampled) < 2 or sampled[-2] >= TIMESTAMP_BEGIN
    if last_was_timestamp:
        if penultimate_was_timestamp:
            logits[TIMESTAMP_BEGIN:] = -np.inf
        else:
            logits[:END_OF_TEXT] = -np.inf
    timestamps = [t for t in sampled if t >= TIMESTAMP_BEGIN]
    if timestamps:
        if last_was_timestamp and not penultimate_was_timestamp:
            timestamp_last = timestamps[-1]
        else:
            timestamp_last = timestamps[-1] + 1
        logits[TIMESTAMP_BEGIN:timestamp_last] = -np.inf
    if not sampled:
        logits[:TIMESTAMP_BEGIN] = -np.inf
        logits[TIMESTAMP_BEGIN + max_initial + 1 :] = -np.inf
    log_probs = log_softmax(logits)
    if log_sum_exp(log_probs[TIMESTAMP_BEGIN:]) > log_probs[:TIMESTAMP_BEGIN].max():
        logits[:TIMESTAMP_BEGIN] = -np.inf
    return logits


rng = np.random.default_rng(20261122)


def history():
    """What such a decoder may have written so far, and now and then what it may not."""
    if rng.random() < 0.1:
        return [int(t) for t in rng.integers(0, SIZE, rng.integers(0, 6))]
    sampled, now = [], 0
    for _ in range(rng.integers(0, 4)):
        sampled.append(TIMESTAMP_BEGIN + now)
        sampled += [int(t) for t in rng.integers(0, END_OF_TEXT, rng.integers(1, 4))]
        now = min(now + int(rng.integers(1, 6)), SIZE - TIMESTAMP_BEGIN - 1)
        sampled.append(TIMESTAMP_BEGIN + now)
    return sampled[: rng.integers(0, len(sampled) + 1)]


cases = []
for _ in range(400):
    eighths = rng.integers(-40, 41, SIZE)
    eighths[TIMESTAMP_BEGIN:] += int(rng.integers(-40, 41))  # so that both sides of the sum rule occur
    sampled = history()
    max_initial, last = int(rng.integers(0, 12)), int(rng.integers(5, SIZE - TIMESTAMP_BEGIN))
    ruled = apply(eighths / 8.0, sampled, max_initial, last)
    allowed = np.flatnonzero(np.isfinite(ruled))
    if len(allowed) == 0:
        continue  # only after histories that cannot be
    best = int(ruled.argmax())
    cases.append(
        {
            "eighths": eighths.tolist(),
            "sampled": sampled,
            "maxInitial": max_initial,
            "last": last,
            "allowed": allowed.tolist(),
            "best": best,
            "logProb": round(float(log_softmax(ruled)[best]), 9),
        }
    )
reference = {
    "endOfText": END_OF_TEXT,
    "noTimestamps": NO_TIMESTAMPS,
    "firstTimestamp": TIMESTAMP_BEGIN,
    "suppressed": SPECIAL,
    "cases": cases,
}
(Path(__file__).parent / "cases.json").write_text(json.dumps(reference, separators=(",", ":")) + "\n")
print(len(cases), "cases")
