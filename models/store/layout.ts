/**
 * Where installed models lie: <store>/<name>/ holds the files as the hub has them and card.json. Names that begin with
 * a dot are the store's own: locks, what is on its way in, what is on its way out.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { takeLock } from './lock.ts';
import { storageFault, unwritable } from './partial-file.ts';

/** Where the packaged daemon keeps its models: systemd's StateDirectory=harkd. */
const systemStoreDir = '/var/lib/harkd/models';

/**
 * The stores of this user, own one first. Root and the packaged daemon share the system's; everybody else has one of
 * their own and reads the system's too.
 */
export function storeDirs(
  environment: Readonly<Record<string, string | undefined>>,
  userId: number | undefined = process.getuid?.(),
): readonly [string, ...string[]] {
  const state = environment['STATE_DIRECTORY']?.split(':')[0];
  if (state !== undefined && state !== '') return [path.join(state, 'models')];
  if (userId === 0) return [systemStoreDir];
  const data = environment['XDG_DATA_HOME'] || path.join(environment['HOME'] || homedir(), '.local/share');
  return [path.join(data, 'harkd/models'), systemStoreDir];
}

/** Throws USAGE_INVALID unless `name` can be a folder's name and is not taken by harkd itself. */
export function checkName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) && name !== 'embedded') return;
  throw new Fault(
    'USAGE_INVALID',
    `${JSON.stringify(name)} cannot be the name of a model`,
    'use 1 to 64 letters, digits, dots, - and _, beginning with a letter or digit; "embedded" is taken',
  );
}

/** Folders of one model in one store. */
export function placesOf(storeDir: string, name: string) {
  return {
    installed: path.join(storeDir, name),
    incoming: path.join(storeDir, `.incoming-${name}`),
    outgoing: path.join(storeDir, `.outgoing-${name}`),
    lock: path.join(storeDir, `.lock-${name}`),
  };
}

function syncDir(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function makeStore(storeDir: string): void {
  try {
    mkdirSync(storeDir, { recursive: true });
  } catch (thrown) {
    const known = storageFault(thrown, storeDir);
    if (known instanceof Fault) throw known;
    // Node says ENOENT where a parent is read-only, so any failure counts
    throw unwritable(`${storeDir} cannot be made`, thrown);
  }
}

/**
 * Runs `change` as the only one who changes this model. Throws STORE_BUSY, STORE_UNWRITABLE, DISK_FULL, and what
 * `change` throws.
 */
export async function changing<T>(
  storeDir: string,
  name: string,
  change: () => T | Promise<T>,
): Promise<Awaited<T>> {
  try {
    makeStore(storeDir);
    const places = placesOf(storeDir, name);
    const letGo = takeLock(places.lock, name);
    try {
      // the power went between the two renames of `install`: the old model is still whole
      if (!existsSync(places.installed) && existsSync(places.outgoing)) {
        renameSync(places.outgoing, places.installed);
      }
      rmSync(places.outgoing, { recursive: true, force: true });
      return await change();
    } finally {
      letGo();
    }
  } catch (thrown) {
    throw storageFault(thrown, storeDir);
  }
}

/** Puts a complete folder in the place of the model, or of nothing. Only inside `changing`. */
export function install(storeDir: string, name: string, complete: string): void {
  const { installed, outgoing } = placesOf(storeDir, name);
  syncDir(complete);
  if (existsSync(installed)) renameSync(installed, outgoing);
  renameSync(complete, installed);
  syncDir(storeDir);
  rmSync(outgoing, { recursive: true, force: true });
}
