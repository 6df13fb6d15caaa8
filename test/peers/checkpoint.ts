/**
 * The checkpoint every peer runs: a published shape with random weights, but for its text positions. What the decoder
 * says at a position is written into the embedding of that position, so that any runtime that reads the weights right
 * says the same twenty tokens and then ends, by its own greedy search, with no rule of its own turned off.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageDir } from '../fixtures/daemon.ts';
import {
  publishedShapes,
  type RandomWhisperShape,
  type Tensor,
  writeRandomWhisper,
} from '../fixtures/random-whisper.ts';
import { randomFrom } from '../random.ts';

export type ShapeName = keyof typeof publishedShapes;

export const cacheDir = path.join(packageDir, '.cache/peers');
/** Of the files peers are given: raised whenever what writes them changes. harkd's own know their compiler. */
const filesVersion = 1;

/** Where the files of a shape lie. */
export const workDirOf = (shape: ShapeName): string => path.join(cacheDir, `${shape}-${filesVersion}`);

/** One token a character: the tokenizer of a random Whisper has the bytes first. */
export const script = 'turn on kitchen lamp';
export const scriptTokens: readonly number[] = [...Buffer.from(script)];

/** English models: after the pieces come <|endoftext|>, <|startoftranscript|>, 99 languages, six more, timestamps. */
export function specialTokens({ vocabularySize }: Pick<RandomWhisperShape, 'vocabularySize'>) {
  const endOfText = vocabularySize - 1608;
  const [translate, noTimestamps] = [endOfText + 101, endOfText + 106];
  return {
    endOfText,
    startOfTranscript: endOfText + 1,
    firstLanguage: endOfText + 2,
    translate,
    transcribe: translate + 1,
    noSpeech: translate + 4,
    noTimestamps,
  };
}

/** <|startoftranscript|><|notimestamps|>: what all peers feed an English-only model. */
export const promptTokens = 2;

/** Length of a text position that speaks. What goes through the layers has a length of about 50, in all directions. */
const loudness = 100;

function speak(tensors: Tensor[], shape: RandomWhisperShape): Tensor[] {
  const random = randomFrom(1);
  const words = [...scriptTokens, specialTokens(shape).endOfText];
  const spread = Math.sqrt(3 / shape.width);
  const rows = new Map(
    words.map((token) => [token, Array.from({ length: shape.width }, () => spread * (2 * random() - 1))]),
  );
  const place = (entries: readonly (readonly [row: number, token: number])[], scale: number) =>
    new Map(
      entries.flatMap(([row, token]) =>
        (rows.get(token) ?? []).map((value, i) => [row * shape.width + i, scale * value] as const),
      ),
    );
  const embedding = place(
    [...rows.keys()].map((token) => [token, token]),
    1,
  );
  const positions = place(
    words.map((token, i) => [promptTokens - 1 + i, token]),
    loudness,
  );
  return tensors.map((tensor) => {
    if (tensor.name === 'model.decoder.embed_tokens.weight') return { ...tensor, fixed: embedding };
    if (tensor.name === 'model.decoder.embed_positions.weight') return { ...tensor, fixed: positions };
    return tensor;
  });
}

/** Writes the checkpoint to `dir` unless it is there. */
export function writeCheckpoint(dir: string, shape: RandomWhisperShape): void {
  // last, so that half a checkpoint is not taken for one
  const whole = path.join(dir, 'whole');
  if (existsSync(whole)) return;
  writeRandomWhisper(dir, { shape, alter: (tensors) => speak(tensors, shape) });
  writeFileSync(whole, '');
}

/** Writes the checkpoint of a published shape unless it is there; returns its folder. */
export function writeCheckpointOf(shape: ShapeName): string {
  const dir = path.join(workDirOf(shape), 'checkpoint');
  mkdirSync(dir, { recursive: true });
  writeCheckpoint(dir, publishedShapes[shape]);
  return dir;
}
