import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { soundsWithoutWords } from './inventions.ts';
import { atLevel, babbleFrom, brownFrom, mix, pinkFrom, powerOf, whiteFrom } from './noise.ts';
import { noiseKinds, snrsDb, soundsOf } from './test-set.ts';

const noise = suite('noise');

const sampleRateHz = 16_000;
const tone = (hz: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / sampleRateHz));
const decibels = (ratio: number): number => 10 * Math.log10(ratio);

/** Mean power in a band of half an octave around `hz`, by correlating 512 samples at a time with sines. */
function powerAround(sound: Float32Array, hz: number): number {
  const window = 512;
  let sum = 0;
  for (let step = -2; step <= 2; step++) {
    const angle = (2 * Math.PI * hz * 2 ** (step / 8)) / sampleRateHz;
    for (let from = 0; from + window <= sound.length; from += window) {
      let [real, imaginary] = [0, 0];
      for (let i = 0; i < window; i++) {
        const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window);
        real += weight * (sound[from + i] as number) * Math.cos(angle * i);
        imaginary += weight * (sound[from + i] as number) * Math.sin(angle * i);
      }
      sum += real * real + imaginary * imaginary;
    }
  }
  return sum;
}

noise('white, pink and brown lose 0, 3 and 6 dB an octave', () => {
  for (const [name, source, wanted] of [
    ['white', whiteFrom(1), 0],
    ['pink', pinkFrom(1), 3],
    ['brown', brownFrom(1), 6],
  ] as const) {
    const sound = source(sampleRateHz * 4);
    const lost = decibels(powerAround(sound, 400) / powerAround(sound, 1600)) / 2;
    assert.ok(Math.abs(lost - wanted) < 0.7, `${name}: ${lost} dB`);
  }
});

noise('every source is the same for a seed, goes on where it was, and stays finite', () => {
  const speech = [tone(200, 3000), tone(300, 2000)];
  const [one, other, next] = [4, 4, 5].map((seed) => soundsWithoutWords(seed, speech));
  for (const [name, source] of Object.entries(one ?? {})) {
    const whole = other?.[name]?.(6000) as Float32Array;
    const parts = [...source(2500), ...source(3500)];
    assert.equal(parts, [...whole], name);
    assert.ok(whole.every(Number.isFinite), name);
    if (name === 'digital silence') continue;
    assert.ok(powerOf(whole) > 0, name);
    assert.is.not(next?.[name]?.(6000).join(), whole.join(), name);
  }
});

noise('there is no babble without speech', () => {
  assert.not.ok('babble of six voices' in soundsWithoutWords(1, []));
});

noise('babble is the speech it is made of, one over the other', () => {
  const one = babbleFrom(2, [tone(440, 800)], 1)(8000);
  const four = babbleFrom(2, [tone(440, 800)], 4)(8000);
  assert.ok(Math.max(...one) > 0.29 && Math.max(...one) < 0.301);
  assert.ok(Math.max(...four) > 0.5);
});

noise('a level is reached, and what is beyond full scale is cut off', () => {
  const sound = atLevel(tone(300, 16_000), -20);
  assert.ok(Math.abs(decibels(powerOf(sound)) + 20) < 0.01);
  assert.is(Math.max(...atLevel(tone(300, 16_000), 3)), 1);
  assert.equal([...atLevel(new Float32Array(3), -20)], [0, 0, 0]);
});

noise('a mixture has the ratio asked for, of speech without the silence around it', () => {
  const silence = 4000;
  const speech = new Float32Array(16_000 + 2 * silence);
  speech.set(tone(300, 16_000), silence);
  const loud = whiteFrom(3)(speech.length);
  for (const snrDb of [20, 5]) {
    const mixed = mix(speech, loud, snrDb, silence);
    const added = mixed.map((x, i) => x - (speech[i] as number));
    assert.ok(Math.abs(decibels(powerOf(tone(300, 16_000)) / powerOf(added)) - snrDb) < 0.1, `${snrDb}`);
  }
  const clipped = mix(speech, loud, -20, silence);
  assert.ok(Math.abs(clipped.reduce((most, x) => Math.max(most, Math.abs(x)), 0) - 1) < 1e-6);
});

noise('each utterance is heard clean, at every ratio, and in every kind of noise', () => {
  const utterances = [200, 300, 400, 500].map((hz) => ({ samples: tone(hz, 16_000) }));
  for (const index of [0, 1, 2]) {
    const [clean, ...noisy] = [...soundsOf(utterances, index, 1)];
    assert.is(clean?.samples, utterances[index]?.samples);
    assert.is(clean?.noise, undefined);
    assert.equal(
      noisy.map((one) => one.noise?.snrDb),
      snrsDb,
    );
    assert.equal(new Set(noisy.map((one) => one.noise?.kind)), new Set(noiseKinds));
  }
});

noise.run();
