import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { magnitudesOfTwo } from '../../../models/vad/spectrum.ts';
import { randomFrom } from '../../random.ts';

const test = suite('spectrum');

/** By definition: a sum over all samples for each bin. */
function magnitudesByDefinition(samples: Float32Array, from: number, window: Float32Array): number[] {
  return Array.from({ length: 129 }, (_, bin) => {
    let re = 0;
    let im = 0;
    for (let n = 0; n < 256; n++) {
      const x = (window[n] ?? 0) * (samples[from + n] ?? 0);
      re += x * Math.cos((2 * Math.PI * bin * n) / 256);
      im -= x * Math.sin((2 * Math.PI * bin * n) / 256);
    }
    return Math.hypot(re, im);
  });
}

test('two windows at once have the magnitudes that the definition gives', () => {
  const random = randomFrom(256);
  const samples = Float32Array.from({ length: 640 }, () => random() * 2 - 1);
  const window = Float32Array.from({ length: 256 }, () => random());
  for (const [first, second] of [
    [0, 128],
    [256, 384],
    [384, 0],
  ] as const) {
    const [a, b] = [new Float32Array(129), new Float32Array(129)];
    magnitudesOfTwo(samples, first, second, window, a, b);
    for (const [got, from] of [
      [a, first],
      [b, second],
    ] as const) {
      const expected = magnitudesByDefinition(samples, from, window);
      const error = Math.max(...expected.map((value, bin) => Math.abs(value - (got[bin] ?? 0))));
      assert.ok(error < 1e-5, `window at ${from}: off by ${error}`);
    }
  }
});

test.run();
