/** Files that are whole or not there: nobody ever reads half of one, whenever the power goes. */
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Fault } from './faults.ts';

/**
 * Puts `text` in the place of `file`, at once: written beside it, brought to the disk, renamed over it. A link is
 * followed. Throws `Fault` DISK_FULL, OUTPUT_UNWRITABLE.
 */
export function replaceFile(file: string, text: string): void {
  try {
    const target = resolvedIfThere(file);
    const beside = `${target}.${process.pid}.new`;
    try {
      const descriptor = openSync(beside, 'w', 0o644);
      try {
        writeWhole(descriptor, text);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(beside, target);
    } catch (thrown) {
      rmSync(beside, { force: true });
      throw thrown;
    }
    // the name too is to survive a loss of power
    const folder = openSync(path.dirname(target), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (thrown) {
    throw outputFault(thrown, file);
  }
}

function resolvedIfThere(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}

/** All of the text: a write may take less than it is given. */
export function writeWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

const mendable = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'ENAMETOOLONG',
  'EIO',
]);

/** What the operator can mend of a file that is to be written; a bug is passed through. */
export function outputFault(thrown: unknown, file: string): unknown {
  const { code = '' } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const hint = 'make room, then run the same command again: it goes on where it stopped';
    return new Fault('DISK_FULL', `${file}: no room left (${code})`, hint, { cause: thrown });
  }
  if (mendable.has(code)) {
    const hint = `check that ${path.dirname(path.resolve(file))} is there and may be written to`;
    return new Fault('OUTPUT_UNWRITABLE', `${file} cannot be written (${code})`, hint, { cause: thrown });
  }
  return thrown;
}
