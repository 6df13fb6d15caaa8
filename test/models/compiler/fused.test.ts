/** The fused graphs against an independent PyTorch reference, in float32 and in int8. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { weightsFor } from '../../../models/compiler/profiles.ts';
import { createSelfCache } from '../../../models/whisper/self-cache.ts';
import { SideBySide } from '../../../models/whisper/side-by-side.ts';
import { embeddedModelDir, type GoldenUtterance, largestDifference, readGolden } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';
import { encode, floats, int64, oneStep, openFused, TeacherForced } from '../../whisper-graphs.ts';

const fused = suite('fused graphs');
const prompt = [1, 2, 3, 4];
const endOfText = 0;
const golden = readGolden();

const fp32 = await openFused(embeddedModelDir, temporaryDir(), { weights: 'fp32', inspect: true });
const int8 = await openFused(embeddedModelDir, temporaryDir(), { weights: 'int8', inspect: true });
const int4 = await openFused(embeddedModelDir, temporaryDir(), {
  weights: 'int8',
  exceptions: weightsFor('avx2', 384).exceptions,
  inspect: true,
});

const finite = (values: ArrayLike<number>) => Array.from(values, (x) => (x === -Infinity ? -1e9 : x));

/** Logits [steps, V] with the reference's tokens fed, and what the graph itself would have chosen. */
async function teacherForce(sessions: typeof fp32, utterance: GoldenUtterance) {
  const { cross, outputs } = await encode(sessions, utterance.samples);
  const decoder = new TeacherForced(sessions, cross, 32);
  const { vocabularySize } = sessions.arch.shape;
  const logits = new Float32Array(utterance.steps * vocabularySize);
  const chosen: number[] = [];
  let logProb = 0;
  for (let step = 0; step < utterance.steps; step++) {
    const fed = step === 0 ? prompt : [utterance.tokens[step - 1] as number];
    const answer = await decoder.step(fed, [fed.length - 1], step === 0 ? 0 : 1);
    logits.set(answer.logits, step * vocabularySize);
    chosen.push(answer.token);
    logProb += answer.logProb;
  }
  return { outputs, logits, chosen, avgLogProb: logProb / utterance.steps };
}

/** Suppressed logits are -infinity in the graph and finite in the reference. */
function differenceOfLogits(
  got: Float32Array,
  want: Float32Array,
  suppressed: ReadonlySet<number>,
  size: number,
) {
  const kept = (values: Float32Array) => values.filter((_, i) => !suppressed.has(i % size));
  for (let i = 0; i < got.length; i++) {
    if (suppressed.has(i % size)) assert.is(got[i], Number.NEGATIVE_INFINITY);
  }
  return largestDifference(kept(got), kept(want));
}

for (const [name, sessions, tolerance] of [
  // measured on x64 of nano 2: fp32 hidden 2e-6, logits 1e-5; int8 hidden 0.05, logits 0.24; int4 logits 1.39
  ['fp32', fp32, { hidden: 2e-5, logits: 1e-4, logProb: 1e-5 }],
  ['int8', int8, { hidden: 0.1, logits: 0.4, logProb: 0.01 }],
  ['int4', int4, { hidden: 0.1, logits: 1.6, logProb: 0.04 }],
] as const) {
  for (const utterance of golden) {
    fused(`${name} ${utterance.name}: ${utterance.text}`, async () => {
      const { outputs, logits, chosen, avgLogProb } = await teacherForce(sessions, utterance);
      const mel = largestDifference(floats(outputs['log_mel']), utterance.logMel);
      assert.ok(mel < 1e-4, `log-mel differs by ${mel}`);
      const hidden = floats(outputs['hidden']);
      const firstFour = hidden.subarray(0, utterance.encoder4.length);
      const hiddenDifference = largestDifference(firstFour, utterance.encoder4);
      const { suppress } = sessions.arch.tokens;
      const { vocabularySize } = sessions.arch.shape;
      const difference = differenceOfLogits(logits, utterance.logits, new Set(suppress), vocabularySize);
      assert.ok(hiddenDifference < tolerance.hidden, `hidden differs by ${hiddenDifference}`);
      assert.ok(difference < tolerance.logits, `logits differ by ${difference}`);
      assert.equal(chosen, [...utterance.tokens, endOfText]);
      assert.ok(Math.abs(avgLogProb - utterance.avgLogProb) < tolerance.logProb, `${avgLogProb}`);
    });
  }
}

