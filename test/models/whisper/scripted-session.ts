/**
 * A decoder and an encoder that keep the contract of models/whisper/graphs.ts to the letter and nothing else:
 * the next token's logits are whatever `score` says of the tokens so far. The tokens so far are read back from the
 * cache tensors, from the last head of the last layer, so a cache that is fed, grown or shared wrongly shows.
 */
import * as assert from 'uvu/assert';
import type { WhisperShape } from '../../../models/whisper/graphs.ts';
import type { Session, Tensor } from '../../../providers/provider.ts';

export type Run = {
  readonly fed: readonly number[];
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

export function scriptedDecoder(script: Script): ScriptedDecoder {
  const { shape } = script;
  const layers = Array.from({ length: shape.decoderLayers }, (_, i) => i);
  const cross = layers.flatMap((i) => [`cross_key_${i}`, `cross_value_${i}`]);
  const self = layers.flatMap((i) => [`self_key_${i}`, `self_value_${i}`]);
  const runs: Run[] = [];
  const { decoderHeads: heads, headWidth: width } = shape;

  const answer = (
    feeds: Readonly<Record<string, Tensor>>,
    fetches: readonly string[],
    into: Readonly<Record<string, Tensor>> = {},
  ): Record<string, Tensor> => {
    const fed = Array.from(feeds['tokens']?.data as BigInt64Array, Number);
    assert.equal(feeds['tokens']?.dims, [1, fed.length]);
    assert.equal(feeds['last_position']?.dims, [1]);
    assert.equal(feeds['total_tokens']?.dims, []);
    assert.equal(feeds['phase']?.dims, [1]);
    const total = int32At(feeds['total_tokens'], 0);
    assert.is(int32At(feeds['last_position'], 0), total - 1);
    const start = total - fed.length;
    assert.ok(start >= 0 && total <= shape.maxTextTokens, `${total} tokens`);
    for (const name of cross) assert.ok(feeds[name], `${name} fed`);

    const capacity = feeds['self_key_0']?.dims[2] as number;
    assert.ok(capacity >= total && capacity <= shape.maxTextTokens, `capacity ${capacity} for ${total}`);
    for (const name of self) {
      const past = feeds[name] as Tensor<'float32'>;
      assert.equal(past.dims, [1, heads, capacity, width]);
      assert.is(past.data.length, heads * capacity * width);
      assert.ok(fetches.includes(`present_${name}`), `present_${name} fetched`);
      assert.is(into[`present_${name}`], past, `${name} in place`);
      for (let head = 0; head < heads; head++) {
        for (const [i, token] of fed.entries()) {
          past.data.fill(
            token + 1,
            (head * capacity + start + i) * width,
            (head * capacity + start + i + 1) * width,
          );
        }
      }
    }
    const lastValues = feeds[self.at(-1) as string] as Tensor<'float32'>;
    const history = Array.from(
      { length: total },
      (_, position) =>
        (lastValues.data[((heads - 1) * capacity + position) * width + width - 1] as number) - 1,
    );

    const phase = int32At(feeds['phase'], 0);
    const rows = Array.from(feeds['logit_rows']?.data as BigInt64Array, Number);
    runs.push({
      fed,
      total,
      phase,
      capacity,
      rows,
      fetched: fetches.filter((name) => !name.startsWith('present_')),
    });

    const upTo = rows.map((row) => {
      assert.ok(row >= 0 && row < fed.length, `row ${row} of ${fed.length}`);
      return history.slice(0, start + row + 1);
    });
    const logits = upTo.map((tokens) => {
      const scored = script.score(tokens).slice();
      if (phase === 0)
        for (const token of script.beginSuppress ?? []) scored[token] = Number.NEGATIVE_INFINITY;
      return scored;
    });
    const best = logits.map(argMaxOf);
    const valuesFor = (name: string): readonly number[] => {
      switch (name) {
        case 'token':
          return best;
        case 'log_prob':
          return logits.map((row, i) => Math.log(softmaxAt(row, best[i] as number)));
        case 'logits':
          return logits.flatMap((row) => Array.from(row));
        case 'no_speech_prob':
          return upTo.map((tokens) => script.noSpeechProb?.(tokens) ?? Number.NaN);
        default:
          throw new Error(`no output ${name}`);
      }
    };
    const out: Record<string, Tensor> = {};
    for (const name of fetches) {
      const given = into[name];
      if (name.startsWith('present_')) {
        out[name] = given as Tensor;
        continue;
      }
      const fresh = valuesFor(name);
      const dims = name === 'logits' ? [rows.length, shape.vocabularySize] : [rows.length];
      const tensor: Tensor =
        given ??
        (name === 'token'
          ? { type: 'int64', dims, data: new BigInt64Array(fresh.length) }
          : { type: 'float32', dims, data: new Float32Array(fresh.length) });
      assert.equal(tensor.dims, dims, `${name} written into`);
      for (const [i, value] of fresh.entries()) tensor.data[i] = name === 'token' ? BigInt(value) : value;
      out[name] = tensor;
    }
    return out;
  };

  return {
    runs,
    inputNames: ['tokens', 'last_position', 'total_tokens', 'logit_rows', 'phase', ...self, ...cross],
    outputNames: [
      'token',
      'log_prob',
      ...(script.noSpeechProb === undefined ? [] : ['no_speech_prob']),
      'logits',
      ...self.map((name) => `present_${name}`),
    ],
    run: async (feeds, fetches, into) => answer(feeds, fetches, into),
    close: async () => {},
  };
}

/** Writes zeros as cross keys and values; remembers the lengths it was fed. */
export function scriptedEncoder(shape: WhisperShape): Session & { readonly fedSamples: number[] } {
  const names = Array.from({ length: shape.decoderLayers }, (_, i) => [
    `cross_key_${i}`,
    `cross_value_${i}`,
  ]).flat();
  const fedSamples: number[] = [];
  return {
    fedSamples,
    inputNames: ['pcm'],
    outputNames: names,
    run: async (feeds, fetches) => {
      const pcm = feeds['pcm'] as Tensor<'float32'>;
      assert.equal(pcm.dims, [pcm.data.length]);
      assert.is(pcm.data.length % 320, 0);
      assert.ok(pcm.data.length >= 640);
      fedSamples.push(pcm.data.length);
      const dims = [1, shape.decoderHeads, pcm.data.length / 320, shape.headWidth];
      const size = dims.reduce((product, dim) => product * dim, 1);
      return Object.fromEntries(
        fetches.map((name) => [name, { type: 'float32', dims, data: new Float32Array(size) } as const]),
      );
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
