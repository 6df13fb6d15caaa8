import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BeamOptions, searchBeam } from '../../../models/whisper/beam-search.ts';
import { Decoding } from '../../../models/whisper/decode.ts';
import type { WhisperShape } from '../../../models/whisper/graphs.ts';
import { randomFrom } from '../../random.ts';
import { beamSourceOf, scriptedDecoder } from './scripted-session.ts';

type Score = (sampled: readonly number[]) => Float32Array;

const usual: Omit<BeamOptions, 'beamSize' | 'endOfText' | 'maxTokens'> = {
  keyTerms: undefined,
  firstNoText: Number.POSITIVE_INFINITY,
  restrict: () => undefined,
};

type Golden = {
  readonly vocabularySize: number;
  readonly endOfText: number;
  readonly maxTokens: number;
  readonly cases: readonly {
    readonly table: readonly (number | null)[];
    readonly results: Readonly<Record<string, { readonly tokens: readonly number[]; readonly sum: number }>>;
  }[];
};
const golden = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../../../../test/golden/beam/golden.json'), 'utf8'),
) as Golden;

const beam = suite('beam search');

beam('finds what an independent search by the rules of openai/whisper finds', async () => {
  const { vocabularySize: v, endOfText, maxTokens, cases } = golden;
  assert.is(cases.length, 12);
  for (const [n, { table, results }] of cases.entries()) {
    const score: Score = (sampled) => {
      const [before = 0, last = 0] = [0, 0, ...sampled].slice(-2);
      const row = table.slice((before * v + last) * v, (before * v + last + 1) * v);
      return Float32Array.from(row, (logit) => logit ?? Number.NEGATIVE_INFINITY);
    };
    for (const [size, { tokens, sum }] of Object.entries(results)) {
      const found = await searchBeam(beamSourceOf(score), score([]), {
        ...usual,
        beamSize: Number(size),
        endOfText,
        maxTokens,
      });
      assert.equal(found.tokens, tokens, `case ${n}, beam of ${size}`);
      assert.ok(Math.abs(found.sum - sum) < 1e-4, `case ${n}, beam of ${size}: ${found.sum}, not ${sum}`);
    }
  }
});

beam('as wide as the tree, it finds the best text there is', async () => {
  const v = 4;
  const maxTokens = 4;
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const score: Score = (sampled) => {
      const random = randomFrom(sampled.reduce((hash, token) => hash * 7 + token + 1, seed));
      const logits = Float32Array.from({ length: v }, () => 4 * random());
      if (sampled.length === 0) logits[0] = Number.NEGATIVE_INFINITY;
      return logits;
    };
    let best = { tokens: [] as number[], perToken: Number.NEGATIVE_INFINITY };
    const visit = (tokens: number[], sum: number): void => {
      const logits = score(tokens);
      const total = Math.log(logits.reduce((all, logit) => all + Math.exp(logit), 0));
      for (const [token, logit] of logits.entries()) {
        const after = sum + logit - total;
        const text = token === 0 ? tokens : [...tokens, token];
        const whole = token === 0 || text.length === maxTokens;
        if (whole && after / text.length > best.perToken)
          best = { tokens: text, perToken: after / text.length };
        else if (!whole) visit(text, after);
      }
    };
    visit([], 0);
    const options = { ...usual, beamSize: 200, endOfText: 0, maxTokens };
    const found = await searchBeam(beamSourceOf(score), score([]), options);
    assert.equal(found.tokens, best.tokens, `seed ${seed}`);
  }
});

const shape: WhisperShape = {
  melBins: 80,
  modelWidth: 12,
  encoderLayers: 1,
  decoderLayers: 2,
  decoderHeads: 3,
  headWidth: 4,
  vocabularySize: 50,
  maxTextTokens: 100,
  maxAudioFrames: 1500,
};
const cross = Object.fromEntries(
  ['cross_key_0', 'cross_value_0', 'cross_key_1', 'cross_value_1'].map((name) => [
    name,
    { type: 'float32', dims: [1, 3, 2, 4], data: new Float32Array(24) } as const,
  ]),
);
/** These tokens with these probabilities, and no other. */
const saying = (...words: readonly (readonly [number, number])[]): Float32Array => {
  const logits = new Float32Array(50).fill(Number.NEGATIVE_INFINITY);
  for (const [token, probability] of words) logits[token] = Math.log(probability);
  return logits;
};
const start = (score: Score) => {
  const decoder = scriptedDecoder({ shape, score });
  return new Decoding({ decoder, shape, endOfText: 0, cross, prompt: { tokens: [1, 2, 3, 4], startRow: 0 } });
};
const attempt = {
  temperature: 0,
  uniform: () => assert.unreachable() as never,
  maxTokens: 60,
};

beam('with real caches that grow, each text keeps its own, and greedy decoding can follow', async () => {
  // the likely first word leads nowhere; the unlikely one to a text of 40 words, past the first capacity of 32
  const score: Score = (history) => {
    const [first, ...rest] = history.slice(4);
    const likely = rest.length < 40 ? 11 + ((rest.length * 7) % 37) : 0;
    if (first === undefined) return saying([10, 0.6], [20, 0.3]);
    return first === 20 ? saying([likely, 0.99]) : saying([likely, 0.3], [likely + 1, 0.25]);
  };
  const decoding = start(score);
  const found = await decoding.attempt({ ...attempt, beamSize: 3 });
  assert.is(found.tokens[0], 20);
  assert.is(found.tokens.length, 41);
  assert.is(found.ended, 'end-of-text');
  assert.is(found.logProbs.length, 41);
  const sum = Math.log(0.3 / 0.9);
  assert.ok(Math.abs(found.avgLogProb - sum / 42) < 0.01, String(found.avgLogProb));
  const greedy = await decoding.attempt(attempt);
  assert.is(greedy.tokens[0], 10, 'the likely first word, from the same prompt');
  const again = await decoding.attempt({ ...attempt, beamSize: 3 });
  assert.equal(again, found);
});

beam('a text that goes in a circle is taken only if there is no other', async () => {
  const circle: Score = (history) => {
    if (history.includes(8)) return saying([0, 0.9]);
    return history.length === 7 ? saying([7, 0.9], [8, 0.05]) : saying([7, 0.99]);
  };
  const found = await start(circle).attempt({ ...attempt, beamSize: 2 });
  assert.is(found.ended, 'end-of-text');
  assert.equal(found.tokens, [7, 7, 7, 8]);
  const sevens = { ...attempt, beamSize: 2, maxTokens: 50 };
  const only = await start(() => saying([7, 1])).attempt(sevens);
  assert.is(only.ended, 'loop');
  assert.equal(only.tokens, Array(12).fill(7));
});

beam.run();
