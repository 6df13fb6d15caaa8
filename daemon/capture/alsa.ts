import { watch } from 'node:fs';
import type { AudioSource, Emit, Frame } from '../events.ts';
import { sampleRateHz } from '../events.ts';
import { backoffMs, sleep } from '../waiting.ts';
import { type SoundPaths, soundPaths } from './cards.ts';
import { SampleClock } from './clock.ts';
import { diagnose } from './diagnosis.ts';
import { Framer } from './frames.ts';
import { levelMeter } from './level.ts';
import { samplesOfS16 } from './pcm.ts';
import { type Recorded, type RecordingEnd, type RecordingOptions, record } from './recording.ts';

export type AlsaSourceOptions = RecordingOptions & {
  readonly emit: Emit;
  /** From the first wait before a new try to the longest. */
  readonly retryMs?: { readonly firstMs: number; readonly mostMs: number };
  readonly paths?: SoundPaths;
};

const defaultRetryMs = { firstMs: 500, mostMs: 30_000 };
/** Sound for this long makes a device trustworthy again; one that dies every five seconds is tried ever less often. */
const steadyMs = 10_000;
/** From a device file's appearance until udev has given it its group. */
const settleMs = 300;

/**
 * A microphone by its ALSA name, for as long as anyone listens. It never ends and never throws: what goes wrong is
 * announced once as a `fault` of the microphone, tried again with back-off, and announced once as `recovered` when
 * sound flows again. `startSample` jumps over what was lost meanwhile. Aborting kills arecord and frees the device.
 * `device` is looked at anew whenever a stretch of listening begins.
 */
export function alsaSource(options: AlsaSourceOptions): AudioSource {
  // outlives a mute: what was announced as broken is recovered when it is heard again, whenever that is
  const trouble: Trouble = { sinceMs: undefined };
  return (signal) => levelMeter(listen(options, trouble, signal), options.emit);
}

type Trouble = { sinceMs: number | undefined };

async function* listen(
  options: AlsaSourceOptions,
  trouble: Trouble,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const { device, emit, retryMs = defaultRetryMs, paths = soundPaths } = options;
  const place = new Placer(emit);
  emit({ type: 'microphone', state: 'opening', device });
  let attempt = 0;
  while (!signal.aborted) {
    const openedAtMs = performance.now();
    const recording = record(options, signal);
    let end: RecordingEnd | undefined;
    try {
      for (let heard = false; end === undefined; ) {
        const step = await recording.next();
        if (signal.aborted) return;
        if (step.done === true) {
          end = step.value;
          continue;
        }
        const frames = place.next(step.value, !heard);
        if (!heard && step.value.type === 'sound') {
          heard = true;
          announceSound(device, trouble, emit);
        }
        yield* frames;
      }
    } finally {
      // a listener that leaves in the middle of a frame takes the child with it
      await recording.return(undefined as never);
    }
    const fault = await diagnose(device, end, { ...options, paths });
    if (signal.aborted) return;
    if (trouble.sinceMs === undefined) {
      trouble.sinceMs = performance.now();
      const { code, message, hint } = fault;
      emit({ type: 'fault', component: 'microphone', code, message, hint });
      emit({ type: 'microphone', state: 'lost', device });
    }
    if (end.heard && performance.now() - openedAtMs > steadyMs) attempt = 0;
    const appeared = await waitForDevices(backoffMs(attempt, retryMs), paths.dev, signal);
    attempt = appeared ? 0 : attempt + 1;
  }
}

function announceSound(device: string, trouble: Trouble, emit: Emit): void {
  if (trouble.sinceMs !== undefined) {
    const afterS = ((performance.now() - trouble.sinceMs) / 1000).toFixed(1);
    trouble.sinceMs = undefined;
    emit({
      type: 'recovered',
      component: 'microphone',
      message: `${device} is heard again after ${afterS} s`,
    });
  }
  emit({ type: 'microphone', state: 'listening', device });
}

/** Gives what was recorded its place in the count of samples and its time. */
class Placer {
  readonly #emit: Emit;
  readonly #framer = new Framer();
  readonly #clock = new SampleClock();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  next(recorded: Recorded, isFirst: boolean): Frame[] {
    if (recorded.type === 'lost') {
      this.#lose(recorded.lostMs);
      return [];
    }
    const { arrivedAtMs } = recorded;
    const samples = samplesOfS16(recorded.bytes);
    if (isFirst) {
      this.#framer.jumpTo(this.#clock.resume(this.#framer.position, samples.length, arrivedAtMs));
    }
    const placed = this.#framer.push(samples);
    const wallOffsetMs = Date.now() - performance.now();
    const lostMs = this.#clock.observe(this.#framer.position, arrivedAtMs, wallOffsetMs);
    const frames = placed.map((frame) => ({ ...frame, atMs: this.#clock.atMs(frame.startSample) }));
    if (lostMs > 0) this.#lose(lostMs);
    return frames;
  }

  #lose(lostMs: number): void {
    this.#framer.jumpTo(this.#framer.position + Math.round((lostMs * sampleRateHz) / 1000));
    this.#emit({ type: 'overrun', lostMs });
  }
}

/** Waits, but no longer than until a device file appears: a replugged microphone is heard at once. True if so. */
async function waitForDevices(durationMs: number, folder: string, signal: AbortSignal): Promise<boolean> {
  const appeared = new AbortController();
  let watcher: { close: () => void } | undefined;
  try {
    watcher = watch(folder, (event) => {
      if (event === 'rename') appeared.abort();
    }).on('error', () => {});
  } catch {
    // no sound in this kernel, or not yet: the clock alone will do
  }
  await sleep(durationMs, AbortSignal.any([signal, appeared.signal]));
  watcher?.close();
  if (!appeared.signal.aborted || signal.aborted) return false;
  await sleep(settleMs, signal);
  return true;
}
