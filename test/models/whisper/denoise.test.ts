import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { denoised } from '../../../models/whisper/denoise.ts';
import { packageDir } from '../../fixtures/daemon.ts';
import { randomFrom } from '../../random.ts';

const test = suite('steady noise turned down');

/** Samples of a recording of the golden vectors: S16_LE after 44 bytes of header. */
function recording(name: string): Float32Array {
  const bytes = readFileSync(path.join(packageDir, 'test', 'golden', 'nano', name)).subarray(44);
  return Float32Array.from({ length: bytes.length / 2 }, (_, n) => bytes.readInt16LE(2 * n) / 32_768);
}
/** White, of power 1. */
function noise(samples: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length: samples }, () => (random() - 0.5) * Math.sqrt(12));
}
const powerOf = (samples: Float32Array): number =>
  samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
const sum = (a: Float32Array, b: Float32Array, times: number): Float32Array =>
  a.map((x, n) => x + times * (b[n] as number));
const inDb = (ratio: number): number => 10 * Math.log10(ratio);
const cleaned = (samples: Float32Array): Float32Array => {
  const made = denoised(samples);
  assert.ok(made !== undefined);
  return made as Float32Array;
};

test('noise alone is about 10 dB quieter, however loud it is', () => {
  for (const amplitude of [0.001, 0.1]) {
    const sound = noise(32_000, 1).map((x) => x * amplitude);
    const quieter = inDb(powerOf(sound) / powerOf(cleaned(sound)));
    assert.ok(quieter > 8 && quieter < 10.5, `${quieter} dB`);
  }
});

test('words stand out of it by more than before', () => {
  for (const [snrDb, atLeastDb] of [
    [10, 2],
    [5, 3],
    [0, 4],
  ] as const) {
    const words = recording('g1.wav');
    const noisy = sum(words, noise(words.length, 2), Math.sqrt(powerOf(words) / 10 ** (snrDb / 10)));
    const gained = inDb(powerOf(words) / powerOf(sum(cleaned(noisy), words, -1))) - snrDb;
    assert.ok(gained > atLeastDb, `${gained} dB of ${snrDb}`);
  }
});

test('words without noise stay what they are, where they are', () => {
  const words = recording('g1.wav');
  const hiss = sum(words, noise(words.length, 3), Math.sqrt(powerOf(words)) / 1000);
  const off = inDb(powerOf(words) / powerOf(sum(cleaned(hiss), words, -1)));
  assert.ok(off > 15, `${off} dB`);
});

test('silence of zeros around the words does not pass for the noise', () => {
  const sound = noise(16_000, 4).map((x) => x * 0.1);
  const padded = new Float32Array(48_000);
  padded.set(sound, 16_000);
  const made = cleaned(padded);
  const quieter = inDb(powerOf(sound) / powerOf(made.subarray(16_000, 32_000)));
  assert.ok(quieter > 8, `${quieter} dB`);
  assert.is(powerOf(made.subarray(0, 15_000)), 0, 'and stays silence');
});

test('there are as many samples as before, whatever their number', () => {
  for (const samples of [4000, 4001, 4127, 4128, 4129, 16_384]) {
    assert.is(cleaned(noise(samples, samples)).length, samples);
  }
});

test('of too little sound, or none at all, nothing can be told', () => {
  for (const samples of [0, 1, 511, 512, 1000]) assert.is(denoised(noise(samples, 5)), undefined);
  assert.is(denoised(new Float32Array(16_000)), undefined);
});

test('numbers that are none do not spread beyond where they were', () => {
  const sound = noise(16_000, 6);
  sound[8000] = Number.NaN;
  denoised(sound);
  assert.ok(cleaned(noise(16_000, 7)).every(Number.isFinite), 'nor into the next sound');
});

test.run();
