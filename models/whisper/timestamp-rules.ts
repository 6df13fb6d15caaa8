/**
 * Which tokens may follow when the model writes timestamps.
 * Source: openai/whisper decoding.py `ApplyTimestampRules`; Radford et al. 2022, §4.5.
 */
import { logSumExp } from './sampling.ts';

/** `maxInitial` and `last` count 20 ms steps from `firstTimestamp`, both allowed themselves. */
export type TimestampRules = {
  readonly endOfText: number;
  readonly noTimestamps: number | undefined;
  readonly firstTimestamp: number;
  /** The first timestamp is no later than this: 50 is one second. */
  readonly maxInitial: number;
  /**
   * No timestamp lies beyond this. Not in the source, which pads all sound to 30 s; ours ends where it ends,
   * and ids beyond the last timestamp (a padded vocabulary) are out as well.
   */
  readonly last: number;
};

/**
 * Sets to -inf what may not follow `sampled` (what was sampled after the prompt). `logits` [V] is changed in place.
 *
 * 1. Text is between pairs: after the end of one piece comes the start of the next, or the end of the text.
 * 2. Timestamps do not go back, and a piece has a length.
 * 3. The first token is a timestamp, no later than `maxInitial`.
 * 4. Where timestamps together are likelier than the likeliest other token, it is a timestamp.
 */
export function applyTimestampRules(
  logits: Float32Array,
  sampled: readonly number[],
  rules: TimestampRules,
): void {
  const { endOfText, firstTimestamp, noTimestamps } = rules;
  const isTimestamp = (token: number | undefined): boolean => token !== undefined && token >= firstTimestamp;
  const forbid = (from: number, to: number): void => {
    logits.fill(Number.NEGATIVE_INFINITY, from, Math.max(from, to));
  };
  if (noTimestamps !== undefined) logits[noTimestamps] = Number.NEGATIVE_INFINITY;
  forbid(firstTimestamp + rules.last + 1, logits.length);

  if (sampled.length === 0) {
    forbid(0, firstTimestamp);
    forbid(firstTimestamp + rules.maxInitial + 1, logits.length);
    return;
  }

  const afterTimestamp = isTimestamp(sampled.at(-1));
  const pieceClosed = afterTimestamp && sampled.length >= 2 && !isTimestamp(sampled.at(-2));
  if (afterTimestamp && !pieceClosed) forbid(firstTimestamp, logits.length);
  if (pieceClosed) {
    const endOfTextLogit = logits[endOfText] as number;
    forbid(0, firstTimestamp);
    logits[endOfText] = endOfTextLogit;
  }

  const latest = sampled.findLast(isTimestamp);
  // the end of one piece may be the start of the next; everywhere else time must have passed
  if (latest !== undefined) forbid(firstTimestamp, pieceClosed ? latest : latest + 1);

  let likeliestText = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < firstTimestamp; i++) likeliestText = Math.max(likeliestText, logits[i] as number);
  if (logSumExp(logits, firstTimestamp) > likeliestText) forbid(0, firstTimestamp);
}

/** What the rules expect next, as decoder graphs are told (`timestamp_rules` in graphs.ts). */
const expectations = { nothing: 0, firstTimestamp: 1, textOrEndOfPiece: 2, text: 3, nextPiece: 4 } as const;

/** `timestamp_rules` of the decoder graph: what the same rules come to after `sampled`. */
export function rulesAfter(
  sampled: readonly number[],
  { firstTimestamp, maxInitial, last }: TimestampRules,
): readonly [expected: number, latest: number, maxInitial: number, last: number] {
  const isTimestamp = (token: number | undefined): boolean => token !== undefined && token >= firstTimestamp;
  const latest = sampled.findLast(isTimestamp);
  const expected = (): keyof typeof expectations => {
    if (sampled.length === 0) return 'firstTimestamp';
    if (!isTimestamp(sampled.at(-1))) return 'textOrEndOfPiece';
    return sampled.length >= 2 && !isTimestamp(sampled.at(-2)) ? 'nextPiece' : 'text';
  };
  return [expectations[expected()], latest === undefined ? -1 : latest - firstTimestamp, maxInitial, last];
}
