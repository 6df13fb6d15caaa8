import type { Frame } from '../../daemon/events.ts';
import { frameSamples } from '../../daemon/events.ts';

/** A frame with the probability of speech a detector would give it. */
export type ScoredFrame = { readonly frame: Frame; readonly probability: number };

const probabilityOf: Readonly<Record<string, number>> = { '.': 0.03, '-': 0.42, '#': 0.95 };
const loudnessOf: Readonly<Record<string, number>> = { '.': 0.001, '-': 0.05, '#': 0.5 };

/** Unix time of sample 0 in a score. */
export const epochMs = 1_760_000_000_000;

/**
 * Draws sound: each character is a frame of 32 ms. '.' silence, '#' speech, '-' something between the two
 * thresholds, '/' a frame that was lost. The last frame has `lastSamples`. Samples are noise that depends on
 * their position alone, so that a segment shows where it was taken from.
 */
export function* score(drawing: string, lastSamples: number = frameSamples): Generator<ScoredFrame> {
  for (const [index, mark] of [...drawing].entries()) {
    if (mark === '/') continue;
    const startSample = index * frameSamples;
    const samples = new Float32Array(index === drawing.length - 1 ? lastSamples : frameSamples);
    const loudness = loudnessOf[mark] ?? Number.NaN;
    for (let i = 0; i < samples.length; i++) samples[i] = loudness * noiseAt(startSample + i);
    const probability = probabilityOf[mark];
    if (probability === undefined) throw new RangeError(`a score has no '${mark}'`);
    yield { frame: { samples, startSample, atMs: epochMs + startSample / 16 }, probability };
  }
}

/** The same sound in smaller frames: each is cut at positions `random` chooses. */
export function* splitAtRandom(frames: Iterable<ScoredFrame>, random: () => number): Generator<ScoredFrame> {
  for (const { frame, probability } of frames) {
    let from = 0;
    while (from < frame.samples.length) {
      const to = Math.min(frame.samples.length, from + 1 + Math.floor(random() * frameSamples));
      const part: Frame = {
        samples: frame.samples.slice(from, to),
        startSample: frame.startSample + from,
        atMs: frame.atMs + from / 16,
      };
      yield { frame: part, probability };
      from = to;
    }
  }
}

/** Noise in [-1, 1) that is the same for the same position (a 32-bit integer hash). */
export function noiseAt(position: number): number {
  let x = Math.imul(position ^ (position >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
}
