/**
 * Recordings of people, where somebody has them: labels.json beside them says for each file which words are spoken in
 * it, at least. How often these are heard is no word error rate, but it is about people.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { labelsFound } from './alignment.ts';
import { recognizeSegments } from './daemon-way.ts';
import type { Heard } from './heard.ts';
import { type Rate, rateOf } from './interval.ts';
import type { OpenedVariant } from './variants.ts';
import { readSound } from './voices.ts';

export type RecordingsScore = {
  readonly recordings: number;
  readonly labels: number;
  /** Of the labels; the share that is in what was written, and in what would have been published. */
  readonly found: Readonly<Record<string, Rate | undefined>>;
  readonly foundPublished: Readonly<Record<string, Rate | undefined>>;
  /** Of what was written, against the first variant. */
  readonly difference: Readonly<Record<string, Rate | undefined>>;
};

export type Labels = Readonly<Record<string, readonly string[]>>;

/** Throws if `file` does not hold a list of words for each of its files. */
export function readLabels(file: string): Labels {
  const labels: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const isWords = (words: unknown): boolean =>
    Array.isArray(words) && words.every((word) => typeof word === 'string');
  if (typeof labels !== 'object' || labels === null || !Object.values(labels).every(isWords)) {
    throw new Error(`${file}: expected {"recording.wav": ["word", …], …}`);
  }
  return labels as Labels;
}

async function* once(samples: Float32Array): AsyncGenerator<Float32Array> {
  yield samples;
}

/** The words that are labelled in a recording, and what each variant made of its segments. */
export type HeardRecording = {
  readonly labels: readonly string[];
  readonly heard: Readonly<Record<string, readonly Heard[]>>;
};

/** Lets every variant hear the labelled recordings in `dir`. Throws the faults of reading sounds. */
export async function hearRecordings(
  packageDir: string,
  dir: string,
  labels: Labels,
  variants: readonly OpenedVariant[],
  listen: (variant: OpenedVariant, samples: Float32Array) => Promise<Heard>,
): Promise<readonly HeardRecording[]> {
  const recordings: HeardRecording[] = [];
  for (const [file, words] of Object.entries(labels)) {
    const sound = await readSound(path.join(dir, file));
    const segments = await recognizeSegments(packageDir, once(sound), async (samples) => samples);
    const heard: Record<string, Heard[]> = {};
    for (const variant of variants) {
      const answers: Heard[] = [];
      for (const samples of segments) answers.push(await listen(variant, samples));
      heard[variant.name] = answers;
    }
    recordings.push({ labels: words, heard });
  }
  return recordings;
}

/** How many of the labels of each recording are in those answers of `variant` that `counts`. */
function wordsFound(
  recordings: readonly HeardRecording[],
  variant: string,
  counts: (heard: Heard) => boolean,
): readonly number[] {
  return recordings.map(({ labels, heard }) => {
    const texts = (heard[variant] ?? []).filter(counts).map(({ text }) => text);
    return labelsFound(labels, texts.join(' '));
  });
}

const overLabels = (values: readonly number[], recordings: readonly HeardRecording[]): Rate | undefined =>
  rateOf(
    values,
    recordings.map(({ labels }) => labels.length),
  );

/** The share of all labels that is in those answers of `variant` that `counts`; undefined without any label. */
export function shareFound(
  recordings: readonly HeardRecording[],
  variant: string,
  counts: (heard: Heard) => boolean,
): Rate | undefined {
  return overLabels(wordsFound(recordings, variant, counts), recordings);
}

/** How much of the labels each of the variants, by `names`, found. */
export function scoreRecordings(
  recordings: readonly HeardRecording[],
  names: readonly string[],
): RecordingsScore {
  const written = (name: string): readonly number[] => wordsFound(recordings, name, () => true);
  const base = written(names[0] ?? '');
  const rates = (of: (name: string) => Rate | undefined) =>
    Object.fromEntries(names.map((name) => [name, of(name)]));
  return {
    recordings: recordings.length,
    labels: recordings.reduce((sum, { labels }) => sum + labels.length, 0),
    found: rates((name) => shareFound(recordings, name, () => true)),
    foundPublished: rates((name) => shareFound(recordings, name, ({ published }) => published)),
    difference: rates((name) =>
      overLabels(
        written(name).map((found, i) => found - (base[i] ?? 0)),
        recordings,
      ),
    ),
  };
}
