/** Takes a model in from a Hugging Face hub: one commit, every file against the hash the hub lists for it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Fault, type FaultCode } from '../../daemon/faults.ts';
import { checkDescription } from '../compiler/architecture.ts';
import type { FileRecord } from '../files.ts';
import {
  type Added,
  type AddOptions,
  admit,
  isWhole,
  megabytes,
  requireSameOrigin,
  requireSpace,
} from './admission.ts';
import { findInCatalog } from './catalog.ts';
import { type DownloadOptions, download, encodePath } from './download.ts';
import { type Hub, openHub } from './hub.ts';
import type { HubAccess } from './hub-access.ts';
import { changing, checkName, placesOf } from './layout.ts';
import {
  chooseFiles,
  chooseShards,
  type HubFile,
  type HubListing,
  readListing,
  weightsIndex,
} from './listing.ts';
import { storageFault } from './partial-file.ts';
import { PassingTrouble, type Patience, patiently, usualPatience } from './patience.ts';

export type HubOptions = AddOptions & {
  readonly access: HubAccess;
  /** A branch, a tag or a commit. */
  readonly revision?: string | undefined;
  readonly patience?: Patience;
  readonly stallMs?: number;
};

/** Lists have some kilobytes, tokenizers some megabytes. */
const maxSmallBytes = 64 << 20;

/** Throws USAGE_INVALID: these become parts of an address. */
function checkRequest(repository: string, revision: string): void {
  if (!/^[\w-][\w.-]{0,95}\/[\w-][\w.-]{0,95}$/.test(repository)) {
    throw new Fault(
      'USAGE_INVALID',
      `${JSON.stringify(repository)} is neither a model of the catalogue nor a repository nor a folder`,
      'expected a name from harkd models list, owner/name on the hub, or a path such as ./my-whisper',
    );
  }
  if (!/^\w[\w./-]{0,199}$/.test(revision)) {
    throw new Fault(
      'USAGE_INVALID',
      `${JSON.stringify(revision)} is no revision`,
      'expected a branch, a tag or a commit',
    );
  }
}

async function readText(hub: Hub, route: string, signal: AbortSignal): Promise<string> {
  const answer = await hub.get(route, {}, signal);
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maxSmallBytes) {
        throw new Fault(
          'HUB_ANSWER_INVALID',
          `the hub's list of files is longer than ${megabytes(maxSmallBytes)}`,
          'check HF_ENDPOINT',
        );
      }
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    await answer.discard();
  }
}

const sumOf = (files: readonly HubFile[]): number => files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** What an earlier attempt has left of these files. */
function bytesHere(dir: string, files: readonly HubFile[]): number {
  return files.reduce((sum, { path: name, sizeBytes }) => {
    const found = [name, `${name}.part`]
      .map((each) => statSync(path.join(dir, each), { throwIfNoEntry: false }))
      .find((each) => each !== undefined);
    return sum + Math.min(sizeBytes, found?.size ?? 0);
  }, 0);
}

type Fetch = Omit<DownloadOptions, 'onBytes'>;

/** Small files first and looked at, before hundreds of megabytes are asked for. */
async function fetchModel(
  listing: HubListing,
  fetch: Fetch,
  onProgress: AddOptions['onProgress'],
): Promise<Record<string, FileRecord>> {
  const { small, weights } = chooseFiles(fetch.repository, listing);
  const tooLarge = small.find(({ sizeBytes }) => sizeBytes > maxSmallBytes);
  if (tooLarge !== undefined) {
    throw new Fault(
      'MODEL_INVALID',
      `${tooLarge.path} has ${megabytes(tooLarge.sizeBytes)}, expected ${megabytes(maxSmallBytes)} at most`,
      'tell those who published the model',
    );
  }
  const records: Record<string, FileRecord> = {};
  let before = 0;
  const take = async (files: readonly HubFile[], totalBytes: number): Promise<void> => {
    await requireSpace(fetch.dir, sumOf(files) - bytesHere(fetch.dir, files));
    for (const file of files) {
      const onBytes = (bytes: number) =>
        onProgress?.({ phase: 'fetch', file: file.path, doneBytes: before + bytes, totalBytes });
      records[file.path] = await download(file, { ...fetch, onBytes });
      before += file.sizeBytes;
    }
  };
  // with one file of weights all sizes are known: a disk too small is found out before the first byte
  if (weights !== undefined) {
    const all = [...small, ...weights];
    await requireSpace(fetch.dir, sumOf(all) - bytesHere(fetch.dir, all));
  }
  await take(small, sumOf([...small, ...(weights ?? [])]));
  checkDescription(fetch.dir);
  const large = weights ?? chooseShards(readFileSync(path.join(fetch.dir, weightsIndex), 'utf8'), listing);
  await take(large, before + sumOf(large));
  return records;
}

