import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Resampler } from '../../../daemon/capture/resample.ts';
import { sineOf } from '../../fixtures/wav.ts';
import { randomFrom } from '../../random.ts';

const resample = suite('resample');

function all(
  input: Float32Array,
  fromHz: number,
  toHz: number,
  cut: () => number = () => input.length,
): Float32Array {
  const resampler = new Resampler(fromHz, toHz);
  const output: number[] = [];
  for (let at = 0; at < input.length; ) {
    const size = Math.max(1, cut());
    output.push(...resampler.push(input.subarray(at, at + size)));
    at += size;
  }
  output.push(...resampler.end());
  return Float32Array.from(output);
}

const db = (ratio: number): number => 20 * Math.log10(ratio);

/** Root mean square away from both ends, where the silence outside is heard. */
function rms(samples: Float32Array, margin: number): number {
  let sum = 0;
  for (let i = margin; i < samples.length - margin; i++) sum += (samples[i] as number) ** 2;
  return Math.sqrt(sum / (samples.length - 2 * margin));
}

const rates = [4000, 8000, 11_025, 22_050, 24_000, 44_100, 44_101, 48_000, 96_000, 384_000];

for (const fromHz of rates) {
  resample(`${fromHz} Hz: a tone keeps its height, its phase and its place`, () => {
    const toHz = 16_000;
    for (const share of [0.05, 0.4, 0.8]) {
      const hz = Math.round(share * Math.min(fromHz, toHz) * 0.5);
      const input = sineOf(hz, fromHz, Math.round(fromHz / 8), 0.5);
      const output = all(input, fromHz, toHz);
      const expected = sineOf(hz, toHz, output.length, 0.5);
      const margin = 400;
      const difference = output.map((sample, i) => sample - (expected[i] as number));
      // -70 dB of error holds ripple (0.003 dB), delay and images at once
      const errorDb = db(rms(difference, margin) / rms(expected, margin));
      assert.ok(errorDb < -70, `${hz} Hz: error ${errorDb.toFixed(1)} dB`);
    }
  });
}

for (const fromHz of rates.filter((rate) => rate > 16_000)) {
  resample(`${fromHz} Hz: what 16 kHz cannot hold is gone by 60 dB and more`, () => {
    for (const hz of [8050, 8500, 10_000, fromHz * 0.45]) {
      if (hz >= fromHz / 2) continue;
      const output = all(sineOf(hz, fromHz, Math.round(fromHz / 8), 1), fromHz, 16_000);
      const leftDb = db(rms(output, 400) / Math.SQRT1_2);
      assert.ok(leftDb < -75, `${hz} Hz comes through at ${leftDb.toFixed(1)} dB`);
    }
  });
}

resample('n samples in are ceil(n · to / from) out, for any n and rate', () => {
  const random = randomFrom(7);
  for (let i = 0; i < 8; i++) {
    const fromHz = 4000 + Math.floor(random() * (i % 2 === 0 ? 44_000 : 380_000));
    const n = 1 + Math.floor(random() * 700);
    const output = all(new Float32Array(n), fromHz, 16_000);
    assert.is(output.length, Math.ceil((n * 16_000) / fromHz), `${n} samples at ${fromHz} Hz`);
  }
});

resample('the output does not depend on how the input was cut', () => {
  const random = randomFrom(11);
  const input = Float32Array.from({ length: 3000 }, () => random() * 2 - 1);
  for (const fromHz of [8000, 44_100, 44_101, 48_000]) {
    const whole = all(input, fromHz, 16_000);
    const pieces = all(input, fromHz, 16_000, () => Math.floor(random() * 300));
    assert.equal(pieces, whole);
    assert.equal(
      all(input, fromHz, 16_000, () => 1),
      whole,
    );
  }
});

resample('a constant stays constant', () => {
  for (const fromHz of [8000, 44_100, 44_101]) {
    const output = all(new Float32Array(fromHz).fill(0.5), fromHz, 16_000);
    for (let i = 1000; i < 15_000; i++) assert.ok(Math.abs((output[i] as number) - 0.5) < 1e-6);
  }
});

resample('a rate that is no rate is refused', () => {
  for (const rateHz of [0, 3999, 384_001, 44_100.5, Number.NaN]) {
    assert.throws(() => new Resampler(rateHz, 16_000), /4000 to 384000/);
  }
});

resample.run();
