import * as assert from 'uvu/assert';
import { type Frame, frameSamples, sampleRateHz } from '../../daemon/events.ts';

/**
 * What every source of sound promises of its frames, whatever became of the sound in between: they are whole but
 * for the last of a source that `ends`, never overlap, hold numbers in [-1, 1], own their memory, and their times
 * go forward with their positions.
 */
export function assertSourceFrames(frames: readonly Frame[], ends: 'ends' | 'goes on'): void {
  assert.ok(frames.length > 0, 'no frame came');
  for (const [i, { samples, startSample, atMs }] of frames.entries()) {
    const isLast = ends === 'ends' && i === frames.length - 1;
    const { length } = samples;
    assert.ok(
      length === frameSamples || (isLast && length > 0 && length < frameSamples),
      `frame ${i}: ${length}`,
    );
    assert.ok(Number.isSafeInteger(startSample) && startSample >= 0, `frame ${i} starts at ${startSample}`);
    assert.ok(
      samples.every((sample) => sample >= -1 && sample <= 1),
      `frame ${i} is out of range`,
    );
    const before = frames[i - 1];
    if (before === undefined) continue;
    const step = startSample - before.startSample;
    assert.ok(step >= frameSamples, `frame ${i} overlaps the one before by ${frameSamples - step} samples`);
    assert.is.not(samples.buffer, before.samples.buffer, `frame ${i} shares its memory`);
    // the clock may lean by 0.1 % against a crystal, and gaps are measured against the same clock
    const driftMs = atMs - before.atMs - (step / sampleRateHz) * 1000;
    assert.ok(Math.abs(driftMs) <= 10 && atMs > before.atMs, `frame ${i}: time moved ${driftMs} ms apart`);
  }
}
