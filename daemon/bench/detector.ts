/** What hearing costs while nobody speaks: the detector looks at every frame, day and night. */
import { type DetectSpeech, frameSamples, sampleRateHz } from '../events.ts';
import { type Summary, summarize } from './statistics.ts';

export type DetectorFigures = {
  /** One frame, 32 ms of sound. */
  readonly frameMs: Summary;
  /** Of one core, to keep up with a microphone; by the median. */
  readonly coreShare: number;
};

const frameMs = (frameSamples / sampleRateHz) * 1000;
const warmUps = 50;

/** Hears `sound` once, after a second or two of it for practice. */
export async function benchDetector(
  detectSpeech: DetectSpeech,
  sound: Float32Array,
  signal: AbortSignal,
): Promise<DetectorFigures> {
  const tookMs: number[] = [];
  const frames = Math.floor(sound.length / frameSamples);
  for (let i = -warmUps; i < frames; i++) {
    signal.throwIfAborted();
    const from = (i < 0 ? i + warmUps : i) * frameSamples;
    const startSample = (i + warmUps) * frameSamples;
    const frame = { samples: sound.subarray(from, from + frameSamples), startSample, atMs: 0 };
    const startedAtMs = performance.now();
    await detectSpeech(frame);
    if (i >= 0) tookMs.push(performance.now() - startedAtMs);
  }
  const summary = summarize(tookMs);
  return { frameMs: summary, coreShare: summary.median / frameMs };
}
