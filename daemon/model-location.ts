/** Where a model lies, and where its compiled graphs lie or may be written. */
import { homedir } from 'node:os';
import path from 'node:path';
import { readCatalog } from '../models/store/catalog.ts';
import { findModelDir, listModels } from '../models/store/installed.ts';
import { storeDirs } from '../models/store/layout.ts';

export type ModelLocation = {
  readonly modelDir: string;
  /** Looked through in this order; the last one is writable. */
  readonly cacheDirs: readonly string[];
};

/**
 * `model`: "embedded", the name of an installed model, or a folder with config.json, model.safetensors and tokenizer
 * files. Nothing is ever fetched here. Throws MODEL_MISSING, with the command that would add what is missing.
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
  const catalog = readCatalog(path.join(packageDir, 'models/catalog'));
  const modelDir = findModelDir(model, storeDirs(environment), catalog);
  return { modelDir, cacheDirs: [userCacheDir] };
}

/** The models that can be named: `embedded`, and those installed of which the card can be read. */
export function modelNames(environment: NodeJS.ProcessEnv): readonly string[] {
  const installed = listModels(storeDirs(environment)).filter(({ trouble }) => trouble === undefined);
  return ['embedded', ...installed.map(({ name }) => name)];
}
