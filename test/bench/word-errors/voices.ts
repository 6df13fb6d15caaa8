/** The test set: each sentence in the voice of an engine from Debian, made once and kept. */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { openSound } from '../../../daemon/capture/sound.ts';
import { randomFrom } from '../../random.ts';
import { atLevel } from './noise.ts';

const run = promisify(execFile);

type Engine = {
  readonly name: string;
  /** Package of Debian. */
  readonly from: string;
  /** Its arguments to say `text`, `pace` times as fast as usual. */
  readonly say: (voice: string, text: string, pace: number, file: string) => readonly string[];
};

const espeak: Engine = {
  name: 'espeak-ng',
  from: 'espeak-ng',
  say: (voice, text, pace, file) => ['-v', voice, '-s', (160 * pace).toFixed(0), '-w', file, text],
};
const flite: Engine = {
  name: 'flite',
  from: 'flite',
  say: (voice, text, pace, file) => {
    return ['-voice', voice, '--setf', `duration_stretch=${(1 / pace).toFixed(3)}`, '-t', text, '-o', file];
  },
};

export const engines: readonly Engine[] = [espeak, flite];

export type Voice = {
  readonly engine: Engine;
  readonly voice: string;
  /** Whether the embedded model was trained with it, or with the same variant of espeak-ng in some accent. */
  readonly heardInTraining: boolean;
};

export const nameOf = ({ engine, voice }: Voice): string => `${engine.name} ${voice}`;

export const voices: readonly Voice[] = [
  { engine: espeak, voice: 'en-us+m3', heardInTraining: true },
  { engine: flite, voice: 'slt', heardInTraining: true },
  { engine: espeak, voice: 'en-us+Andrea', heardInTraining: false },
  { engine: flite, voice: 'awb', heardInTraining: true },
  { engine: espeak, voice: 'en-gb+f3', heardInTraining: true },
  { engine: flite, voice: 'rms', heardInTraining: false },
  { engine: espeak, voice: 'en-gb+m7', heardInTraining: false },
  { engine: flite, voice: 'kal16', heardInTraining: true },
  { engine: espeak, voice: 'en-gb-scotland+f2', heardInTraining: true },
];

/** The number of its version; undefined where it is not installed. flite tells it and exits 1. */
export function versionOf({ name }: Engine): string | undefined {
  const { error, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return undefined;
  return /\d+\.\d+(?:\.\d+)?/.exec(stdout)?.[0] ?? 'of unknown version';
}

export type Utterance = {
  readonly text: string;
  /** Its name. */
  readonly voice: string;
  readonly heardInTraining: boolean;
  /** Mono 16 kHz, with `silenceSamples` before and after the speech. */
  readonly samples: Float32Array;
};

/** What the model's card asks of a segment: 200 ms before and after. */
export const silenceSamples = 3200;
/** Root mean square of speech, as somebody speaks who is near. */
const speechDbfs = -23;
/** Of the peak: what is softer at the ends of a sound is the engine's silence. */
const silentBelow = 0.01;

/** A whole sound file as the daemon reads it, mono at 16 kHz. Throws the faults of `openSound`. */
export async function readSound(file: string): Promise<Float32Array> {
  const sound = await openSound(file);
  const chunks: Float32Array[] = [];
  for await (const chunk of sound.chunks) chunks.push(chunk);
  const whole = new Float32Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The speech without the engine's silence, at an even level, with ours around it. */
export function framed(sound: Float32Array): Float32Array {
  const peak = sound.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const isLoud = (x: number): boolean => Math.abs(x) > silentBelow * peak;
  const spoken = sound.subarray(sound.findIndex(isLoud), sound.findLastIndex(isLoud) + 1);
  const whole = new Float32Array(spoken.length + 2 * silenceSamples);
  whole.set(atLevel(spoken, speechDbfs), silenceSamples);
  return whole;
}

/**
 * `text` by `voice`, of engine version `version`; from `cacheDir` if it was made before. The pace, 0.85 to 1.15, comes
 * from `seed`. Throws what starting the engine throws.
 */
export async function say(
  text: string,
  voice: Voice,
  version: string,
  seed: number,
  cacheDir: string,
): Promise<Utterance> {
  const pace = 0.85 + 0.3 * randomFrom(seed)();
  const key = createHash('sha256')
    .update(JSON.stringify([nameOf(voice), version, pace, text]))
    .digest('hex');
  const file = path.join(cacheDir, `${key.slice(0, 24)}.wav`);
  if (!existsSync(file)) {
    mkdirSync(cacheDir, { recursive: true });
    // takes its name when it is whole: the next run goes on where this one was stopped
    const partial = `${file}.partial-${process.pid}`;
    await run(voice.engine.name, [...voice.engine.say(voice.voice, text, pace, partial)]);
    renameSync(partial, file);
  }
  const { heardInTraining } = voice;
  return { text, voice: nameOf(voice), heardInTraining, samples: framed(await readSound(file)) };
}
