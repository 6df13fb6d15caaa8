/**
 * A microphone that says the same command again and again, and knows at which frame the daemon will notice that the
 * sentence is over: found by listening to the same frames with the same detector and the same segmenter.
 */
import path from 'node:path';
import { readCommand } from '../../daemon/bench/command.ts';
import { loadConfig } from '../../daemon/config/config.ts';
import { frameSamples, type Segment, sampleRateHz } from '../../daemon/events.ts';
import { createSegmenterFor, openVad } from '../../daemon/hearing.ts';
import { readCard } from '../../models/manifest.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { s16Of } from '../fixtures/wav.ts';

export const frameMs = (frameSamples / sampleRateHz) * 1000;
const framesOfMs = (ms: number): number => Math.round(ms / frameMs);

export type Utterance = {
  /** Frames as raw S16_LE. */
  readonly frames: readonly Buffer[];
  /** Index of the frame in which speech ends: from here on it is the hangover. */
  readonly speechEnd: number;
  /** Index of the frame that closes the segment. */
  readonly closing: number;
  /** What the daemon will hand to the recognizer. */
  readonly segmentMs: number;
};

export type Stream = { readonly text: string; readonly utterances: readonly Utterance[] };

/** Silence before the sentence, and after it until the next. The recording's own: noise of a room. */
const beforeMs = 960;
const afterMs = 960;

/**
 * `count` utterances that are one unbroken stream, after the frames of `before`. Throws if the segmenter would not
 * hear each of them once.
 */
export async function createStream(before: readonly Buffer[], count: number): Promise<Stream> {
  const command = await readCommand(path.join(packageDir, 'dist/models/embedded/demo'));
  const { recording, startMs, endMs } = command;
  const first = Math.round(((startMs - beforeMs) * sampleRateHz) / 1000);
  const frameCount = framesOfMs(endMs - startMs + beforeMs + afterMs);
  // what is sent is what is heard: rounded to 16 bits before it is listened to
  const frames = Array.from({ length: frameCount }, (_, i) =>
    s16Of(recording.subarray(first + i * frameSamples, first + (i + 1) * frameSamples)),
  );
  const config = loadConfig({ environment: {} });
  const detectSpeech = await openVad(packageDir);
  const segmenter = createSegmenterFor(
    config,
    readCard(path.join(packageDir, 'models/embedded')),
    () => '',
  )();
  const utterances: Utterance[] = [];
  let position = 0;
  const hear = async (bytes: Buffer): Promise<Segment | undefined> => {
    const samples = Float32Array.from({ length: frameSamples }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
    const frame = { samples, startSample: position, atMs: 0 };
    position += frameSamples;
    const segments = segmenter
      .push(frame, (await detectSpeech([frame]))[0] ?? 0)
      .flatMap((event) => (event.type === 'segment' ? [event.segment] : []));
    return segments[0];
  };
  for (const bytes of before) await hear(bytes);
  for (let i = 0; i < count; i++) {
    const heard = (await each(frames, hear)).flatMap((segment, frame) =>
      segment ? [{ segment, frame }] : [],
    );
    const [only, another] = heard;
    if (only === undefined || another !== undefined)
      throw new Error(`utterance ${i} was heard ${heard.length} times`);
    utterances.push({
      frames,
      speechEnd: only.frame - framesOfMs(config.vad.hangoverMs),
      closing: only.frame,
      segmentMs: (only.segment.samples.length / sampleRateHz) * 1000,
    });
  }
  return { text: command.text, utterances };
}

async function each<In, Out>(values: readonly In[], map: (value: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  for (const value of values) results.push(await map(value));
  return results;
}

/** A room at night: noise of about -60 dBFS, as a cheap microphone makes it. */
export function quietFrame(random: () => number): Buffer {
  return s16Of(Float32Array.from({ length: frameSamples }, () => (random() - 0.5) * 0.003));
}
