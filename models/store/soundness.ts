/** Is a folder a model harkd can run? Asked before anything is installed, so that a daemon never has to find out. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { Fault } from '../../daemon/faults.ts';
import { readArchitecture } from '../compiler/architecture.ts';
import { openSafetensors } from '../compiler/safetensors.ts';
import { readLanguages } from '../whisper/languages.ts';
import { readTokenizer } from '../whisper/tokenizer.ts';

export type Soundness = {
  readonly parameters: number;
  /** Codes the tokenizer and the configuration know. */
  readonly languages: readonly string[];
};

/**
 * Reads everything in `modelDir` once. Throws `Fault`: MODEL_MISSING (a file), MODEL_UNSUPPORTED (another
 * architecture), MODEL_INVALID (a tensor is missing, of the wrong shape, cut off or not finite; a tokenizer of another
 * vocabulary). `onProgress` hears how many values were looked at, and of how many.
 */
export async function requireSound(
  modelDir: string,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<Soundness> {
  const architecture = readArchitecture(modelDir);
  const tensors = openSafetensors(modelDir);
  const sizeOf = (name: string) => (tensors.dims(name) ?? []).reduce((product, dim) => product * dim, 1);
  const parameters = tensors.names.reduce((sum, name) => sum + sizeOf(name), 0);
  let done = 0;
  for (const name of tensors.names) {
    signal.throwIfAborted();
    const index = tensors.findNonFinite(name);
    if (index !== undefined) {
      throw new Fault(
        'MODEL_INVALID',
        `tensor ${name} holds NaN or infinity (value ${index})`,
        'the model was damaged in training or conversion: take another',
      );
    }
    done += sizeOf(name);
    onProgress(done, parameters);
    // reading is synchronous: let Ctrl-C through
    await breathe();
  }
  const { special } = readTokenizer(
    readFileSync(path.join(modelDir, 'tokenizer.json'), 'utf8'),
    architecture.shape.vocabularySize,
  );
  const generationFile = path.join(modelDir, 'generation_config.json');
  const generation = existsSync(generationFile) ? JSON.parse(readFileSync(generationFile, 'utf8')) : {};
  return { parameters, languages: readLanguages(generation, special, architecture.shape).codes };
}
