import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type AttemptOptions, Decoding, likeliestNext } from '../../../models/whisper/decode.ts';
import type { WhisperShape } from '../../../models/whisper/graphs.ts';
import { seededUniform } from '../../../models/whisper/sampling.ts';
import type { TimestampRules } from '../../../models/whisper/timestamp-rules.ts';
import { readGolden } from '../../golden.ts';
import { pointing, type Script, scriptedDecoder, softmaxAt } from './scripted-session.ts';

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
const endOfText = 0;
const prompt = { tokens: [1, 2, 3, 4], startRow: 0 };
const cross = Object.fromEntries(
  ['cross_key_0', 'cross_value_0', 'cross_key_1', 'cross_value_1'].map((name) => [
    name,
    { type: 'float32', dims: [1, 3, 2, 4], data: new Float32Array(24) } as const,
  ]),
);
const greedy: AttemptOptions = {
  temperature: 0,
  uniform: () => {
    throw new Error('greedy decoding draws nothing');
  },
  maxTokens: 1000,
};

/** Pseudo-random logits that depend on every token so far; the end becomes likelier with length. */
const noisy = (history: readonly number[]): Float32Array => {
  let hash = 17;
  for (const token of history) hash = (Math.imul(hash, 31) + token) | 0;
  const uniform = seededUniform(hash);
  const logits = Float32Array.from({ length: 50 }, () => uniform() * 6);
  logits.fill(Number.NEGATIVE_INFINITY, 1, 5);
  logits[endOfText] = history.length > 80 ? 20 : 0;
  return logits;
};

const start = (script: Omit<Script, 'shape'>, timestampRules?: TimestampRules) => {
  const decoder = scriptedDecoder({ shape, ...script });
  return { decoder, decoding: new Decoding({ decoder, shape, endOfText, cross, prompt, timestampRules }) };
};

/** What greedy decoding is by definition. */
const expectedGreedy = (score: (history: readonly number[]) => Float32Array) => {
  const tokens: number[] = [];
  let sum = 0;
  for (;;) {
    const logits = score([...prompt.tokens, ...tokens]);
    const token = logits.indexOf(Math.max(...logits));
    sum += Math.log(softmaxAt(logits, token));
    if (token === endOfText) return { tokens, avgLogProb: sum / (tokens.length + 1) };
    tokens.push(token);
  }
};

const decode = suite('decode');

decode(
  'greedy decoding takes the likeliest token by the whole history, while the cache grows twice',
  async () => {
    const { decoder, decoding } = start({ score: noisy });
    const attempt = await decoding.attempt(greedy);
    const expected = expectedGreedy(noisy);
    assert.is(expected.tokens.length, 77);
    assert.equal(attempt.tokens, expected.tokens);
    assert.is(attempt.ended, 'end-of-text');
    assert.ok(Math.abs(attempt.avgLogProb - expected.avgLogProb) < 1e-6);
    assert.equal([...new Set(decoder.runs.map((run) => run.capacity))], [32, 64, 100]);
  },
);

decode(
  'the prompt runs once, with the rows of its start and its end; all that follows is chosen in one run',
  async () => {
    const words = [7, 8, 9, endOfText];
    const { decoder, decoding } = start({
      score: (history) => pointing(50, words[history.length - 4] ?? 1, 0.9),
      noSpeechProb: (history) => history.length / 100,
    });
    const attempt = await decoding.attempt(greedy);
    assert.equal(attempt.tokens, [7, 8, 9]);
    assert.equal(
      decoder.runs.map(({ fed, chosen, total, phase, rows, fetched }) => ({
        fed,
        chosen,
        total,
        phase,
        rows,
        fetched,
      })),
      [
        {
          fed: [1, 2, 3, 4],
          chosen: [7],
          total: 4,
          phase: 0,
          rows: [0, 3],
          fetched: ['token', 'log_prob', 'no_speech_prob'],
        },
        {
          fed: [7],
          chosen: [8, 9, endOfText],
          total: 5,
          phase: 1,
          rows: [0],
          fetched: ['token', 'log_prob'],
        },
      ],
    );
    assert.ok(
      Math.abs(((await decoding.noSpeechProb()) ?? 1) - 0.01) < 1e-6,
      'read at <|startoftranscript|>',
    );
  },
);