/**
 * After these nothing is kept to go on from: the model will not get better, and room for the rest of the machine is
 * worth more than a second start.
 */
const hopeless: ReadonlySet<FaultCode> = new Set(['MODEL_INVALID', 'MODEL_UNSUPPORTED', 'DISK_FULL']);

/** The folder for this commit; what was begun for another is removed. */
function prepareIncoming(incoming: string, commit: string): string {
  if (existsSync(incoming)) {
    for (const other of readdirSync(incoming)) {
      if (other !== commit) rmSync(path.join(incoming, other), { recursive: true, force: true });
    }
  }
  const dir = path.join(incoming, commit);
  mkdirSync(dir, { recursive: true });
  return dir;
}

async function addWith(hub: Hub, repository: string, name: string, options: HubOptions): Promise<Added> {
  const { storeDir, catalog, signal, revision = 'main', patience = usualPatience } = options;
  const { installed, incoming } = placesOf(storeDir, name);
  const card = requireSameOrigin(storeDir, name, repository);
  const route = `/api/models/${encodePath(repository)}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const onWait = ({ message }: PassingTrouble, waitMs: number) =>
    options.onProgress?.({ phase: 'wait', reason: message, waitMs });
  const text = await patiently(() => readText(hub, route, signal), { patience, signal, onWait });
  const listing = readListing(text);
  const { commit, licence } = listing;
  if (card?.added?.commit === commit && (await isWhole(installed, card.files, signal))) {
    return { name, modelDir: installed, card, unchanged: true };
  }
  const dir = prepareIncoming(incoming, commit);
  try {
    const files = await fetchModel(
      listing,
      { hub, repository, commit, dir, patience, signal, onWait },
      options.onProgress,
    );
    const origin = { at: new Date().toISOString(), from: hub.endpoint, repository, revision, commit };
    const known = catalog.find((each) => each.repository === repository);
    return await admit({ name, dir, files, origin, known, licence }, options);
  } catch (thrown) {
    const trouble = storageFault(thrown, dir);
    if (trouble instanceof Fault && hopeless.has(trouble.code))
      rmSync(incoming, { recursive: true, force: true });
    throw trouble;
  }
}

/**
 * Installs `word`, a name of the catalogue or owner/name, at the commit its revision is now. Interrupted, it goes on
 * where it stopped when called again. Nothing else of harkd uses the network.
 *
 * Throws `Fault`: USAGE_INVALID, HUB_UNREACHABLE, HUB_REFUSED, HUB_ANSWER_INVALID, MODEL_MISSING (no such repository),
 * MODEL_UNSUPPORTED, MODEL_INVALID, MODEL_CHECKSUM_MISMATCH, DISK_FULL, STORE_BUSY, STORE_UNWRITABLE; or the reason
 * of `signal`.
 */
export async function addFromHub(word: string, options: HubOptions): Promise<Added> {
  const known = findInCatalog(options.catalog, word);
  const repository = known?.repository ?? word;
  checkRequest(repository, options.revision ?? 'main');
  const name = options.name ?? known?.name ?? path.posix.basename(repository);
  checkName(name);
  const hub = openHub(options.access, options.stallMs);
  try {
    return await changing(options.storeDir, name, () => addWith(hub, repository, name, options));
  } catch (thrown) {
    if (!(thrown instanceof PassingTrouble)) throw thrown;
    throw new Fault(
      'HUB_UNREACHABLE',
      thrown.message,
      'check the network, HTTPS_PROXY and HF_ENDPOINT; the same command goes on where this one stopped',
      { cause: thrown },
    );
  } finally {
    await hub.close();
  }
}
