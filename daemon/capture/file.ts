import type { AudioSource, Emit, Frame } from '../events.ts';
import { sampleRateHz } from '../events.ts';
import { sleep } from '../waiting.ts';
import { framesOf } from './frames.ts';
import { levelMeter } from './level.ts';
import { openSound, type SoundOptions } from './sound.ts';

export type FileSourceOptions = SoundOptions & {
  /** `realtime` hands out each frame when its last sample would have been heard; `fast` as soon as it is read. */
  readonly pace: 'realtime' | 'fast';
  /** The Unix time of the first sample; the moment of opening where it is left out. */
  readonly epochMs?: number;
  readonly emit?: Emit;
};

/**
 * A file as if it were spoken into the microphone, once. Ends with the file; listening again plays it again.
 * Throws the faults of `openSound`: a file that cannot be heard now will not be heard later either.
 */
export function fileSource(file: string, options: FileSourceOptions): AudioSource {
  return (signal) => playFile(file, options, signal);
}

async function* playFile(
  file: string,
  { pace, epochMs, emit = () => {}, ...soundOptions }: FileSourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const device = `file:${file}`;
  emit({ type: 'microphone', state: 'opening', device });
  const sound = await openSound(file, soundOptions);
  try {
    if (signal.aborted) return;
    const frames = framesOf(sound.chunks, epochMs ?? Date.now());
    emit({ type: 'microphone', state: 'listening', device });
    for await (const frame of levelMeter(pace === 'realtime' ? paced(frames, signal) : frames, emit)) {
      if (signal.aborted) return;
      yield frame;
    }
    emit({ type: 'microphone', state: 'ended', device });
  } finally {
    await sound.close();
  }
}

/** Deadlines are counted from one start, so that late timers do not add up. Ends when `signal` aborts. */
async function* paced(frames: AsyncIterable<Frame>, signal: AbortSignal): AsyncGenerator<Frame> {
  const startedAtMs = performance.now();
  for await (const frame of frames) {
    const heardAtMs = ((frame.startSample + frame.samples.length) / sampleRateHz) * 1000;
    const waitMs = startedAtMs + heardAtMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, signal);
    if (signal.aborted) return;
    yield frame;
  }
}
