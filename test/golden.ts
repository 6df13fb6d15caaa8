/**
 * The golden vectors of the embedded model: ten utterances and what an independent PyTorch implementation of
 * Whisper (not this project's code, nor its runtime) makes of them in float32.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const repositoryDir = path.join(import.meta.dirname, '../..');
export const embeddedModelDir = path.join(repositoryDir, 'models/embedded');
const goldenDir = path.join(repositoryDir, 'test/golden/nano');

export type GoldenUtterance = {
  readonly name: string;
  /** Mono 16 kHz, cut to a multiple of 320. */
  readonly samples: Float32Array;
  readonly melFrames: number;
  readonly encoderFrames: number;
  /** Greedy tokens without the prompt and without the end token. */
  readonly tokens: readonly number[];
  readonly text: string;
  readonly avgLogProb: number;
  readonly steps: number;
  /** float32 [80, melFrames] */
  readonly logMel: Float32Array;
  /** float32 [4, 192]: the first four frames of the encoder's output */
  readonly encoder4: Float32Array;
  /** float32 [steps, 1000] before suppression, one row for each token sampled, the end token included */
  readonly logits: Float32Array;
};

type GoldenEntry = Omit<GoldenUtterance, 'name' | 'samples' | 'logMel' | 'encoder4' | 'logits'> & {
  readonly wav: string;
  readonly samples: number;
};

function readFloats(file: string): Float32Array {
  const bytes = readFileSync(path.join(goldenDir, file));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Samples of a 16-bit mono WAV in [-1, 1]; test fixtures only, so the chunk is found by its name. */
function readSamples(file: string): Float32Array {
  const bytes = readFileSync(path.join(goldenDir, file));
  const data = bytes.indexOf('data', 12, 'latin1');
  const count = Math.floor(bytes.readUInt32LE(data + 4) / 2);
  return Float32Array.from({ length: count }, (_, i) => bytes.readInt16LE(data + 8 + 2 * i) / 32_768);
}

export function readGolden(): GoldenUtterance[] {
  const entries = JSON.parse(readFileSync(path.join(goldenDir, 'golden.json'), 'utf8')) as GoldenEntry[];
  return entries.map((entry) => {
    const name = entry.wav.replace('.wav', '');
    return {
      ...entry,
      name,
      samples: readSamples(entry.wav).subarray(0, entry.samples),
      logMel: readFloats(`${name}.logmel.f32`),
      encoder4: readFloats(`${name}.encoder4.f32`),
      logits: readFloats(`${name}.logits.f32`),
    };
  });
}

/** The largest absolute difference; NaN and a different length count as infinitely far. */
export function largestDifference(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs((got[i] as number) - (want[i] as number));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}
