/** The whole way on the embedded model: sound, compiled graphs, ONNX Runtime, text. */
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { compile } from '../../../models/compiler/compile.ts';
import type { OpenedModel } from '../../../models/compiler/compiled.ts';
import { type DecodingDefaults, whisperDefaults } from '../../../models/whisper/belief.ts';
import { openModel } from '../../../models/whisper/open.ts';
import type { Whisper } from '../../../models/whisper/whisper.ts';
import { provider } from '../../../providers/cpu.ts';
import type { Provider } from '../../../providers/provider.ts';
import { embeddedModelDir, readGolden } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';

const cacheDir = temporaryDir();
const compiledAs = {
  fp32: compile(embeddedModelDir, path.join(cacheDir, 'fp32'), { weights: 'fp32' }).model,
  int8: compile(embeddedModelDir, path.join(cacheDir, 'int8'), { weights: 'int8' }).model,
};
const open = (weights: 'fp32' | 'int8', defaults: Partial<DecodingDefaults> = {}): Promise<Whisper> =>
  openModel({ compiled: compiledAs[weights], provider, defaults });

const golden = readGolden();
const seconds = (length: number, at: (i: number) => number): Float32Array =>
  Float32Array.from({ length: length * 16_000 }, (_, i) => at(i));

const embedded = suite('embedded model');

for (const [weights, tolerance] of [
  ['fp32', 1e-5],
  ['int8', 0.05],
] as const) {
  embedded(`${weights}: the golden utterances give the golden tokens, text and probability`, async () => {
    const whisper = await open(weights);
    assert.is(golden.length, 10);
    for (const { avgLogProb, name, samples, text, tokens } of golden) {
      const heard = await whisper.transcribe(samples, { language: 'en' });
      assert.equal(heard.tokens, tokens, name);
      assert.is(heard.text, text);
      assert.is(heard.rejected, undefined);
      assert.is(heard.temperature, 0);
      assert.ok(Math.abs(heard.avgLogProb - avgLogProb) < tolerance, `${name}: ${heard.avgLogProb}`);
      assert.ok((heard.noSpeechProb ?? 1) < 0.01, `${name}: ${heard.noSpeechProb}`);
    }
    await whisper.close();
  });
}

embedded('silence, noise and tones give no text', async () => {
  const whisper = await open('int8');
  const random = randomFrom(5);
  const normal = (): number => random() + random() + random() + random() - 2;
  const sounds: [string, Float32Array][] = [];
  for (const length of [0.1, 0.5, 1, 2, 3, 5, 20]) {
    sounds.push([`digital silence, ${length} s`, seconds(length, () => 0)]);
  }
  for (const levelDb of [-60, -40, -20, -6]) {
    for (const length of [1, 3]) {
      sounds.push([
        `white noise, ${levelDb} dB, ${length} s`,
        seconds(length, () => 10 ** (levelDb / 20) * normal()),
      ]);
    }
  }
  for (const hz of [50, 100, 220, 440, 1000, 3000]) {
    sounds.push([`${hz} Hz, 2 s`, seconds(2, (i) => 0.2 * Math.sin((2 * Math.PI * hz * i) / 16_000))]);
  }
  for (const [what, samples] of sounds) {
    const heard = await whisper.transcribe(samples);
    assert.is(heard.text, '', what);
    assert.is(heard.rejected, 'empty', what);
    assert.ok((heard.noSpeechProb ?? 0) > 0.5, `${what}: no-speech ${heard.noSpeechProb}`);
  }
  await whisper.close();
});

embedded('sampling on real graphs: near zero it is greedy, and the prompt is shared', async () => {
  const whisper = await open('int8', { temperatures: [1e-4] });
  for (const { name, samples, tokens } of golden.slice(0, 3)) {
    assert.equal((await whisper.transcribe(samples)).tokens, tokens, name);
  }
  await whisper.close();
});

embedded('a retry after greedy decoding starts from the same prompt', async () => {
  // nothing satisfies these: all temperatures are tried on one cache, and the likeliest is still the golden text
  const whisper = await open('int8', { ...whisperDefaults, retryBelowLogProb: 0, maxNoSpeechProb: 1 });
  for (const { name, samples, tokens } of golden.slice(3, 6)) {
    assert.equal((await whisper.transcribe(samples, { seed: 7 })).tokens, tokens, name);
  }
  await whisper.close();
});

embedded("the card's word on decoding counts: a guess that Whisper would publish is withheld", async () => {
  // speech played backwards is speech to the model, but no words it knows
  const strict = await open('int8');
  const lenient = await open('int8', { minAvgLogProb: -1 });
  const backwards = golden.map(({ samples }) => samples.slice().reverse());
  let published = 0;
  let withheld = 0;
  for (const samples of backwards) {
    const guess = await lenient.transcribe(samples);
    const heard = await strict.transcribe(samples);
    assert.equal(heard.tokens, guess.tokens, 'greedy only');
    if (guess.text !== '') published++;
    if (guess.text !== '' && heard.rejected === 'low-log-prob') withheld++;
  }
  assert.ok(withheld >= 1 && withheld >= published / 2, `${withheld} of ${published} withheld`);
  await Promise.all([strict.close(), lenient.close()]);
});

embedded('graphs that do not fit are closed again, whichever is opened last', async () => {
  const compiled = compiledAs.int8;
  let open = 0;
  const counting: Provider = {
    ...provider,
    open: async (graphPath, options) => {
      const session = await provider.open(graphPath, options);
      open++;
      const close = async (): Promise<void> => {
        open--;
        await session.close();
      };
      return { ...session, close };
    },
  };
  const faultOf = async (model: OpenedModel): Promise<string> => {
    try {
      await openModel({ compiled: model, provider: counting });
    } catch (thrown) {
      if (thrown instanceof Fault) return thrown.code;
      throw thrown;
    }
    return 'none';
  };
  assert.is(await faultOf({ ...compiled, decoderPath: `${compiled.decoderPath}.gone` }), 'MODEL_MISSING');
  assert.is(open, 0);
  assert.is(await faultOf({ ...compiled, decoderPath: compiled.encoderPath }), 'MODEL_INVALID');
  assert.is(open, 0);
  const smaller = { ...compiled.shape, vocabularySize: 999 };
  assert.is(await faultOf({ ...compiled, shape: smaller }), 'MODEL_INVALID');
  const whisper = await openModel({ compiled, provider: counting });
  assert.is(open, 2);
  await whisper.close();
  assert.is(open, 0);
});

embedded('a sound cut anywhere is still a sound', async () => {
  const whisper = await open('int8');
  const [{ samples }] = golden as [(typeof golden)[0]];
  for (const length of [1, 319, 321, 5_000, 12_345, samples.length - 1]) {
    const heard = await whisper.transcribe(samples.subarray(0, length));
    assert.ok(Number.isFinite(heard.avgLogProb), `${length} samples`);
  }
  // one sample less is filled up to the same length
  assert.is((await whisper.transcribe(samples.subarray(0, -1))).text, 'turn on the kitchen lights');
  await whisper.close();
});

embedded.run();
