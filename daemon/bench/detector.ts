/** What hearing costs while nobody speaks: the detector looks at every frame, day and night. */
import { setTimeout } from 'node:timers/promises';
import { type DetectSpeech, frameSamples, sampleRateHz } from '../events.ts';
import { type Summary, summarize } from './statistics.ts';

export type DetectorFigures = {
  /** One frame, 32 ms of sound, when frames follow each other at once: what files cost. */
  readonly frameMs: Summary;
  /** CPU time of one frame when they come as fast as they are spoken: in between, caches go cold. */
  readonly pacedCpuMs: Summary;
  /** Of one core, to keep up with a microphone: the median of the paced ones. */
  readonly coreShare: number;
};

const frameMs = (frameSamples / sampleRateHz) * 1000;
const warmUps = 50;
/** Two seconds. */
const pacedFrames = 63;

/** Hears `sound` once, after some of it for practice, and then two seconds of it at the pace of a microphone. */
export async function benchDetector(
  detectSpeech: DetectSpeech,
  sound: Float32Array,
  signal: AbortSignal,
): Promise<DetectorFigures> {
  const frames = Math.floor(sound.length / frameSamples);
  let startSample = 0;
  async function detect(index: number): Promise<void> {
    signal.throwIfAborted();
    const from = (index % frames) * frameSamples;
    await detectSpeech({ samples: sound.subarray(from, from + frameSamples), startSample, atMs: 0 });
    startSample += frameSamples;
  }
  for (let i = 0; i < warmUps; i++) await detect(i);

  const tookMs: number[] = [];
  for (let i = 0; i < frames; i++) {
    const startedAtMs = performance.now();
    await detect(i);
    tookMs.push(performance.now() - startedAtMs);
  }
  const cpuMs: number[] = [];
  for (let i = 0; i < pacedFrames; i++) {
    await setTimeout(frameMs);
    const before = process.cpuUsage();
    await detect(i);
    const { user, system } = process.cpuUsage(before);
    cpuMs.push((user + system) / 1000);
  }
  const pacedCpuMs = summarize(cpuMs);
  return { frameMs: summarize(tookMs), pacedCpuMs, coreShare: pacedCpuMs.median / frameMs };
}