fused('token by token in place is the same as all tokens at once', async () => {
  const utterance = golden[0] as GoldenUtterance;
  const all = [...prompt, ...utterance.tokens];
  const { cross } = await encode(fp32, utterance.samples);
  const atOnce = new TeacherForced(fp32, cross, 16);
  const rows = all.map((_, i) => i);
  const whole = await atOnce.step(all, rows, 1);
  // in parts of 3, 1, 2 and singles: the prompt may be split and continued too
  const parts = [all.slice(0, 3), all.slice(3, 4), all.slice(4, 6), ...all.slice(6).map((token) => [token])];
  const stepwise = new TeacherForced(fp32, cross, 16);
  const logits: number[] = [];
  let token = -1;
  for (const part of parts) {
    const answer = await stepwise.step(
      part,
      part.map((_, i) => i),
      1,
    );
    token = answer.token;
    logits.push(...answer.logits);
  }
  assert.is(token, whole.token);
  assert.ok(largestDifference(finite(logits), finite(whole.logits)) < 1e-4);
  for (const [name, cache] of Object.entries(stepwise.caches)) {
    const other = floats(atOnce.caches[name]);
    assert.ok(largestDifference(floats(cache), other) < 1e-5, name);
    assert.ok(floats(cache).some((value) => value !== 0));
  }
});

for (const [name, sessions] of Object.entries({ fp32, int8, int4 })) {
  fused(`${name}: several steps in one run are the same as one by one, and end with the text`, async () => {
    const utterance = golden[0] as GoldenUtterance;
    const { cross } = await encode(sessions, utterance.samples);
    const single = new TeacherForced(sessions, cross, 32);
    const several = new TeacherForced(sessions, cross, 32);
    const { token: first } = await single.step(prompt, [3], 0);
    await several.step(prompt, [3], 0);
    const tokens = [first];
    const logProbs: number[] = [];
    while (tokens.at(-1) !== endOfText) {
      const { token, logProb } = await single.step(tokens.slice(-1), [0], 1);
      tokens.push(token);
      logProbs.push(logProb);
    }
    assert.equal(tokens, [...utterance.tokens, endOfText]);
    const four = await several.steps(first, 4);
    assert.equal(four.tokens, tokens.slice(1, 5));
    const rest = await several.steps(tokens[4] as number, 20);
    assert.equal(rest.tokens, tokens.slice(5));
    assert.equal([...four.logProbs, ...rest.logProbs], logProbs);
    for (const [name, cache] of Object.entries(several.caches)) {
      assert.equal(floats(cache), floats(single.caches[name]), name);
    }
  });
}

