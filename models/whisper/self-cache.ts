/**
 * The decoder's self-attention cache: what every text position so far has to say to the ones after it.
 */
import type { Tensor } from '../../providers/provider.ts';
import type { WhisperShape } from './graphs.ts';

/** Tensors `self_key_{i}` and `self_value_{i}`, float32 [1, H, C, W]; C = `capacity` in tokens. */
export type SelfCache = {
  readonly capacity: number;
  readonly tensors: Readonly<Record<string, Tensor<'float32'>>>;
};

/**
 * The whole cache is copied in every step (in the graph's loop attention has another one to write to), so it starts
 * small: a step of whisper-tiny took 1.7 ms with room for 32 tokens and 4.0 ms with room for 448.
 */
const firstCapacity = 32;

function capacityFor(tokens: number, shape: WhisperShape): number {
  let capacity = firstCapacity;
  while (capacity < tokens) capacity *= 2;
  return Math.min(capacity, shape.maxTextTokens);
}

/** A cache of zeros with room for `tokens` (at most `shape.maxTextTokens`, else RangeError). */
export function createSelfCache(shape: WhisperShape, tokens: number): SelfCache {
  if (tokens > shape.maxTextTokens) {
    throw new RangeError(`${tokens} text tokens, the model knows ${shape.maxTextTokens}`);
  }
  const capacity = capacityFor(tokens, shape);
  const dims = [1, shape.decoderHeads, capacity, shape.headWidth];
  const size = shape.decoderHeads * capacity * shape.headWidth;
  const tensors: Record<string, Tensor<'float32'>> = {};
  for (let layer = 0; layer < shape.decoderLayers; layer++) {
    for (const name of [`self_key_${layer}`, `self_value_${layer}`]) {
      tensors[name] = { type: 'float32', dims, data: new Float32Array(size) };
    }
  }
  return { capacity, tensors };
}

/** A cache with room for `tokens` that holds what `cache` held: each head's rows move to their wider place. */
export function growSelfCache(cache: SelfCache, shape: WhisperShape, tokens: number): SelfCache {
  const grown = createSelfCache(shape, tokens);
  const oldHead = cache.capacity * shape.headWidth;
  const newHead = grown.capacity * shape.headWidth;
  for (const [name, { data }] of Object.entries(grown.tensors)) {
    const old = cache.tensors[name]?.data;
    for (let head = 0; old !== undefined && head < shape.decoderHeads; head++) {
      data.set(old.subarray(head * oldHead, (head + 1) * oldHead), head * newHead);
    }
  }
  return grown;
}

/** The same again, in memory of its own: in that of `discarded` where it is as large. */
export function copySelfCache(cache: SelfCache, discarded: SelfCache | undefined): SelfCache {
  const reused = discarded?.capacity === cache.capacity ? discarded : undefined;
  const tensors: Record<string, Tensor<'float32'>> = {};
  for (const [name, { dims, data }] of Object.entries(cache.tensors)) {
    const into = reused?.tensors[name];
    into?.data.set(data);
    tensors[name] = into ?? { type: 'float32', dims, data: data.slice() };
  }
  return { capacity: cache.capacity, tensors };
}
