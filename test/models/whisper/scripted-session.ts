/**
 * A decoder and an encoder that keep the contract of models/whisper/graphs.ts to the letter and nothing else:
 * the next token's logits are whatever `score` says of the tokens so far. The tokens so far are read back from the
 * cache tensors, from the last head of the last layer, so a cache that is fed, grown or shared wrongly shows.
 */
import * as assert from 'uvu/assert';
import type { BeamSource } from '../../../models/whisper/beam-search.ts';
import { crossNames } from '../../../models/whisper/cross.ts';
import type { WhisperShape } from '../../../models/whisper/graphs.ts';
import { applyTimestampRules, type TimestampRules } from '../../../models/whisper/timestamp-rules.ts';
import type { Session, Tensor } from '../../../providers/provider.ts';

export type Run = {
  readonly fed: readonly number[];
  /** Chosen, the last one not fed. */
  readonly chosen: readonly number[];
  readonly total: number;
  readonly phase: number;
  readonly capacity: number;
  readonly rows: readonly number[];
  readonly fetched: readonly string[];
};

export type Script = {
  readonly shape: WhisperShape;
  /** Logits [V] after suppression, given all tokens so far. */
  readonly score: (history: readonly number[]) => Float32Array;
  /** Set to -inf when `phase` is 0. */
  readonly beginSuppress?: readonly number[];
  /** Given all tokens up to the row; undefined: the graph has no such output. */
  readonly noSpeechProb?: (history: readonly number[]) => number;
  /** Where a run ends; left out, 0. */
  readonly endOfText?: number;
  /** Left out, the graph knows of no timestamps. */
  readonly timestamps?: { readonly first: number; readonly none: number | undefined };
};

export type ScriptedDecoder = Session & { readonly runs: Run[] };

const int32At = (tensor: Tensor | undefined, i: number): number => Number(tensor?.data[i]);

const argMaxOf = (row: Float32Array): number =>
  row.reduce((best, logit, i) => (logit > (row[best] as number) ? i : best), 0);

export function softmaxAt(logits: Float32Array, token: number): number {
  const max = logits[argMaxOf(logits)] as number;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  return Math.exp((logits[token] as number) - max) / sum;
}

function refuse(why: string): never {
  throw new Error(why);
}

/** Tokens that lead to what `timestamp_rules` say is expected. */
function sampledBefore(expected: number, latest: number, firstTimestamp: number): number[] {
  const [text, time] = [0, firstTimestamp + latest];
  const byExpected = [[], latest < 0 ? [text] : [time, text], [time], [text, time]];
  return byExpected[expected - 1] ?? refuse(`rules expect ${expected}`);
}

