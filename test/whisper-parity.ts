/**
 * harkd against PyTorch on random checkpoints of published shapes: test/golden/whisper-parity/reference.py makes the
 * vectors from the very files written here. Widths, heads, mels and vocabularies are the published ones; fewer layers
 * where a name says so.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  publishedShapes,
  type RandomWhisperOptions,
  smallestShape,
  writeRandomWhisper,
} from './fixtures/random-whisper.ts';
import { readGolden } from './golden.ts';
import { encode, floats, openFused, TeacherForced } from './whisper-graphs.ts';

const few = { encoderLayers: 2, decoderLayers: 2 };

/** Those with `quick` belong to `npm test`, all to `npm run test:parity`. */
export const parityModels = {
  smallest: { quick: true, seed: 1, shape: smallestShape },
  'smallest, 128 mels, untied': {
    quick: true,
    seed: 2,
    shape: { ...smallestShape, melBins: 128, encoderLayers: 2 },
    untied: true,
    precision: 'F16',
  },
  'tiny.en, 1 + 1 layers': {
    seed: 3,
    shape: { ...publishedShapes['tiny.en'], encoderLayers: 1, decoderLayers: 1 },
    precision: 'BF16',
  },
  'tiny.en': { seed: 4, shape: publishedShapes['tiny.en'] },
  tiny: { seed: 5, shape: publishedShapes.tiny, precision: 'F16' },
  base: { seed: 6, shape: publishedShapes.base, precision: 'BF16' },
  'distil-small.en': { seed: 7, shape: publishedShapes['distil-small.en'], precision: 'F16' },
  'large-v3, 2 + 2 layers': {
    seed: 8,
    shape: { ...publishedShapes['large-v3'], ...few },
    precision: 'F16',
  },
} as const satisfies Record<string, RandomWhisperOptions & { readonly quick?: true }>;
export type ParityModel = keyof typeof parityModels;

/** Sampled tokens, the first after the prompt. */
const tokenCount = 6;
const promptTokens = 3;
/** Logits of a row that are written down, spread over the vocabulary. */
const sampledLogits = 96;

type Row = {
  readonly sampled: readonly number[];
  readonly top: readonly [number, number];
  readonly sum: number;
  readonly squares: number;
};
export type Vectors = {
  readonly tokens: readonly number[];
  readonly rows: readonly Row[];
  /** [4, 16] corner of the encoder's output */
  readonly hidden: readonly number[];
};

export function readVectors(): Readonly<Record<string, Vectors>> {
  const file = path.join(import.meta.dirname, '../../test/golden/whisper-parity/vectors.json');
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** A second and a bit of speech, so that the smallest model takes it too. */
function sound(): Float32Array {
  const [first] = readGolden();
  if (first === undefined) throw new Error('there is no golden utterance');
  return first.samples.slice(0, 320 * 60);
}

const strideOf = (vocabularySize: number): number => Math.floor(vocabularySize / sampledLogits);
/** Any tokens will do: the weights know no language. */
const promptOf = (vocabularySize: number): number[] =>
  Array.from({ length: promptTokens }, (_, i) => Math.floor(vocabularySize / (i + 2)));

export function writeParityModel(name: ParityModel, dir: string): string {
  const { shape } = parityModels[name];
  mkdirSync(dir, { recursive: true });
  writeRandomWhisper(dir, parityModels[name]);
  writeFileSync(path.join(dir, 'sound.f32'), new Uint8Array(sound().buffer));
  const { vocabularySize } = shape;
  const recipe = {
    prompt: promptOf(vocabularySize),
    tokens: tokenCount,
    every: strideOf(vocabularySize),
  };
  writeFileSync(path.join(dir, 'recipe.json'), JSON.stringify(recipe));
  return dir;
}

export type Parity = {
  /** Chosen by the graph at each step, fed with the reference's tokens. */
  readonly tokens: readonly number[];
  readonly hiddenDifference: number;
  /** Over the sampled logits and the two highest of every row. */
  readonly logitDifference: number;
  /** Of the sum and the sum of squares of a row's logits, for each of them. */
  readonly meanDifference: number;
};

/** Compiles the model in `dir` to float32 and compares what it makes of the sound with the reference's vectors. */
export async function measureParity(modelDir: string, dir: string, want: Vectors): Promise<Parity> {
  const sessions = await openFused(modelDir, dir, { weights: 'fp32', inspect: true });
  const { vocabularySize, modelWidth } = sessions.arch.shape;
  const { cross, outputs } = await encode(sessions, sound());
  const hidden = floats(outputs['hidden']);
  let hiddenDifference = 0;
  for (const [i, value] of want.hidden.entries()) {
    const got = hidden[Math.floor(i / 16) * modelWidth + (i % 16)] as number;
    hiddenDifference = Math.max(hiddenDifference, Math.abs(got - value));
  }
  const decoder = new TeacherForced(sessions, cross, 32);
  const tokens: number[] = [];
  let logitDifference = 0;
  let meanDifference = 0;
  for (const [step, { sampled, top, sum, squares }] of want.rows.entries()) {
    const fed = step === 0 ? promptOf(vocabularySize) : [want.tokens[step - 1] as number];
    const { token, logits } = await decoder.step(fed, [fed.length - 1], step === 0 ? 0 : 1);
    tokens.push(token);
    const allowed = logits.filter((value) => value !== Number.NEGATIVE_INFINITY);
    const highest = allowed.toSorted().reverse();
    const pairs: [number, number][] = top.map((value, i) => [highest[i] as number, value]);
    for (const [i, value] of sampled.entries()) {
      const got = logits[i * strideOf(vocabularySize)] as number;
      if (got !== Number.NEGATIVE_INFINITY) pairs.push([got, value]);
    }
    for (const [got, value] of pairs) {
      const difference = Math.abs(got - value);
      logitDifference = Math.max(difference, logitDifference);
    }
    const sums = [
      allowed.reduce((total, value) => total + value, 0) - sum,
      allowed.reduce((total, value) => total + value * value, 0) - squares,
    ];
    meanDifference = Math.max(meanDifference, ...sums.map((value) => Math.abs(value) / allowed.length));
  }
  await Promise.all([sessions.encoder.close(), sessions.decoder.close()]);
  return { tokens, hiddenDifference, logitDifference, meanDifference };
}
