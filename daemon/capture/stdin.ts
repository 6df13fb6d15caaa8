import type { AudioSource, Emit, Frame } from '../events.ts';
import { sampleRateHz } from '../events.ts';
import { Fault } from '../faults.ts';
import { ByteReader } from './bytes.ts';
import { identify, identifyBytes } from './container.ts';
import { framesOf } from './frames.ts';
import { levelMeter } from './level.ts';
import { samplesOfS16 } from './pcm.ts';
import { resampled } from './resample.ts';
import { openWav, type Warn } from './wav.ts';

export type StdinSourceOptions = {
  /** The Unix time of the first sample; the moment it arrives where it is left out. */
  readonly epochMs?: number;
  readonly warn?: Warn;
  readonly emit?: Emit;
};

/** A file that begins with one of these cannot be mistaken for raw sound; a shorter magic could be. */
const unmistakable = /^(ID3|fLaC|OggS|FORM|caff|RIFX|riff)|^....ftyp/s;

/**
 * Sound from a pipe: WAV if it begins with RIFF, else raw S16_LE at 16 kHz, mono. Whoever writes sets the pace.
 * Ends when the pipe ends or `signal` aborts. There is one pipe: listening again, after a mute, goes on where it
 * was left, and what was written meanwhile waits in the pipe.
 * Throws Fault AUDIO_INVALID if the pipe holds no sound and AUDIO_UNSUPPORTED if it carries another container,
 * which would be heard as noise.
 */
export function stdinSource(
  stream: AsyncIterable<Uint8Array>,
  { epochMs, warn = () => {}, emit = () => {} }: StdinSourceOptions = {},
): AudioSource {
  const frames = levelMeter(readFrames(stream, epochMs, warn), emit);
  let next: Promise<IteratorResult<Frame, undefined>> | undefined;
  return async function* listen(signal): AsyncGenerator<Frame> {
    emit({ type: 'microphone', state: 'opening', device: 'stdin' });
    for (let heard = false; !signal.aborted; heard = true) {
      next ??= frames.next();
      const result = await unlessAborted(next, signal);
      if (result === undefined) return;
      next = undefined;
      if (!heard) emit({ type: 'microphone', state: 'listening', device: 'stdin' });
      if (result.done === true) {
        emit({ type: 'microphone', state: 'ended', device: 'stdin' });
        return;
      }
      yield result.value;
    }
  };
}

async function* readFrames(
  stream: AsyncIterable<Uint8Array>,
  epochMs: number | undefined,
  warn: Warn,
): AsyncGenerator<Frame, undefined> {
  const chunks = await openStream(new ByteReader(stream), warn);
  yield* framesOf(chunks, epochMs ?? Date.now());
  return undefined;
}

/** What `promise` brings, or undefined once `signal` aborts: a read that waits for a pipe hears no signal. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve(undefined);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
  });
}

async function openStream(bytes: ByteReader, warn: Warn): Promise<AsyncIterable<Float32Array>> {
  const head = await bytes.peek(identifyBytes);
  const container = identify(head);
  if (container.kind === 'wav') {
    const { format, chunks } = await openWav(bytes, 'stdin', warn);
    return resampled(chunks, format.sampleRateHz, sampleRateHz);
  }
  if (container.kind === 'foreign' && unmistakable.test(head.toString('latin1'))) {
    throw new Fault(
      'AUDIO_UNSUPPORTED',
      `stdin carries ${container.name}, WAV or raw S16_LE 16 kHz mono expected`,
      'convert it on the way: ffmpeg -i IN -f s16le -ar 16000 -ac 1 - | harkd run --source stdin',
    );
  }
  if (head.length < 2) {
    throw new Fault('AUDIO_INVALID', 'stdin holds no sound', 'pipe WAV or raw S16_LE 16 kHz mono into it');
  }
  return decodeS16(bytes, warn);
}

async function* decodeS16(bytes: ByteReader, warn: Warn): AsyncGenerator<Float32Array> {
  for (;;) {
    const piece = await bytes.takeWhole(64 * 1024, 2);
    if (piece.length === 0) break;
    yield samplesOfS16(piece);
  }
  if ((await bytes.peek(1)).length > 0) warn('stdin: the last byte is half a sample; left out');
}
