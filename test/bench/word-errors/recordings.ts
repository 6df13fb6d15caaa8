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

/** How much of `labels` each variant finds in the recordings in `dir`. Throws the faults of reading sounds. */
export async function scoreRecordings(
  packageDir: string,
  dir: string,
  labels: Labels,
  variants: readonly OpenedVariant[],
  listen: (variant: OpenedVariant, samples: Float32Array) => Promise<Heard>,
): Promise<RecordingsScore> {
  const labelled = Object.entries(labels);
  const written: Record<string, number[]> = Object.fromEntries(variants.map(({ name }) => [name, []]));
  const published: Record<string, number[]> = Object.fromEntries(variants.map(({ name }) => [name, []]));
  for (const [file, words] of labelled) {
    const sound = await readSound(path.join(dir, file));
    const segments = await recognizeSegments(packageDir, once(sound), async (samples) => samples);
    for (const variant of variants) {
      const heard: Heard[] = [];
      for (const samples of segments) heard.push(await listen(variant, samples));
      const textOf = (some: readonly Heard[]): string => some.map(({ text }) => text).join(' ');
      written[variant.name]?.push(labelsFound(words, textOf(heard)));
      published[variant.name]?.push(labelsFound(words, textOf(heard.filter((one) => one.published))));
    }
  }
  const counts = labelled.map(([, words]) => words.length);
  const base = written[variants[0]?.name ?? ''] ?? [];
  const rates = (found: Readonly<Record<string, readonly number[]>>) =>
    Object.fromEntries(Object.entries(found).map(([name, values]) => [name, rateOf(values, counts)]));
  return {
    recordings: labelled.length,
    labels: counts.reduce((sum, count) => sum + count, 0),
    found: rates(written),
    foundPublished: rates(published),
    difference: rates(
      Object.fromEntries(
        Object.entries(written).map(([name, values]) => [name, values.map((n, i) => n - (base[i] ?? 0))]),
      ),
    ),
  };
}
