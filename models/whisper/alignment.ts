/**
 * When each word was said, from where the decoder looked while it wrote it.
 * Source: openai/whisper timing.py `find_alignment`; dynamic time warping after Sakoe and Chiba, 1978.
 */
import type { Tensor } from '../../providers/provider.ts';
import type { Tokenizer } from './tokenizer.ts';

/** A word; times are relative to the start of the sound. */
export type TimedWord = {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Mean of the probabilities of its tokens. */
  readonly prob: number;
};

/** Layer and head of the decoder, as in `alignment_heads` of generation_config.json. */
export type AlignmentHead = readonly [layer: number, head: number];

const frameMs = 20;
const medianWidth = 7;

/** The heads of the upper half of the layers, as openai/whisper takes them where nobody has looked for better ones. */
export function defaultHeads(layers: number, heads: number): AlignmentHead[] {
  const upper = Array.from({ length: layers }, (_, layer) => layer).slice(Math.floor(layers / 2));
  return upper.flatMap((layer) => Array.from({ length: heads }, (_, head) => [layer, head] as const));
}

/**
 * The heads of a decoder of which only the layers `kept` are left: those of layers that are gone are gone with them.
 * Undefined if none is left.
 */
export function keptHeads(
  heads: readonly AlignmentHead[] | undefined,
  kept: readonly number[] | undefined,
): readonly AlignmentHead[] | undefined {
  if (heads === undefined || kept === undefined) return heads;
  const left = heads.flatMap(([layer, head]) => {
    const at = kept.indexOf(layer);
    return at < 0 ? [] : [[at, head] as const];
  });
  return left.length === 0 ? undefined : left;
}

/** Rows [rows, frames], each value the median of the `medianWidth` around it, reflected at the ends. */
function medianFiltered(rows: Float32Array, frames: number): Float32Array {
  const half = (medianWidth - 1) / 2;
  if (frames <= half) return rows;
  const window = new Float32Array(medianWidth);
  return rows.map((_, i) => {
    const at = i % frames;
    for (let k = -half; k <= half; k++) {
      const reflected = Math.abs(at + k);
      window[k + half] = rows[
        i - at + (reflected < frames ? reflected : 2 * (frames - 1) - reflected)
      ] as number;
    }
    return window.sort()[half] as number;
  });
}

/**
 * How much each token looks at each frame, [tokens, frames], from the chosen heads' attention [1, H, tokens, frames]:
 * each head's is put to mean 0 and deviation 1 over the tokens, smoothed along time, and averaged.
 */
export function attentionMap(weights: readonly Tensor[], heads: readonly AlignmentHead[]): Float32Array {
  const [, , tokens = 0, frames = 0] = weights[0]?.dims ?? [];
  const size = tokens * frames;
  const mean = new Float32Array(size);
  for (const [layer, head] of heads) {
    const data = weights[layer]?.data as Float32Array;
    const looked = data.slice(head * size, (head + 1) * size);
    for (let frame = 0; frame < frames; frame++) {
      let sum = 0;
      let squares = 0;
      for (let i = frame; i < size; i += frames) {
        sum += looked[i] as number;
        squares += (looked[i] as number) ** 2;
      }
      const middle = sum / tokens;
      const deviation = Math.sqrt(Math.max(squares / tokens - middle * middle, 0)) || 1;
      for (let i = frame; i < size; i += frames) looked[i] = ((looked[i] as number) - middle) / deviation;
    }
    for (const [i, value] of medianFiltered(looked, frames).entries()) {
      mean[i] = (mean[i] as number) + value / heads.length;
    }
  }
  return mean;
}

/**
 * The cheapest monotone path through `cost` [rows, columns] from the first corner to the last. Answers for each row the
 * column at which the path enters it.
 */
export function warp(cost: Float32Array, rows: number, columns: number): number[] {
  const wide = columns + 1;
  const total = new Float64Array((rows + 1) * wide).fill(Number.POSITIVE_INFINITY);
  const step = new Uint8Array((rows + 1) * wide);
  total[0] = 0;
  for (let row = 1; row <= rows; row++) {
    for (let column = 1; column <= columns; column++) {
      const diagonal = total[(row - 1) * wide + column - 1] as number;
      const above = total[(row - 1) * wide + column] as number;
      const left = total[row * wide + column - 1] as number;
      // as in the source, the left neighbour wins where it ties with one of the others
      const [least, which] =
        diagonal < above && diagonal < left
          ? [diagonal, 0]
          : above < diagonal && above < left
            ? [above, 1]
            : [left, 2];
      total[row * wide + column] = least + (cost[(row - 1) * columns + column - 1] as number);
      step[row * wide + column] = which;
    }
  }
  const entered = new Array<number>(rows).fill(0);
  for (let row = rows, column = columns; row > 0 && column > 0; ) {
    entered[row - 1] = column - 1;
    const which = step[row * wide + column];
    if (which !== 2) row--;
    if (which !== 1) column--;
  }
  return entered;
}

const unspaced = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue']);

/** Indices of `tokens` at which words begin: at spaces, or, in languages without, at every whole character. */
export function wordStarts(
  tokens: readonly number[],
  decode: Tokenizer['decode'],
  language: string,
): number[] {
  const starts: number[] = [];
  for (const [i, token] of tokens.entries()) {
    const text = decode([token]);
    const isWord = /[\p{L}\p{N}]/u.test(text) && !text.startsWith('\uFFFD');
    const begins = unspaced.has(language) ? isWord : text.startsWith(' ') && !/^ [.,!?:;)\]}]/u.test(text);
    if (i === 0 || begins) starts.push(i);
  }
  return starts;
}

/**
 * The path begins with the sound, the first word after the silence before it: where its row first reaches half of its
 * peak. (Not in the source, which only shortens a first word that is far longer than the others.)
 */
function firstLook(row: Float32Array): number {
  const peak = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return Math.max(
    row.findIndex((value) => value >= peak / 2),
    0,
  );
}

/**
 * Words of `tokens` (text only) with their times. `attention` [rows, frames] has a row for the token before each of
 * them, and one for the last: a row shows where the decoder looked for the token after it.
 */
export function timeWords(
  tokens: readonly number[],
  logProbs: readonly number[],
  attention: Float32Array,
  decode: Tokenizer['decode'],
  language: string,
): TimedWord[] {
  const rows = tokens.length + 1;
  const frames = attention.length / rows;
  const entered = warp(
    attention.map((value) => -value),
    rows,
    frames,
  );
  entered[0] = firstLook(attention.subarray(0, entered[1] ?? frames));
  const starts = wordStarts(tokens, decode, language);
  return starts.flatMap((from, n) => {
    const to = starts[n + 1] ?? tokens.length;
    const text = decode(tokens.slice(from, to)).trim();
    if (text === '') return [];
    const probs = logProbs.slice(from, to).map(Math.exp);
    return [
      {
        text,
        startMs: (entered[from] as number) * frameMs,
        endMs: (entered[to] as number) * frameMs,
        prob: probs.reduce((sum, p) => sum + p, 0) / probs.length,
      },
    ];
  });
}
