/** What is installed: list, look up, verify, remove. Reads the disk only; safe in the daemon. */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { type ModelCard, readCard } from '../manifest.ts';
import { type CatalogCard, findInCatalog } from './catalog.ts';
import { verifyList } from './hashing.ts';
import { changing, placesOf } from './layout.ts';

export type InstalledModel = {
  readonly name: string;
  readonly modelDir: string;
  /** Undefined where the card cannot be read; `trouble` says why. */
  readonly card: ModelCard | undefined;
  readonly trouble: Fault | undefined;
  readonly bytes: number;
};

function look(storeDir: string, name: string): InstalledModel {
  const modelDir = path.join(storeDir, name);
  let card: ModelCard | undefined;
  let trouble: Fault | undefined;
  try {
    card = readCard(modelDir);
    if (card === undefined) {
      trouble = new Fault(
        'MODEL_INVALID',
        `${modelDir} has no card.json`,
        `harkd models remove ${name}, then add it again`,
      );
    }
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    trouble = thrown;
  }
  const bytes = readdirSync(modelDir)
    .map((file) => statSync(path.join(modelDir, file)))
    .reduce((sum, { size }) => sum + size, 0);
  return { name, modelDir, card, trouble, bytes };
}

function namesIn(storeDir: string): readonly string[] {
  if (!existsSync(storeDir)) return [];
  return readdirSync(storeDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

/** Everything in the stores, by name; where two stores have the same name, the first one counts. */
export function listModels(storeDirs: readonly string[]): readonly InstalledModel[] {
  const found = new Map<string, InstalledModel>();
  for (const storeDir of storeDirs) {
    for (const name of namesIn(storeDir)) if (!found.has(name)) found.set(name, look(storeDir, name));
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The installed model that `word` means: its name, an alias in the catalogue, or the repository it came from. */
export function findInstalled(
  word: string,
  storeDirs: readonly string[],
  catalog: readonly CatalogCard[],
): InstalledModel | undefined {
  const models = listModels(storeDirs);
  const alias = findInCatalog(catalog, word)?.name;
  return (
    models.find(({ name }) => name === word) ??
    models.find(({ name }) => name === alias) ??
    models.find(({ card }) => card?.added?.repository?.toLowerCase() === word.toLowerCase())
  );
}

function missing(word: string, catalog: readonly CatalogCard[]): Fault {
  const known = findInCatalog(catalog, word);
  const onHub = known !== undefined || /^[\w.-]+\/[\w.-]+$/.test(word);
  return new Fault(
    'MODEL_MISSING',
    `no model ${JSON.stringify(word)} is installed`,
    onHub
      ? `harkd models add ${known?.name ?? word}`
      : 'harkd models list shows what there is; a folder is given by its path',
  );
}

/** Like `findInstalled`, but throws MODEL_MISSING with what to do about it. */
export function modelInfo(
  word: string,
  storeDirs: readonly string[],
  catalog: readonly CatalogCard[],
): InstalledModel {
  const model = findInstalled(word, storeDirs, catalog);
  if (model === undefined) throw missing(word, catalog);
  return model;
}

/**
 * The folder that `--model` or the key `model` means, other than `embedded`: an installed model by name or repository,
 * else the path of a folder with a config.json. Never fetches anything.
 * Throws MODEL_MISSING, with the command that would add it.
 */
export function findModelDir(
  word: string,
  storeDirs: readonly string[],
  catalog: readonly CatalogCard[],
): string {
  const model = findInstalled(word, storeDirs, catalog);
  if (model !== undefined) return model.modelDir;
  const modelDir = path.resolve(word);
  if (existsSync(path.join(modelDir, 'config.json'))) return modelDir;
  if (existsSync(modelDir)) {
    throw new Fault(
      'MODEL_MISSING',
      `${modelDir} has no config.json`,
      'give the folder of a Whisper in Hugging Face layout: config.json, model.safetensors, tokenizer.json',
    );
  }
  throw missing(word, catalog);
}

/** Hashes every file again. Throws MODEL_CHECKSUM_MISMATCH (file and both hashes), MODEL_MISSING, MODEL_INVALID. */
export async function verifyInstalled(
  model: InstalledModel,
  signal: AbortSignal,
  onBytes?: (doneBytes: number, totalBytes: number) => void,
): Promise<void> {
  if (model.card === undefined) throw model.trouble;
  await verifyList(model.modelDir, model.card.files, signal, onBytes);
}

/** Removes a model and whatever an unfinished `add` left of it. Throws STORE_BUSY, STORE_UNWRITABLE. */
export async function removeModel(model: InstalledModel): Promise<void> {
  const storeDir = path.dirname(model.modelDir);
  await changing(storeDir, model.name, () => {
    const { installed, incoming, outgoing } = placesOf(storeDir, model.name);
    // gone at once for whoever lists; what takes long comes after
    renameSync(installed, outgoing);
    rmSync(outgoing, { recursive: true, force: true });
    rmSync(incoming, { recursive: true, force: true });
  });
}
