/** The sound that is measured with: a household command that ships with the package, cut to three seconds. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openSound } from '../capture/sound.ts';
import { sampleRateHz } from '../events.ts';
import { Fault } from '../faults.ts';

export const commandMs = 3000;

type Sentence = { readonly text: string; readonly startMs: number; readonly endMs: number };
type Recording = { readonly file: string; readonly sentences: readonly Sentence[] };

export type SpokenCommand = {
  readonly text: string;
  /** 48 000 samples, the sentence in their middle. */
  readonly samples: Float32Array;
  /** The whole recording the command was cut from: seven sentences with pauses. */
  readonly recording: Float32Array;
  /** Where in the recording the sentence starts and ends. */
  readonly startMs: number;
  readonly endMs: number;
};

/** Long enough to be a command, and clear of its neighbours when cut. */
const fileName = 'household.wav';
const sentenceIndex = 5;

const toSamples = (ms: number): number => Math.round((ms * sampleRateHz) / 1000);

/** Reads the command from `demoDir` (dist/models/embedded/demo). Throws Fault INPUT_MISSING, AUDIO_INVALID. */
export async function readCommand(demoDir: string): Promise<SpokenCommand> {
  const { recordings } = readSentences(path.join(demoDir, 'sentences.json'));
  const sentence = recordings.find(({ file }) => file === fileName)?.sentences[sentenceIndex];
  if (sentence === undefined) {
    throw new Fault(
      'AUDIO_INVALID',
      `${demoDir} does not say what is spoken in ${fileName}`,
      'run: npm run build',
    );
  }
  const sound = await openSound(path.join(demoDir, fileName));
  const chunks: Float32Array[] = [];
  for await (const chunk of sound.chunks) chunks.push(chunk);
  const recording = new Float32Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    recording.set(chunk, at);
    at += chunk.length;
  }
  const { text, startMs, endMs } = sentence;
  const from = toSamples((startMs + endMs - commandMs) / 2);
  return { text, startMs, endMs, recording, samples: recording.slice(from, from + toSamples(commandMs)) };
}

function readSentences(file: string): { readonly recordings: readonly Recording[] } {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Fault('INPUT_MISSING', `cannot read ${file}`, 'run: npm run build', { cause });
  }
}
