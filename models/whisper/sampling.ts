/**
 * Choosing a token from logits. A suppressed token has -inf; nothing here allocates.
 */

/** Index of the largest logit, the first among equals. */
export function argMax(logits: Float32Array): number {
  let best = 0;
  let bestLogit = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i] as number;
    if (logit > bestLogit) {
      bestLogit = logit;
      best = i;
    }
  }
  return best;
}

/** log(sum(exp(logits))) over [from, to); -inf where nothing is allowed. */
export function logSumExp(logits: Float32Array, from = 0, to = logits.length): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) max = Math.max(max, logits[i] as number);
  if (max === Number.NEGATIVE_INFINITY) return max;
  let sum = 0;
  for (let i = from; i < to; i++) sum += Math.exp((logits[i] as number) - max);
  return max + Math.log(sum);
}

/** Log-softmax of `logits` at `token`. */
export function logProbAt(logits: Float32Array, token: number): number {
  return (logits[token] as number) - logSumExp(logits);
}

/** Draws from softmax(logits / temperature) by the inverse of its distribution at `uniform` in [0, 1). */
export function drawToken(logits: Float32Array, temperature: number, uniform: number): number {
  const max = logits[argMax(logits)] as number;
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(((logits[i] as number) - max) / temperature);
  let left = uniform * total;
  let last = 0;
  for (let i = 0; i < logits.length; i++) {
    const weight = Math.exp(((logits[i] as number) - max) / temperature);
    if (weight === 0) continue;
    left -= weight;
    last = i;
    if (left < 0) return i;
  }
  return last;
}

/** Uniform numbers in [0, 1), the same for the same seed: mulberry32 (T. Ettinger, 2017), period 2^32. */
export function seededUniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
