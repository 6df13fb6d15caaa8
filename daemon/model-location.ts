/** Where a model lies, and where its compiled graphs lie or may be written. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { Fault } from './faults.ts';

export type ModelLocation = {
  readonly modelDir: string;
  /** Looked through in this order; the last one is writable. */
  readonly cacheDirs: readonly string[];
};

/**
 * `model`: "embedded", or a folder with config.json, model.safetensors and tokenizer files.
 * Throws MODEL_MISSING where there is no such folder.
 */
export function locateModel(
  model: string,
  packageDir: string,
  environment: NodeJS.ProcessEnv,
): ModelLocation {
  const userCacheDir = path.join(
    // systemd sets CACHE_DIRECTORY for units with CacheDirectory=
    environment['CACHE_DIRECTORY'] ??
      path.join(environment['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'harkd'),
    'models',
  );
  if (model === 'embedded') {
    const builtDir = path.join(packageDir, 'dist/models/embedded');
    return { modelDir: path.join(packageDir, 'models/embedded'), cacheDirs: [builtDir, userCacheDir] };
  }
  const modelDir = path.resolve(model);
  if (!existsSync(path.join(modelDir, 'config.json'))) {
    throw new Fault(
      'MODEL_MISSING',
      `no model at ${modelDir}: expected config.json, model.safetensors and tokenizer.json there`,
      'use `embedded`, or give the folder of a Whisper checkpoint as it lies on the Hugging Face hub',
    );
  }
  return { modelDir, cacheDirs: [userCacheDir] };
}