export function scriptedDecoder(script: Script): ScriptedDecoder {
  const { shape, endOfText = 0, timestamps } = script;
  const layers = Array.from({ length: shape.decoderLayers }, (_, i) => i);
  const cross = layers.flatMap((i) => [`cross_key_${i}`, `cross_value_${i}`]);
  const self = layers.flatMap((i) => [`self_key_${i}`, `self_value_${i}`]);
  const runs: Run[] = [];
  const { decoderHeads: heads, headWidth: width } = shape;

  /** Writes `fed` to every cache of a text from `start` on; answers all its tokens in the last of them. */
  const append = (
    feeds: Readonly<Record<string, Tensor>>,
    text: number,
    fed: readonly number[],
    start: number,
  ) => {
    const total = start + fed.length;
    for (const name of self) {
      const { data, dims } = feeds[name] as Tensor<'float32'>;
      const capacity = dims[2] as number;
      assert.ok(capacity >= total && capacity <= shape.maxTextTokens, `capacity ${capacity} for ${total}`);
      for (let head = 0; head < heads; head++) {
        for (const [i, token] of fed.entries()) {
          const at = ((text * heads + head) * capacity + start + i) * width;
          data.fill(token + 1, at, at + width);
        }
      }
    }
    const { data, dims } = feeds[self.at(-1) as string] as Tensor<'float32'>;
    const lastHead = ((text + 1) * heads - 1) * (dims[2] as number);
    return Array.from(
      { length: total },
      (_, position) => (data[(lastHead + position) * width + width - 1] as number) - 1,
    );
  };

  /** What a token is chosen from, by the rules fed. */
  const restricted = (logits: Float32Array, chosen: readonly number[], rules: readonly number[]) => {
    const [expected = 0, latest = -1, maxInitial = 0, last = 0] = rules;
    if (expected === 0) return logits;
    const { first: firstTimestamp, none: noTimestamps } = timestamps ?? refuse('no timestamps');
    const all: TimestampRules = { endOfText, noTimestamps, firstTimestamp, maxInitial, last };
    const allowed = logits.slice();
    applyTimestampRules(allowed, [...sampledBefore(expected, latest, firstTimestamp), ...chosen], all);
    return allowed;
  };

  const answer = (
    feeds: Readonly<Record<string, Tensor>>,
    fetches: readonly string[],
    into: Readonly<Record<string, Tensor>> = {},
  ): Record<string, Tensor> => {
    const fed = Array.from(feeds['tokens']?.data as BigInt64Array, Number);
    const texts = feeds['tokens']?.dims[0] as number;
    const tokensEach = fed.length / texts;
    assert.equal(feeds['tokens']?.dims, [texts, texts === 1 ? fed.length : 1]);
    assert.equal(feeds['last_position']?.dims, [texts]);
    assert.is(feeds['last_position']?.data.length, texts);
    assert.equal(feeds['total_tokens']?.dims, []);
    assert.equal(feeds['phase']?.dims, [1]);
    assert.equal(feeds['steps']?.dims, []);
    const total = int32At(feeds['total_tokens'], 0);
    for (let text = 0; text < texts; text++) assert.is(int32At(feeds['last_position'], text), total - 1);
    const start = total - tokensEach;
    assert.ok(start >= 0 && total <= shape.maxTextTokens, `${total} tokens`);
    for (const name of cross) assert.ok(feeds[name], `${name} fed`);
    for (const name of self) {
      const past = feeds[name] as Tensor<'float32'>;
      const capacity = past.dims[2] as number;
      assert.equal(past.dims, [texts, heads, capacity, width]);
      assert.is(past.data.length, texts * heads * capacity * width);
      assert.ok(fetches.includes(`present_${name}`), `present_${name} fetched`);
      assert.is(into[`present_${name}`], past, `${name} in place`);
    }
    const phase = int32At(feeds['phase'], 0);
    const steps = int32At(feeds['steps'], 0);
    const rows = Array.from(feeds['logit_rows']?.data as BigInt64Array, Number);
    const rules = Array.from((feeds['timestamp_rules']?.data ?? []) as BigInt64Array, Number);
    assert.is(rules.length, timestamps === undefined ? 0 : 4, 'rules are fed to a graph that knows them');
    assert.ok(steps === 1 || (steps > 1 && fed.length === 1 && rows.length === 1), `${steps} steps`);

    const score = (tokens: readonly number[]) => {
      const scored = script.score(tokens).slice();
      if (phase === 0)
        for (const token of script.beginSuppress ?? []) scored[token] = Number.NEGATIVE_INFINITY;
      return scored;
    };
    const chosen: number[] = [];
    const logProbs: number[] = [];
    let histories: number[][] = [];
    let logits: Float32Array[] = [];
    do {
      const before = chosen.length === 0 ? start : (histories[0] as number[]).length;
      histories = Array.from({ length: texts }, (_, text) => {
        const own = fed.slice(text * tokensEach, (text + 1) * tokensEach);
        return append(feeds, text, chosen.length === 0 ? own : chosen.slice(-1), before);
      });
      logits = rows.map((row) => {
        assert.ok(row >= 0 && row < fed.length, `row ${row} of ${fed.length}`);
        const history = histories[Math.floor(row / tokensEach)] as number[];
        return score(history.slice(0, before + (row % tokensEach) + 1));
      });
      const allowed = restricted(logits.at(-1) as Float32Array, chosen, rules);
      const token = argMaxOf(allowed);
      chosen.push(token);
      logProbs.push(Math.log(softmaxAt(allowed, token)));
    } while (chosen.length < steps && chosen.at(-1) !== endOfText);
    runs.push({
      fed,
      chosen,
      total,
      phase,
      capacity: feeds['self_key_0']?.dims[2] as number,
      rows,
      fetched: fetches.filter((name) => !name.startsWith('present_')),
    });

    const made: Readonly<Record<string, () => Tensor>> = {
      token: () => ({ type: 'int64', dims: [chosen.length], data: BigInt64Array.from(chosen, BigInt) }),
      log_prob: () => ({ type: 'float32', dims: [chosen.length], data: Float32Array.from(logProbs) }),
      logits: () => ({
        type: 'float32',
        dims: [rows.length, shape.vocabularySize],
        data: Float32Array.from(logits.flatMap((row) => Array.from(row))),
      }),
      no_speech_prob: () => {
        const upTo = rows.map((row) => (histories[0] as number[]).slice(0, start + row + 1));
        const data = Float32Array.from(upTo, (tokens) => script.noSpeechProb?.(tokens) ?? Number.NaN);
        return { type: 'float32', dims: [rows.length], data };
      },
    };
    return Object.fromEntries(
      fetches.map((name) => {
        const given = into[name];
        if (name.startsWith('present_')) return [name, given as Tensor];
        const fresh = made[name]?.() ?? refuse(`no output ${name}`);
        if (given === undefined) return [name, fresh];
        assert.equal(given.dims, fresh.dims, `${name} written into`);
        (given.data as Float32Array).set(fresh.data as Float32Array);
        return [name, given];
      }),
    );
  };

  return {
    runs,
    inputNames: [
      ...['steps', 'tokens', 'last_position', 'total_tokens', 'logit_rows', 'phase'],
      ...(timestamps === undefined ? [] : ['timestamp_rules']),
      ...self,
      ...cross,
    ],
    outputNames: [
      'token',
      'log_prob',
      ...(script.noSpeechProb === undefined ? [] : ['no_speech_prob']),
      'logits',
      ...self.map((name) => `present_${name}`),
    ],
    run: async (feeds, fetches, into) => answer(feeds, fetches, into),
    release: (tensors) => {
      for (const { data } of tensors) structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
    },
    close: async () => {},
  };
}