decode('the average counts the end of the text', async () => {
  const { decoding } = start({
    score: (history) =>
      pointing(50, [7, endOfText][history.length - 4] ?? 9, history.length === 4 ? 0.5 : 0.25),
  });
  const { avgLogProb, logProbs } = await decoding.attempt(greedy);
  assert.ok(Math.abs(avgLogProb - (Math.log(0.5) + Math.log(0.25)) / 2) < 1e-6);
  assert.is(logProbs.length, 1);
});

decode('nothing at all is an answer', async () => {
  const { decoding } = start({ score: () => pointing(50, endOfText, 0.5) });
  const attempt = await decoding.attempt(greedy);
  assert.equal(attempt.tokens, []);
  assert.ok(Math.abs(attempt.avgLogProb - Math.log(0.5)) < 1e-6);
  assert.is(await decoding.noSpeechProb(), undefined);
});

decode('begin-suppression holds for the first token only', async () => {
  for (const temperature of [0, 1e-3]) {
    const { decoding } = start({
      score: (history) => {
        const logits = pointing(50, history.length < 8 ? 7 : endOfText, 0.9);
        logits[8] = -0.5;
        return logits;
      },
      beginSuppress: [7, endOfText],
    });
    const { tokens } = await decoding.attempt({ ...greedy, temperature, uniform: () => 0.5 });
    assert.equal(tokens, [8, 7, 7, 7], `temperature ${temperature}`);
  }
});

decode('stops at the budget, and at the last position the model knows', async () => {
  const { decoding } = start({ score: (history) => pointing(50, 5 + (history.length % 45), 0.9) });
  const short = await decoding.attempt({ ...greedy, maxTokens: 6 });
  assert.is(short.tokens.length, 6);
  assert.is(short.ended, 'budget');
  assert.ok(Math.abs(short.avgLogProb - (6 * Math.log(0.9)) / 7) < 1e-5);
  const long = await decoding.attempt(greedy);
  assert.is(long.tokens.length, 96);
  assert.is(long.ended, 'budget');
});

decode('a text that just fits its budget has ended by itself', async () => {
  const { decoding } = start({ score: (history) => pointing(50, history.length < 7 ? 9 : endOfText, 0.9) });
  const attempt = await decoding.attempt({ ...greedy, maxTokens: 3 });
  assert.equal(attempt.tokens, [9, 9, 9]);
  assert.is(attempt.ended, 'end-of-text');
});

decode('stops as soon as it goes in a circle, with few tokens chosen for nothing', async () => {
  const { decoder, decoding } = start({ score: (history) => pointing(50, 10 + (history.length % 3), 0.9) });
  const attempt = await decoding.attempt(greedy);
  assert.is(attempt.ended, 'loop');
  assert.is(attempt.tokens.length, 12);
  const chosen = decoder.runs.reduce((sum, run) => sum + run.chosen.length, 0);
  assert.is(chosen, 13);
});

decode('what an independent implementation computed, decodes to its tokens and its average', async () => {
  const golden = readGolden();
  assert.is(golden.length, 10);
  const suppressed = [1, 2, 3, 4, 5];
  const own = { ...shape, vocabularySize: 1000, maxTextTokens: 64 };
  for (const { avgLogProb, logits, name, steps, tokens } of golden) {
    const decoder = scriptedDecoder({
      shape: own,
      score: (history) => {
        // rows before the end of the prompt are asked for the no-speech probability only
        const step = Math.max(history.length - prompt.tokens.length, 0);
        assert.equal(history.slice(prompt.tokens.length), tokens.slice(0, step), `${name}, step ${step}`);
        const row = logits.slice(step * 1000, (step + 1) * 1000);
        for (const token of suppressed) row[token] = Number.NEGATIVE_INFINITY;
        return row;
      },
    });
    const decoding = new Decoding({ decoder, shape: own, endOfText, cross, prompt });
    for (const temperature of [0, 1e-4]) {
      const attempt = await decoding.attempt({ ...greedy, temperature, uniform: () => 0.5 });
      assert.equal(attempt.tokens, tokens, name);
      assert.is(attempt.tokens.length + 1, steps);
      assert.ok(Math.abs(attempt.avgLogProb - avgLogProb) < 1e-5, `${name}: ${attempt.avgLogProb}`);
    }
  }
});

