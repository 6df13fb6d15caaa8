/**
 * The decoder's self-attention cache: what every text position so far has to say to the ones after it.
 */
import type { Tensor } from '../../providers/provider.ts';
import type { WhisperShape } from './graphs.ts';

/** Tensors `self_key_{i}` and `self_value_{i}`, float32 [B, H, C, W]; B = `texts`, C = `capacity` in tokens. */
export type SelfCache = {
  readonly texts: number;
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

/** A cache of zeros for `texts` with room for `tokens` in each (at most `shape.maxTextTokens`, else RangeError). */
export function createSelfCache(shape: WhisperShape, tokens: number, texts = 1): SelfCache {
  if (tokens > shape.maxTextTokens) {
    throw new RangeError(`${tokens} text tokens, the model knows ${shape.maxTextTokens}`);
  }
  const capacity = capacityFor(tokens, shape);
  const dims = [texts, shape.decoderHeads, capacity, shape.headWidth];
  const size = texts * shape.decoderHeads * capacity * shape.headWidth;
  const tensors: Record<string, Tensor<'float32'>> = {};
  for (let layer = 0; layer < shape.decoderLayers; layer++) {
    for (const name of [`self_key_${layer}`, `self_value_${layer}`]) {
      tensors[name] = { type: 'float32', dims, data: new Float32Array(size) };
    }
  }
  return { texts, capacity, tensors };
}

/**
 * Writes to `into` what `from` holds of the texts `parents`, one after the other; a text may be taken several times. Where
 * one of them has more room than the other, what both have room for is taken.
 */
export function takeTexts(from: SelfCache, parents: readonly number[], into: SelfCache): void {
  const asMuchRoom = from.capacity === into.capacity;
  for (const [name, { data, dims }] of Object.entries(into.tensors)) {
    const old = from.tensors[name]?.data as Float32Array;
    const [, heads, , width] = dims as [number, number, number, number];
    // with as much room, all heads of a text are one piece
    const pieces = asMuchRoom ? 1 : heads;
    const perToken = asMuchRoom ? heads * width : width;
    const taken = Math.min(from.capacity, into.capacity) * perToken;
    for (const [text, parent] of parents.entries()) {
      for (let piece = 0; piece < pieces; piece++) {
        const at = (parent * pieces + piece) * from.capacity * perToken;
        data.set(old.subarray(at, at + taken), (text * pieces + piece) * into.capacity * perToken);
      }
    }
  }
}
