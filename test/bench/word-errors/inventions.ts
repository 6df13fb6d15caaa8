/** How many texts come of sounds in which nobody says anything. */
import { recognizeSegments } from './daemon-way.ts';
import type { Heard } from './heard.ts';
import {
  atLevel,
  babbleFrom,
  brownFrom,
  humFrom,
  knocksFrom,
  type NoiseSource,
  pinkFrom,
  tonesFrom,
  whiteFrom,
} from './noise.ts';

export type Inventions = {
  readonly sound: string;
  readonly minutes: number;
  /** Stretches that the detector took for speech. */
  readonly segments: number;
  /** Of those, how many the recognizer found words in, and how many of these were published. */
  readonly written: number;
  readonly published: number;
  readonly examples: readonly string[];
};

/** The one of these sounds that is speech, though nobody speaks to the device. */
export const babble = 'babble of six voices';

const sampleRateHz = 16_000;
/** One after the other, ten seconds each: a detector adapts to nothing, and a recognizer to no level. */
const levelsDbfs = [-50, -35, -20, -10];
const stretchSeconds = 10;
const mostExamples = 3;

/** The sounds, of `seed`; those of people talking are made of `speech`. */
export function soundsWithoutWords(
  seed: number,
  speech: readonly Float32Array[],
): Readonly<Record<string, NoiseSource>> {
  return {
    'digital silence': (length) => new Float32Array(length),
    'white noise': whiteFrom(seed),
    'pink noise': pinkFrom(seed + 1),
    'brown noise': brownFrom(seed + 2),
    'mains and motor hum': humFrom(seed + 3),
    'tones and sweeps': tonesFrom(seed + 4),
    'knocks and clatter': knocksFrom(seed + 5),
    ...(speech.length === 0 ? {} : { [babble]: babbleFrom(seed + 6, speech, 6) }),
  };
}

async function* stretches(generate: NoiseSource, minutes: number): AsyncGenerator<Float32Array> {
  const total = Math.round(minutes * 60 * sampleRateHz);
  const stretch = stretchSeconds * sampleRateHz;
  for (let at = 0; at < total; at += stretch) {
    const levelDbfs = levelsDbfs[(at / stretch) % levelsDbfs.length] as number;
    yield atLevel(generate(Math.min(stretch, total - at)), levelDbfs);
  }
}

/** Lets `minutes` of a sound through detector, segmenter and `hear`: what each segment became. */
export function hearSound(
  packageDir: string,
  generate: NoiseSource,
  minutes: number,
  hear: (samples: Float32Array) => Promise<Heard>,
): Promise<readonly Heard[]> {
  return recognizeSegments(packageDir, stretches(generate, minutes), hear);
}

/** What `minutes` of a sound came to, of which `heard` was taken for speech. */
export function countInventions(sound: string, minutes: number, heard: readonly Heard[]): Inventions {
  const published = heard.filter((one) => one.published);
  return {
    sound,
    minutes,
    segments: heard.length,
    written: heard.filter(({ text }) => text !== '').length,
    published: published.length,
    examples: published.slice(0, mostExamples).map(({ text }) => text),
  };
}
