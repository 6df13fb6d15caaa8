import type { Emit, Frame } from '../events.ts';
import { sampleRateHz } from '../events.ts';

/** What digital silence is called: below the least significant bit of 24-bit sound, and still a number in JSON. */
export const silenceDbfs = -150;

/** Root mean square relative to full scale; a square wave at full scale is 0, a sine -3.01. */
export function levelDbfs(squareSum: number, count: number): number {
  if (count === 0 || squareSum === 0) return silenceDbfs;
  return Math.max(silenceDbfs, 10 * Math.log10(squareSum / count));
}

export function sumOfSquares(samples: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += (samples[i] as number) ** 2;
  return sum;
}

/** Passes frames on and says after each second of sound how loud it was. */
export async function* levelMeter(
  frames: AsyncIterable<Frame>,
  emit: Emit,
): AsyncGenerator<Frame, undefined> {
  let squareSum = 0;
  let count = 0;
  for await (const frame of frames) {
    squareSum += sumOfSquares(frame.samples);
    count += frame.samples.length;
    if (count >= sampleRateHz) {
      emit({ type: 'level', levelDbfs: levelDbfs(squareSum, count), atMs: frame.atMs });
      squareSum = 0;
      count = 0;
    }
    yield frame;
  }
  return undefined;
}

/** The largest magnitude. */
export function peakOf(samples: Float32Array): number {
  let peak = 0;
  for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i] as number));
  return peak;
}
