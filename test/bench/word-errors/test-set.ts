/** The sounds that are tried: every sentence in its voice, as it is and in noise. */
import type { Heard, Trial } from './heard.ts';
import { babbleFrom, mix, type NoiseSource, pinkFrom, whiteFrom } from './noise.ts';
import { writeSentences } from './sentences.ts';
import type { OpenedVariant } from './variants.ts';
import { say, silenceSamples, type Utterance, voices } from './voices.ts';

/** Signal-to-noise ratios in dB. */
export const snrsDb: readonly number[] = [20, 10, 5, 0];

const noises = [
  { kind: 'white noise', from: whiteFrom },
  { kind: 'pink noise', from: pinkFrom },
  {
    kind: 'babble',
    from: (seed: number, others: readonly Float32Array[]) => babbleFrom(seed, others, 4),
  },
] as const satisfies readonly {
  kind: string;
  from: (seed: number, others: readonly Float32Array[]) => NoiseSource;
}[];

export const noiseKinds: readonly string[] = noises.map(({ kind }) => kind);

/**
 * `count` sentences, those left out whose engine has no version. Which sentence, voice and pace come at which place
 * does not depend on what is installed.
 */
export async function speak(
  count: number,
  seed: number,
  versions: Readonly<Record<string, string>>,
  cacheDir: string,
  onProgress: (done: number) => void,
): Promise<readonly Utterance[]> {
  const said: Utterance[] = [];
  for (const [i, text] of writeSentences(count, seed).entries()) {
    const voice = voices[i % voices.length];
    const version = versions[voice?.engine.name ?? ''];
    if (voice === undefined || version === undefined) continue;
    said.push(await say(text, voice, version, seed + i, cacheDir));
    onProgress(i + 1);
  }
  return said;
}

export type NoisySound = { readonly samples: Float32Array; readonly noise: Trial['noise'] };

/** The utterance at `index` as it is and at each signal-to-noise ratio, with another kind of noise at each. */
export function* soundsOf(
  utterances: readonly Pick<Utterance, 'samples'>[],
  index: number,
  seed: number,
): Generator<NoisySound> {
  const { samples } = utterances[index] as Utterance;
  yield { samples, noise: undefined };
  const others = utterances.map((other) => other.samples).toSpliced(index, 1);
  for (const [at, snrDb] of snrsDb.entries()) {
    const { kind, from } = noises[(index + at) % noises.length] as (typeof noises)[number];
    const noise = from(seed + snrsDb.length * index + at, others)(samples.length);
    yield { samples: mix(samples, noise, snrDb, silenceSamples), noise: { kind, snrDb } };
  }
}

/** Lets every variant hear every sound, one after the other. */
export async function tryAll(
  utterances: readonly Utterance[],
  variants: readonly OpenedVariant[],
  seed: number,
  listen: (variant: OpenedVariant, samples: Float32Array) => Promise<Heard>,
  onProgress: (done: number) => void,
): Promise<readonly Trial[]> {
  const trials: Trial[] = [];
  for (const [i, { text, voice, heardInTraining }] of utterances.entries()) {
    for (const { samples, noise } of soundsOf(utterances, i, seed)) {
      const heard: Record<string, Heard> = {};
      for (const variant of variants) heard[variant.name] = await listen(variant, samples);
      trials.push({ utterance: i, text, voice, heardInTraining, noise, heard });
    }
    onProgress(i + 1);
  }
  return trials;
}
