/** What hearing costs while nobody speaks: the detector looks at every frame, day and night. */
import { setTimeout } from 'node:timers/promises';
import { type DetectSpeech, frameSamples, sampleRateHz } from '../events.ts';
import { framesInSilence } from '../pipeline.ts';
import { type Summary, summarize } from './statistics.ts';

export type DetectorFigures = {
  /** One frame, 32 ms of sound, when frames follow each other at once: what files cost. */
  readonly frameMs: Summary;
  /** CPU time of one frame at the pace of a microphone, looked at when it comes: while somebody speaks. */
  readonly pacedCpuMs: Summary;
  /** CPU time for one frame at the pace of a microphone, looked at with others: while nobody speaks. */
  readonly silenceCpuMs: Summary;
  /** Of one core, to keep up with a microphone in silence, which is most of the day. */
  readonly coreShare: number;
};

const frameMs = (frameSamples / sampleRateHz) * 1000;
const warmUps = 50;
/** Two seconds. */
const pacedFrames = 64;

/** Hears `sound` once, after some of it for practice, and then twice two seconds of it at the pace of a microphone. */
export async function benchDetector(
  detectSpeech: DetectSpeech,
  sound: Float32Array,
  signal: AbortSignal,
): Promise<DetectorFigures> {
  const frames = Math.floor(sound.length / frameSamples);
  let startSample = 0;
  async function detect(index: number, count = 1): Promise<void> {
    signal.throwIfAborted();
    const run = Array.from({ length: count }, (_, i) => {
      const from = ((index + i) % frames) * frameSamples;
      const samples = sound.subarray(from, from + frameSamples);
      return { samples, startSample: startSample + i * frameSamples, atMs: 0 };
    });
    await detectSpeech(run);
    startSample += count * frameSamples;
  }
  /** Two seconds at the pace of a microphone. In between, caches go cold. */
  async function paced(count: number): Promise<Summary> {
    const cpuMs: number[] = [];
    await detect(0, count);
    for (let i = 0; i < pacedFrames; i += count) {
      await setTimeout(count * frameMs);
      const before = process.cpuUsage();
      await detect(i, count);
      const { user, system } = process.cpuUsage(before);
      cpuMs.push((user + system) / 1000 / count);
    }
    return summarize(cpuMs);
  }
  for (let i = 0; i < warmUps; i++) await detect(i);

  const tookMs: number[] = [];
  for (let i = 0; i < frames; i++) {
    const startedAtMs = performance.now();
    await detect(i);
    tookMs.push(performance.now() - startedAtMs);
  }
  const pacedCpuMs = await paced(1);
  const silenceCpuMs = await paced(framesInSilence);
  return { frameMs: summarize(tookMs), pacedCpuMs, silenceCpuMs, coreShare: silenceCpuMs.median / frameMs };
}