/** A decoder that remembers the texts of the step before and nothing else: one that is mixed up shows as another text. */
export function beamSourceOf(score: (sampled: readonly number[]) => Float32Array): BeamSource {
  let texts: readonly (readonly number[])[] = [[]];
  return {
    step: async (parents, tokens) => {
      texts = parents.map((parent, i) => [...(texts[parent] as readonly number[]), tokens[i] as number]);
      return Float32Array.from(texts.flatMap((text) => Array.from(score(text))));
    },
  };
}

/** Writes zeros as cross keys and values; remembers the sounds it was fed, and their lengths. */
export function scriptedEncoder(
  shape: WhisperShape,
): Session & { readonly fedSamples: number[]; readonly fedSounds: Float32Array[] } {
  const fedSamples: number[] = [];
  const fedSounds: Float32Array[] = [];
  return {
    fedSamples,
    fedSounds,
    inputNames: ['pcm'],
    outputNames: crossNames(shape),
    run: async (feeds, fetches) => {
      assert.equal(fetches, crossNames(shape));
      const pcm = feeds['pcm'] as Tensor<'float32'>;
      assert.equal(pcm.dims, [pcm.data.length]);
      assert.is(pcm.data.length % 320, 0);
      assert.ok(pcm.data.length >= 640);
      fedSamples.push(pcm.data.length);
      fedSounds.push(pcm.data.slice());
      const dims = [1, shape.decoderHeads, pcm.data.length / 320, shape.headWidth];
      const size = dims.reduce((product, dim) => product * dim, 1);
      return Object.fromEntries(
        fetches.map((name) => [name, { type: 'float32', dims, data: new Float32Array(size) }]),
      );
    },
    release: (tensors) => {
      for (const { data } of tensors) structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
    },
    close: async () => {},
  };
}

/** Logits that choose `token` with probability `probability`, the rest shared by all others. */
export function pointing(vocabularySize: number, token: number, probability: number): Float32Array {
  const logits = new Float32Array(vocabularySize).fill(Math.log((1 - probability) / (vocabularySize - 1)));
  logits[token] = Math.log(probability);
  return logits;
}
