/** What the tests of adding from a hub share: a model, a hub that serves it, and a store. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { addFromHub, type HubOptions } from '../../../models/store/add-from-hub.ts';
import type { Added } from '../../../models/store/admission.ts';
import { readHubAccess } from '../../../models/store/hub-access.ts';
import { type HubServer, type Listing, type Seen, serveHub } from '../../fixtures/hub-server.ts';
import { type RandomWhisperOptions, writeRandomWhisper } from '../../fixtures/random-whisper.ts';
import { temporaryDir } from '../../graph-files.ts';

/** In memory where there is such a place: the store syncs every file, which a busy disk takes its time for. */
function makeRoot(): string {
  if (!existsSync('/dev/shm')) return temporaryDir();
  const dir = mkdtempSync('/dev/shm/harkd-test-');
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const root = makeRoot();
export const forever = new AbortController().signal;
export const repository = 'someone/whisper-small-test';
export const name = 'whisper-small-test';
let made = 0;

/** The path of a folder that is not there yet. */
export const fresh = (): string => path.join(root, String(made++));
export const model = (options: RandomWhisperOptions = {}): string => writeRandomWhisper(fresh(), options);
export const plain = model();
export const weightsBytes = readFileSync(path.join(plain, 'model.safetensors')).length;

/** A hub for the length of one test. */
export async function withHub(folder: string, run: (hub: HubServer) => Promise<void>): Promise<void> {
  const hub = await serveHub(repository, folder);
  try {
    await run(hub);
  } finally {
    await hub.close();
  }
}

export type Wishes = Partial<HubOptions> & { readonly environment?: Record<string, string> };

export function optionsFor(
  hub: HubServer,
  storeDir: string,
  { environment, ...wishes }: Wishes = {},
): HubOptions {
  return {
    storeDir,
    catalog: [],
    signal: forever,
    access: readHubAccess({ HF_ENDPOINT: hub.endpoint, ...environment }),
    patience: { attempts: 4, firstMs: 1, mostMs: 4 },
    ...wishes,
  };
}

export const add = (hub: HubServer, storeDir: string, wishes: Wishes = {}): Promise<Added> =>
  addFromHub(repository, optionsFor(hub, storeDir, wishes));

export const isWeights = ({ path: url }: Seen) => url.includes('model.safetensors');
/** The weights themselves; the hub only says where they are. */
export const isBlob = (request: Seen) => isWeights(request) && request.place === 'elsewhere';

/** Nothing that a lister, or a reader of the disk, could take for a model. */
export function assertNothingIn(storeDir: string): void {
  const names = existsSync(storeDir) ? readdirSync(storeDir).filter((each) => !each.startsWith('.')) : [];
  assert.equal(names, []);
}

/** Lists the weights with another size than they have. */
export function resizeWeights(listing: Listing, bytes: number): Listing {
  for (const sibling of listing.siblings) {
    if (sibling.lfs !== undefined) sibling.size = sibling.lfs.size = bytes;
  }
  return listing;
}
