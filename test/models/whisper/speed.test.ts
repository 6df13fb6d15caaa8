import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { atSpeed } from '../../../models/whisper/speed.ts';

const rateHz = 16_000;
const tone = (hz: number, samples = 8000, amplitude = 0.5): Float32Array =>
  Float32Array.from({ length: samples }, (_, n) => amplitude * Math.sin((2 * Math.PI * hz * n) / rateHz));
/** Away from both ends, where the filter sees what is not there. */
const middle = (samples: Float32Array): Float32Array => samples.subarray(200, samples.length - 200);
const largest = (samples: Float32Array): number =>
  samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

const speed = suite('sound at another speed');

speed('is so much shorter or longer, to the sample', () => {
  for (const [samples, factor, expected] of [
    [16_000, 2, 8000],
    [16_001, 2, 8001],
    [16_000, 0.5, 32_000],
    [1000, 1.12, 893],
    [1, 0.89, 2],
    [0, 1.12, 0],
  ] as const) {
    assert.is(atSpeed(new Float32Array(samples), factor).length, expected);
  }
});

speed('has every frequency times the speed, as loud as before', () => {
  for (const factor of [0.89, 1.12, 0.5, 1.7]) {
    for (const hz of [120, 1000, 3500]) {
      const made = middle(atSpeed(tone(hz), factor));
      // the same instants of a tone that was made at that frequency
      const wanted = middle(tone(hz * factor, made.length + 400));
      const off = largest(made.map((sample, n) => sample - (wanted[n] as number)));
      assert.ok(off < 0.5 * 10 ** (-36 / 20), `${hz} Hz at ${factor}: off by ${off}`);
    }
  }
});

speed('of nothing but a constant is that constant', () => {
  const made = middle(atSpeed(new Float32Array(4000).fill(0.25), 1.12));
  assert.ok(largest(made.map((sample) => sample - 0.25)) < 1e-6);
});

speed('folds nothing back that would lie above half of the rate', () => {
  assert.ok(largest(middle(atSpeed(tone(7500), 1.5))) < 0.5 * 10 ** (-40 / 20));
  assert.ok(largest(middle(atSpeed(tone(4000), 1.5))) > 0.49, 'what lies below stays');
});

speed('at its own speed is itself', () => {
  const sound = tone(700, 1000);
  assert.ok(largest(atSpeed(sound, 1).map((sample, n) => sample - (sound[n] as number))) < 1e-6);
});

speed.run();
