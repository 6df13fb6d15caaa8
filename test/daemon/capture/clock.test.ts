import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SampleClock } from '../../../daemon/capture/clock.ts';
import { randomFrom } from '../../random.ts';

const clock = suite('clock');
const wallOffsetMs = 1_700_000_000_000;
const periodSamples = 512;

/**
 * A card whose crystal is wrong by `ppm`, on a machine that hands each period on 0 to 60 ms late.
 * Answers how far the clock's time of the newest sample is from the truth, after each period.
 */
function run(ppm: number, hours: number): number[] {
  const random = randomFrom(ppm + 1000);
  const reckoned = new SampleClock();
  const periodMs = 32 / (1 + ppm / 1e6);
  const errorsMs: number[] = [];
  for (let i = 1; i * 32 < hours * 3_600_000; i++) {
    const spokenAtMs = i * periodMs;
    const arrivedAtMs = spokenAtMs + random() * 60;
    if (i === 1) assert.is(reckoned.resume(0, periodSamples, arrivedAtMs), 0);
    assert.is(reckoned.observe(i * periodSamples, arrivedAtMs, wallOffsetMs), 0);
    errorsMs.push(reckoned.atMs(i * periodSamples) - wallOffsetMs - spokenAtMs);
  }
  return errorsMs;
}

for (const ppm of [-300, -20, 0, 20, 300]) {
  clock(`a crystal wrong by ${ppm} ppm stays within 80 ms over six hours`, () => {
    const errorsMs = run(ppm, 6);
    const worstMs = errorsMs.reduce((worst, error) => Math.max(worst, Math.abs(error)), 0);
    // uncorrected, 300 ppm are 6.5 s by then
    assert.ok(worstMs < 80, `${worstMs} ms`);
  });
}

clock('the time of successive frames always goes forward', () => {
  const reckoned = new SampleClock();
  reckoned.resume(0, 512, 1000);
  let before = 0;
  for (let i = 1; i < 5000; i++) {
    // first 400 ms late, then on time: the reckoning must move back, slowly
    reckoned.observe(i * 512, 600 + i * 32 + (i < 200 ? 400 : 0), 0);
    const atMs = reckoned.atMs(i * 512);
    assert.ok(atMs > before + 20, `${atMs} after ${before}`);
    before = atMs;
  }
});

clock('a gap is as long as it was, and never goes back', () => {
  const reckoned = new SampleClock();
  reckoned.resume(0, 512, 32);
  reckoned.observe(512, 32, wallOffsetMs);
  assert.is(reckoned.resume(512, 512, 32 + 5000), 5000 * 16);
  assert.is(reckoned.resume(90_000, 512, 32 + 5010), 90_000);
});

clock('sound that goes missing without a word is found within 20 s', () => {
  const reckoned = new SampleClock();
  reckoned.resume(0, 512, 32);
  let lostMs = 0;
  for (let i = 1; i < 1250; i++) {
    const missingMs = i > 300 ? 700 : 0;
    lostMs += reckoned.observe(i * 512 + lostMs * 16, i * 32 + missingMs, wallOffsetMs);
  }
  assert.is(Math.round(lostMs), 700);
});

clock('a wall clock that is set later moves the time of what follows', () => {
  const reckoned = new SampleClock();
  reckoned.resume(0, 512, 32);
  reckoned.observe(512, 32, 0);
  assert.is(reckoned.atMs(512), 32);
  reckoned.observe(1024, 64, 50);
  assert.is(reckoned.atMs(1024), 64);
  reckoned.observe(1536, 96, wallOffsetMs);
  assert.is(reckoned.atMs(1536), wallOffsetMs + 96);
});

clock.run();
