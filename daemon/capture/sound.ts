import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { sampleRateHz } from '../events.ts';
import { Fault } from '../faults.ts';
import { ByteReader } from './bytes.ts';
import { identify, identifyBytes } from './container.ts';
import { decodeWithFfmpeg } from './ffmpeg.ts';
import { resampled } from './resample.ts';
import { openWav, type Warn } from './wav.ts';

export type SoundOptions = {
  /** Hears of what could be read only in part. */
  readonly warn?: Warn;
  /** The environment of ffmpeg; this process's own where it is left out. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
};

export type Sound = {
  /** For people: `WAV, 16-bit PCM, 44100 Hz, 2 channels`. */
  readonly description: string;
  /** As the header says; undefined where it does not. */
  readonly declaredMs: number | undefined;
  /** Mono float32 in [-1, 1] at 16 kHz, in pieces of any length. To be read once, or closed. */
  readonly chunks: AsyncIterable<Float32Array>;
  /** Lets go of a sound that nobody reads to its end. */
  readonly close: () => Promise<void>;
};

/**
 * Opens a file of sound, whatever it is: WAV is read here, every other container by ffmpeg.
 * @throws Fault INPUT_MISSING, AUDIO_INVALID, AUDIO_UNSUPPORTED. A fault of a file that goes bad later, or that
 *   ffmpeg refuses, comes out of `chunks`.
 */
export async function openSound(file: string, options: SoundOptions = {}): Promise<Sound> {
  const { warn = () => {}, environment } = options;
  const container = identify(await readHead(file));
  switch (container.kind) {
    case 'wav':
      try {
        return await openWavFile(file, warn);
      } catch (error) {
        // a codec inside WAV that is not read here may still be one of ffmpeg's
        if (!(error instanceof Fault) || error.code !== 'AUDIO_UNSUPPORTED') throw error;
        return throughFfmpeg(file, error.message.slice(`${file} is `.length), environment);
      }
    case 'foreign':
      return throughFfmpeg(file, container.name, environment);
    case 'empty':
      throw new Fault('AUDIO_INVALID', `${file} holds no sound: it is empty`, 'record it again');
    case 'text':
      throw new Fault(
        'AUDIO_INVALID',
        `${file} is text, not sound: it begins with ${container.beginning}`,
        'give a file of sound; was a web page saved in its place?',
      );
    case 'unknown':
      throw new Fault(
        'AUDIO_INVALID',
        `${file} is no sound known here: it begins with ${container.beginning}`,
        'for headerless S16_LE 16 kHz mono sound use: harkd run --source stdin < FILE',
      );
  }
}

async function openWavFile(file: string, warn: Warn): Promise<Sound> {
  const bytes = new ByteReader(createReadStream(file));
  try {
    const { format, declaredMs, chunks } = await openWav(bytes, file, warn);
    const kind = `${format.bits}-bit ${format.encoding === 'pcm' ? 'PCM' : 'float'}`;
    const channels = `${format.channels} channel${format.channels === 1 ? '' : 's'}`;
    return {
      description: `WAV, ${kind}, ${format.sampleRateHz} Hz, ${channels}`,
      declaredMs,
      chunks: closing(file, resampled(chunks, format.sampleRateHz, sampleRateHz), bytes),
      close: () => bytes.close(),
    };
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

function throughFfmpeg(file: string, name: string, environment: NodeJS.ProcessEnv | undefined): Sound {
  const chunks = decodeWithFfmpeg(file, name, { sampleRateHz, environment });
  return {
    description: `${name}, read by ffmpeg`,
    declaredMs: undefined,
    chunks,
    close: async () => {
      await chunks.return(undefined);
    },
  };
}

async function* closing(
  file: string,
  chunks: AsyncIterable<Float32Array>,
  bytes: ByteReader,
): AsyncGenerator<Float32Array> {
  try {
    yield* chunks;
  } catch (error) {
    // a disk or a network share that fails in the middle
    throw error instanceof Fault ? error : readFault(file, error as NodeJS.ErrnoException);
  } finally {
    await bytes.close();
  }
}

async function readHead(file: string): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    // before open(), which waits for ever on a pipe that nobody writes to
    const kind = await stat(file);
    if (!kind.isFile() && !kind.isDirectory()) throw notAFile(file);
    handle = await open(file);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(identifyBytes), 0, identifyBytes, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw readFault(file, cause as NodeJS.ErrnoException);
  } finally {
    await handle?.close();
  }
}

function readFault(file: string, cause: NodeJS.ErrnoException): Fault {
  switch (cause.code) {
    case 'ENOENT':
      return new Fault('INPUT_MISSING', `${file} does not exist`, 'check the path', { cause });
    case 'EACCES':
    case 'EPERM':
      return new Fault('INPUT_MISSING', `${file} may not be read`, `allow it: chmod +r ${file}`, { cause });
    case 'EISDIR':
      return new Fault('INPUT_MISSING', `${file} is a folder, a file expected`, 'name a file in it', {
        cause,
      });
    default:
      return new Fault('INPUT_MISSING', `${file} cannot be read: ${cause.message}`, 'check the disk', {
        cause,
      });
  }
}

function notAFile(file: string): Fault {
  return new Fault(
    'INPUT_MISSING',
    `${file} is a pipe or a device, a file expected`,
    'use: --source stdin < PIPE',
  );
}
