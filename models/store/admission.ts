/**
 * What every way into the store has in common. Whatever goes wrong, nothing half-finished gets a name, and a model that
 * was there before stays as it was.
 */
import { existsSync } from 'node:fs';
import { rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import type { FileList } from '../files.ts';
import { type ModelCard, type Origin, readCard } from '../manifest.ts';
import type { CatalogCard } from './catalog.ts';
import { verifyList } from './hashing.ts';
import { install, placesOf } from './layout.ts';
import { requireSound } from './soundness.ts';

export type AddProgress =
  | {
      readonly phase: 'fetch';
      readonly file: string;
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  /** The way to the hub is interrupted; it is tried again after this. */
  | { readonly phase: 'wait'; readonly reason: string; readonly waitMs: number }
  /** Values of the weights looked at, of all. */
  | { readonly phase: 'check'; readonly done: number; readonly total: number };

export type AddOptions = {
  readonly storeDir: string;
  readonly catalog: readonly CatalogCard[];
  /** What to call it; else the catalogue's name, or the last part of the repository or path. */
  readonly name?: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: AddProgress) => void) | undefined;
};

export type Added = {
  readonly name: string;
  readonly modelDir: string;
  readonly card: ModelCard;
  /** It was there before: the same commit, every file with the hash its card says. */
  readonly unchanged: boolean;
};

/** What a file system wants for itself. */
const marginBytes = 16 << 20;

export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}

/** Throws DISK_FULL unless `neededBytes` more fit into the file system of `dir`. */
export async function requireSpace(dir: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes + marginBytes) return;
  throw new Fault(
    'DISK_FULL',
    `the model takes ${megabytes(neededBytes)} more, ${dir} has ${megabytes(freeBytes)} left`,
    'make room (harkd models remove), choose another place with --store, or take a smaller model',
  );
}

/**
 * The card of the model of this name, if there is one that can be read. Throws USAGE_INVALID where it came from
 * somewhere else than `from`: one name, one origin.
 */
export function requireSameOrigin(storeDir: string, name: string, from: string): ModelCard | undefined {
  let card: ModelCard | undefined;
  try {
    card = readCard(placesOf(storeDir, name).installed);
  } catch {
    // damaged: adding it again is the cure
    return undefined;
  }
  const origin = card?.added?.repository ?? card?.added?.from;
  if (origin === undefined || origin === from) return card;
  throw new Fault(
    'USAGE_INVALID',
    `"${name}" is installed already, from ${origin}`,
    `choose another name with --as, or: harkd models remove ${name}`,
  );
}

/** Whether what is installed is whole. Throws only the reason of `signal`. */
export async function isWhole(modelDir: string, files: FileList, signal: AbortSignal): Promise<boolean> {
  try {
    await verifyList(modelDir, files, signal);
    return true;
  } catch (thrown) {
    if (thrown instanceof Fault) return false;
    throw thrown;
  }
}

export type Candidate = {
  readonly name: string;
  /** Complete, inside the store, not yet under its name. */
  readonly dir: string;
  readonly files: FileList;
  readonly origin: Origin;
  readonly known: CatalogCard | undefined;
  readonly licence: string | undefined;
  /** The card that came with it, and fits its files. */
  readonly own?: ModelCard | undefined;
};

function makeCard(candidate: Candidate, parameters: number, languages: readonly string[]): ModelCard {
  const { name, files, origin, known, licence, own } = candidate;
  return {
    name,
    version: origin.commit ?? origin.at,
    description: own?.description ?? `Whisper from ${origin.repository ?? origin.from}`,
    licence: licence ?? own?.licence ?? known?.licence ?? 'unknown',
    // a distilled model keeps the tokenizer of its teacher and with it languages it has forgotten
    languages:
      own?.languages ??
      (known === undefined || typeof known.languages === 'number' ? languages : known.languages),
    parameters,
    files,
    ...(own?.segment === undefined ? {} : { segment: own.segment }),
    ...(own?.decoding === undefined ? {} : { decoding: own.decoding }),
    wer: own?.wer ?? [],
    measured: own?.measured ?? [],
    notFor: own?.notFor ?? [],
    added: origin,
  };
}

/**
 * Looks at every weight, writes the card and puts the candidate in its place.
 * Throws MODEL_INVALID, MODEL_UNSUPPORTED. Only inside `changing`.
 */
export async function admit(candidate: Candidate, options: AddOptions): Promise<Added> {
  const { name, dir } = candidate;
  const { storeDir, signal, onProgress } = options;
  const { parameters, languages } = await requireSound(dir, signal, (done, total) =>
    onProgress?.({ phase: 'check', done, total }),
  );
  const card = makeCard(candidate, parameters, languages);
  await writeFile(path.join(dir, 'card.json'), `${JSON.stringify(card, undefined, 2)}\n`, { flush: true });
  install(storeDir, name, dir);
  const { installed, incoming } = placesOf(storeDir, name);
  if (existsSync(incoming)) await rm(incoming, { recursive: true, force: true });
  return { name, modelDir: installed, card, unchanged: false };
}
