/**
 * Attention within a window, for encoders: its cost grows with the length of the sound, not with the square.
 *
 * Positions are taken in blocks of half a window. A block attends to one window, which reaches a quarter of a window
 * before and behind it and is moved inwards at the ends: no mask, and every position hears itself and at least a
 * quarter of a window on either side, if there is so much. A sound no longer than the window is heard as a whole: the
 * same as without one.
 */
import { Fault } from '../../daemon/faults.ts';
import type { GraphBuilder, Value } from '../graph/builder.ts';

/** Positions are 20 ms: shorter windows cut words in two. */
const smallestWindow = 16;
const largestWindow = 65_536;

/** Throws `Fault` USAGE_INVALID for a window that cannot be halved twice, or makes no sense. */
export function checkAttentionWindow(window: number): void {
  if (window % 4 === 0 && window >= smallestWindow && window <= largestWindow) return;
  throw new Fault(
    'USAGE_INVALID',
    `the attention window is ${window} positions, expected a multiple of 4 from ${smallestWindow} to ${largestWindow}`,
    'a position is 20 ms; try 512, which is 10.24 s',
  );
}

/** Which positions go together, worked out once for all layers. */
export type Neighbourhoods = {
  /** int64 [blocks, window / 2]; behind the end, the last position again */
  readonly queries: Value;
  /** int64 [blocks, min(window, T)] */
  readonly keys: Value;
  /** int64 [1]: T */
  readonly positions: Value;
};

/** `positions`: int64 [1], the number of positions T. */
export function neighbourhoods(graph: GraphBuilder, positions: Value, window: number): Neighbourhoods {
  const half = window / 2;
  const all = (count: Value) => graph.range(graph.squeeze(count, 0));
  const blocks = graph.div(graph.add(positions, graph.int64s(half - 1)), graph.int64s(half));
  const starts = graph.mul(all(blocks), graph.int64s(half));
  const zero = graph.int64s(0);
  const lastStart = graph.max(graph.sub(positions, graph.int64s(window)), zero);
  const keyStarts = graph.min(graph.max(graph.sub(starts, graph.int64s(window / 4)), zero), lastStart);
  const from = (first: Value, count: Value) =>
    graph.add(graph.unsqueeze(first, 1), graph.unsqueeze(all(count), 0));
  const last = graph.sub(positions, graph.int64s(1));
  return {
    queries: graph.min(from(starts, graph.int64s(half)), last),
    keys: from(keyStarts, graph.min(positions, graph.int64s(window))),
    positions,
  };
}

/** query, key and value [1, T, D] to what each position hears of its neighbourhood [1, T, D]. */
export function localAttention(
  graph: GraphBuilder,
  { query, key, value }: { readonly query: Value; readonly key: Value; readonly value: Value },
  heads: number,
  width: number,
  { queries, keys, positions }: Neighbourhoods,
): Value {
  const pick = (x: Value, which: Value) => graph.gather(graph.squeeze(x, 0), which, 0);
  const attended = graph.multiHeadAttention(pick(query, queries), pick(key, keys), pick(value, keys), heads);
  return graph.slice(graph.reshape(attended, [1, -1, width]), 1, 0, positions);
}
