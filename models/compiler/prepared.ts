/** The quick way to a compiled model: by what its card promises, without reading the weights it was made from. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { type ModelCard, readCard, verifyModel } from '../manifest.ts';
import { findOrCompile } from './compile.ts';
import {
  type CompiledModel,
  descriptionFile,
  type OpenedModel,
  openCompiled,
  readDescription,
} from './compiled.ts';
import { type CompileOptions, checkOptions, completeOptions } from './options.ts';
import { compilerVersion } from './version.ts';

/**
 * The compiled form of `modelDir`, from `cacheDirs` or compiled into the last of them. Where the model has a card,
 * the hashes in it tell whether a compiled model is the right one, so that a start reads 5 MB of graphs and not the
 * checkpoint too; and a checkpoint that has to be compiled is first held to its card. A `modelDir` that was compiled
 * itself, by `harkd models compile --output`, is taken as it is, whatever the formats its graphs are in.
 * Throws `Fault` as `findOrCompile` and `verifyModel` do.
 */
export function openPrepared(
  modelDir: string,
  cacheDirs: readonly string[],
  options: CompileOptions = {},
): OpenedModel {
  if (existsSync(path.join(modelDir, descriptionFile))) return openAsItIs(modelDir, options);
  const card = readCard(modelDir);
  if (card === undefined) return findOrCompile(modelDir, cacheDirs, options).model;
  checkOptions(options);
  const wanted = ({ shape }: CompiledModel) => JSON.stringify(completeOptions(options, shape.modelWidth));
  for (const dir of cacheDirs.flatMap((cacheDir) => [cacheDir, ...foldersIn(cacheDir)])) {
    const description = readDescription(dir);
    if (
      description?.compilerVersion === compilerVersion &&
      JSON.stringify(description.options) === wanted(description) &&
      isMadeFrom(description, card)
    ) {
      return openCompiled(dir);
    }
  }
  verifyModel(modelDir);
  return findOrCompile(modelDir, cacheDirs, options).model;
}

function openAsItIs(modelDir: string, { alignment }: CompileOptions): OpenedModel {
  const model = openCompiled(modelDir);
  if (model.compilerVersion !== compilerVersion) {
    throw new Fault(
      'MODEL_UNSUPPORTED',
      `${modelDir} was compiled by version ${model.compilerVersion} of the compiler, expected ${compilerVersion}`,
      'compile it again from the model it was made from: harkd models compile --output',
    );
  }
  if (alignment === true && model.options.alignment !== true) {
    throw new Fault(
      'MODEL_UNSUPPORTED',
      `the graphs in ${modelDir} do not tell when each word was said`,
      'for the times of words, give the model they were compiled from',
    );
  }
  return model;
}

/** Every file the card promises is the file the graphs were made from. (The card itself is among those, not in its own list.) */
function isMadeFrom({ sources }: CompiledModel, { files }: ModelCard): boolean {
  return Object.entries(files).every(([name, { sha256 }]) => sources[name]?.sha256 === sha256);
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => path.join(dir, name));
  } catch {
    return [];
  }
}
