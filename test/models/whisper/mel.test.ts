import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { frequencyBins, hannWindow, logMel, melFilters } from '../../../models/whisper/mel.ts';
import { largestDifference, readGolden } from '../../golden.ts';

const mel = suite('mel');

for (const golden of readGolden()) {
  mel(`log-mel of ${golden.name} is that of the reference`, () => {
    assert.is(golden.samples.length % 320, 0);
    const got = logMel(golden.samples, 80);
    assert.is(got.length, 80 * golden.melFrames);
    const difference = largestDifference(got, golden.logMel);
    assert.ok(difference < 1e-4, `differs by ${difference}`);
  });
}

mel('the transform equals the definition of the Fourier sum', () => {
  // noise from a linear congruential generator; 3 frames, so that the unpaired last frame is computed too
  let state = 1;
  const samples = Float32Array.from({ length: 480 }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 1_073_741_824 - 1;
  });
  const at = (i: number) => samples[i < 0 ? -i : i >= 480 ? 958 - i : i] as number;
  const window = hannWindow();
  const filters = melFilters(128);
  const logs = new Float64Array(128 * 3);
  for (let frame = 0; frame < 3; frame++) {
    const power = Float64Array.from({ length: frequencyBins }, (_, k) => {
      let re = 0;
      let im = 0;
      for (let n = 0; n < 400; n++) {
        const x = (window[n] as number) * at(frame * 160 - 200 + n);
        re += x * Math.cos((2 * Math.PI * k * n) / 400);
        im += x * Math.sin((2 * Math.PI * k * n) / 400);
      }
      return re * re + im * im;
    });
    for (let bin = 0; bin < 128; bin++) {
      const energy = power.reduce((sum, p, k) => sum + p * (filters[bin * frequencyBins + k] as number), 0);
      logs[bin * 3 + frame] = Math.log10(Math.max(energy, 1e-10));
    }
  }
  const floor = Math.max(...logs) - 8;
  const want = logs.map((log) => (Math.max(log, floor) + 4) / 4);
  assert.ok(largestDifference(logMel(samples, 128), want) < 1e-6);
});

mel('every filter wide enough for the 40 Hz steps has area one, 80 and 128 of them', () => {
  for (const bins of [80, 128]) {
    const filters = melFilters(bins);
    for (let bin = Math.floor((bins * 2) / 3); bin < bins; bin++) {
      const row = filters.subarray(bin * frequencyBins, (bin + 1) * frequencyBins);
      const area = 40 * row.reduce((sum, weight) => sum + weight, 0);
      assert.ok(Math.abs(area - 1) < 0.05, `${bins} bins, bin ${bin}: ${area}`);
    }
  }
});

mel('digital silence is flat', () => {
  const got = logMel(new Float32Array(640), 80);
  assert.is(got.length, 80 * 4);
  assert.ok(got.every((value) => value === -1.5));
});

mel('too short to reflect is refused', () => {
  assert.throws(() => logMel(new Float32Array(200), 80), RangeError);
});

mel.run();
