/** The directory a model is compiled into: written under another name, then put in its place whole. */
import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import type { FileRecord } from '../files.ts';

/** A compilation still running after this long was interrupted; what it left is removed. */
const staleAfterMs = 3_600_000;
/** Others write to the disk as well. */
const spareBytes = 10_000_000;

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
const codeOf = (thrown: unknown): string | undefined => (thrown as NodeJS.ErrnoException | undefined)?.code;

/** The fault for what the file system said; anything else as it is. */
function outputFault(outDir: string, thrown: unknown): unknown {
  const code = codeOf(thrown);
  if (thrown instanceof Fault || code === undefined) return thrown;
  const said = (thrown as Error).message;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Fault('DISK_FULL', `no room for the compiled model at ${outDir}: ${said}`, makeRoom, {
      cause: thrown,
    });
  }
  return new Fault(
    'MODEL_CACHE_UNWRITABLE',
    `cannot write a compiled model to ${outDir}: ${said}`,
    'make the directory writable for the user harkd runs as, or set CACHE_DIRECTORY to one that is',
    { cause: thrown },
  );
}

const makeRoom = 'make room (harkd models remove), or set CACHE_DIRECTORY to a larger file system';

/** Throws `Fault` DISK_FULL unless `bytes` fit beside `outDir`. */
function requireRoom(outDir: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(path.dirname(outDir));
  const freeBytes = bavail * bsize;
  if (freeBytes >= bytes + spareBytes) return;
  const message = `the compiled model takes ${megabytes(bytes)}, ${path.dirname(outDir)} has ${megabytes(freeBytes)} left`;
  throw new Fault('DISK_FULL', message, makeRoom);
}

const partialPrefix = (outDir: string): string => `${path.basename(outDir)}.partial-`;

/** Whether somebody is writing what will take the place of `outDir`, or was interrupted at it. */
export function isBeingWritten(outDir: string): boolean {
  try {
    return readdirSync(path.dirname(outDir)).some((name) => name.startsWith(partialPrefix(outDir)));
  } catch {
    return false;
  }
}

function removeStale(outDir: string): void {
  const parent = path.dirname(outDir);
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(partialPrefix(outDir))) continue;
    const dir = path.join(parent, name);
    // another compilation may be removing it at this moment
    const { mtimeMs } = statSync(dir, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > staleAfterMs) rmSync(dir, { recursive: true, force: true });
  }
}

function makePartialDir(outDir: string): string {
  mkdirSync(path.dirname(outDir), { recursive: true });
  removeStale(outDir);
  const partialDir = `${outDir}.partial-${randomUUID()}`;
  // not mkdtemp, whose 0700 would hide a packaged model from the user the daemon runs as
  mkdirSync(partialDir);
  return partialDir;
}

/** Somebody else put a directory there, or took it away, between our looking and our renaming. */
const raced = new Set(['ENOENT', 'EEXIST', 'ENOTEMPTY']);
/** Each lost race means that another compiler finished; more than a few at once there are not. */
const mostRaces = 20;

function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (thrown) {
    if (raced.has(codeOf(thrown) ?? '')) return false;
    throw thrown;
  }
}

/**
 * Puts `partialDir` in the place of `outDir`; nobody sees a half-written model under its name. Where another compiler
 * was faster and what it made will do, that is left in peace: somebody may be opening it.
 */
function replaceDir(partialDir: string, outDir: string, willDo: () => boolean): void {
  const oldDir = `${partialDir}.old`;
  try {
    for (let race = 0; race < mostRaces; race++) {
      if (renamed(partialDir, outDir) || willDo()) return;
      rmSync(oldDir, { recursive: true, force: true });
      if (existsSync(outDir)) renamed(outDir, oldDir);
    }
    throw new Error(`other compilers keep writing to ${outDir}`);
  } finally {
    rmSync(oldDir, { recursive: true, force: true });
  }
}

/**
 * Runs `write` on a new directory that takes the place of `outDir` when it is done, or is removed when it throws or is
 * given up: what was at `outDir` then still is. `bytes` is how much will be written at least, `willDo` whether what is at
 * `outDir` by then needs no replacing.
 * Throws `Fault`: DISK_FULL, MODEL_CACHE_UNWRITABLE, and what `write` throws.
 */
export function* writeOutput<Step>(
  outDir: string,
  bytes: number,
  willDo: () => boolean,
  write: (dir: string) => Generator<Step, void>,
): Generator<Step, void> {
  let partialDir: string | undefined;
  try {
    partialDir = makePartialDir(outDir);
    requireRoom(outDir, bytes);
    yield* write(partialDir);
    replaceDir(partialDir, outDir, willDo);
  } catch (thrown) {
    throw outputFault(outDir, thrown);
  } finally {
    if (partialDir !== undefined) rmSync(partialDir, { recursive: true, force: true });
  }
}

/** Writes chunk by chunk, hashing on the way: the whole never lies in memory. Yields the bytes written each time. */
export function* writeChunks(file: string, chunks: Iterable<Uint8Array>): Generator<number, FileRecord> {
  const fd = openSync(file, 'wx');
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for (const chunk of chunks) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; at += writeSync(fd, chunk, at));
      bytes += chunk.length;
      yield chunk.length;
    }
    // a power cut after the rename must not leave an empty file with a good name
    fsyncSync(fd);
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
}