decode('sampling is reproducible, follows the distribution, and counts at temperature 1', async () => {
  const { decoder, decoding } = start({ score: noisy });
  const sample = (seed: number, temperature: number) =>
    decoding.attempt({ ...greedy, temperature, uniform: seededUniform(seed) });
  const first = await sample(1, 0.8);
  const other = await sample(2, 0.8);
  assert.equal((await sample(1, 0.8)).tokens, first.tokens);
  assert.not.equal(other.tokens, first.tokens);
  for (const [i, token] of first.tokens.entries()) {
    const logits = noisy([...prompt.tokens, ...first.tokens.slice(0, i)]);
    assert.ok(Math.abs((first.logProbs[i] as number) - Math.log(softmaxAt(logits, token))) < 1e-4);
  }
  // near zero it is greedy, whatever was in the cache from the attempts before
  assert.equal((await sample(3, 1e-4)).tokens, expectedGreedy(noisy).tokens);
  assert.equal((await decoding.attempt(greedy)).tokens, expectedGreedy(noisy).tokens);
  assert.is(
    decoder.runs.filter((run) => run.fed.length > 1).length,
    1,
    'the prompt ran once for all of them',
  );
});

decode('sampling after greedy decoding costs one step to see the logits behind the prompt', async () => {
  const { decoder, decoding } = start({ score: (history) => pointing(50, history.length < 6 ? 9 : 0, 0.9) });
  await decoding.attempt(greedy);
  const before = decoder.runs.length;
  const { tokens } = await decoding.attempt({ ...greedy, temperature: 1e-3, uniform: () => 0.5 });
  assert.equal(tokens, [9, 9]);
  const replay = decoder.runs[before];
  assert.equal(replay?.fed, [4]);
  assert.is(replay?.total, 4);
  assert.is(replay?.phase, 0);
  assert.is(decoder.runs.length, before + 3);
});

decode('timestamp rules choose among what they leave, from the first token on', async () => {
  // vocabulary: text below 30, timestamps from 30 on; the model would rather not write timestamps
  for (const temperature of [0, 1e-4]) {
    const { decoding } = start(
      {
        score: (history) => pointing(50, history.length < 8 ? 9 : endOfText, 0.9),
        timestamps: { first: 30, none: 4 },
      },
      { endOfText, noTimestamps: 4, firstTimestamp: 30, maxInitial: 5, last: 12 },
    );
    const { tokens, avgLogProb } = await decoding.attempt({ ...greedy, temperature, uniform: () => 0.01 });
    assert.is(tokens[0], 30);
    assert.equal(tokens.slice(1), [9, 9, 9]);
    // the forced first token is one of six equals
    const expected = (Math.log(1 / 6) + 3 * Math.log(0.9) + Math.log(0.9)) / 5;
    assert.ok(Math.abs(avgLogProb - expected) < 0.05, `${avgLogProb} ${expected}`);
  }
});

decode('a long prompt fits from the start, and what is read of it is its own start', async () => {
  const tokens = [...Array.from({ length: 45 }, (_, i) => 5 + (i % 40)), 1, 2, 3, 4];
  const decoder = scriptedDecoder({
    shape,
    score: (history) => pointing(50, history.length < 52 ? 9 : endOfText, 0.9),
    noSpeechProb: (history) => history.length / 100,
  });
  const decoding = new Decoding({ decoder, shape, endOfText, cross, prompt: { tokens, startRow: 45 } });
  assert.equal((await decoding.attempt(greedy)).tokens, [9, 9, 9]);
  assert.is(decoder.runs[0]?.capacity, 64);
  assert.ok(Math.abs(((await decoding.noSpeechProb()) ?? 0) - 0.46) < 1e-6);
});

decode('the likeliest of some tokens, even if others are likelier', async () => {
  const decoder = scriptedDecoder({
    shape,
    score: () => {
      const logits = pointing(50, 9, 0.9);
      logits[21] = -3;
      return logits;
    },
  });
  const input = { decoder, shape, endOfText, cross, prompt: { tokens: [1], startRow: 0 } };
  assert.is(await likeliestNext(input, [20, 21, 22]), 21);
});

decode.run();