for (const [name, sessions, tolerance] of [
  // measured on x64: fp32 3e-6; int8 and int4, in which all texts of a run are rounded alike, 0.1
  ['fp32', fp32, 2e-5],
  ['int8', int8, 0.4],
  ['int4', int4, 0.4],
] as const) {
  fused(
    `${name}: texts side by side are what each is alone, also once they outgrow their cache`,
    async () => {
      const { samples, tokens: said } = golden[0] as GoldenUtterance;
      const { shape } = sessions.arch;
      const { cross } = await encode(sessions, samples);
      const random = randomFrom(7);
      const anyToken = () => 5 + Math.floor(random() * (shape.vocabularySize - 5));
      const promptCache = createSelfCache(shape, prompt.length);
      const before = new TeacherForced(sessions, cross, promptCache.capacity);
      await before.step(prompt, [3], 0);
      for (const [tensor, { data }] of Object.entries(promptCache.tensors)) {
        data.set(floats(before.caches[tensor]));
      }
      const feeds = { ...cross, ...oneStep(sessions.decoder), phase: int64(1) };
      const { decoder } = sessions;
      const texts = new SideBySide({ decoder, shape, feeds, promptCache, promptTokens: prompt.length });
      let all: number[][] = [[]];
      for (let step = 0; step < 40; step++) {
        // sometimes as they are, mostly some of them twice and others no more; another number of them now and then
        const count = step === 0 || step % 10 === 9 ? 2 + (step % 4) : all.length;
        const stay = step % 3 === 2 && count === all.length;
        const parents = Array.from({ length: count }, (_, i) =>
          stay ? i : Math.floor(random() * all.length),
        );
        const tokens = parents.map((_, i) => (i === 0 ? (said[step] ?? anyToken()) : anyToken()));
        all = parents.map((parent, i) => [...(all[parent] as number[]), tokens[i] as number]);
        const logits = await texts.step(parents, tokens);
        if (step % 6 !== 5 && step < 36) continue;
        for (const [i, text] of all.entries()) {
          const alone = new TeacherForced(sessions, cross, 64);
          const fed = [...prompt, ...text];
          const answer = await alone.step(fed, [fed.length - 1], 1);
          const row = logits.subarray(i * shape.vocabularySize, (i + 1) * shape.vocabularySize);
          const difference = largestDifference(finite(row), finite(answer.logits));
          assert.ok(difference < tolerance, `step ${step}, text ${i}: ${difference}`);
        }
      }
      for (const [tensor, { data }] of Object.entries(promptCache.tensors)) {
        assert.equal(data, floats(before.caches[tensor]), 'the prompt stays as it was');
      }
      texts.close();
    },
  );
}

fused('a larger cache changes nothing', async () => {
  const utterance = golden[3] as GoldenUtterance;
  const { cross } = await encode(fp32, utterance.samples);
  const answers = [];
  for (const capacity of [5, 64]) {
    const decoder = new TeacherForced(fp32, cross, capacity);
    await decoder.step(prompt, [3], 0);
    answers.push(await decoder.step([utterance.tokens[0] as number], [0], 1));
  }
  assert.is(answers[0]?.token, answers[1]?.token);
  assert.is(answers[0]?.logProb, answers[1]?.logProb);
});

fused('the no-speech probability is that of the softmax before suppression', async () => {
  const utterance = golden[0] as GoldenUtterance;
  const { cross } = await encode(fp32, utterance.samples);
  const answer = await new TeacherForced(fp32, cross, 8).step(prompt, [3], 0);
  const row = utterance.logits.subarray(0, 1000);
  const top = Math.max(...row);
  const sum = row.reduce((total, logit) => total + Math.exp(logit - top), 0);
  const want = Math.exp((row[fp32.arch.tokens.noSpeech as number] as number) - top) / sum;
  assert.ok(
    Math.abs((answer.noSpeech[0] as number) - want) < 1e-4 * want,
    `${answer.noSpeech[0]} for ${want}`,
  );
  const later = await new TeacherForced(fp32, cross, 8).step(prompt, [3], 1);
  assert.equal(later.noSpeech, [0], 'only where it is asked for');
});

fused('the shortest sound, 640 samples, is taken', async () => {
  const { outputs } = await encode(int8, new Float32Array(640).fill(0.1));
  for (const name of ['cross_key_0', 'cross_value_0', 'cross_key_1', 'cross_value_1']) {
    assert.equal(outputs[name]?.dims, [1, 3, 2, 64], name);
  }
  assert.ok(floats(outputs['hidden']).every(Number.isFinite));
});

fused.run();
