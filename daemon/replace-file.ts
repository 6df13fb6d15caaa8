/** Files that are whole or not there: nobody ever reads half of one, whenever the power goes. */
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Fault } from './faults.ts';
import { isFull } from './full-disk.ts';

/**
 * Puts `text` in the place of `file`, at once: written beside it, brought to the disk, renamed over it. A link is
 * followed. Throws `Fault` DISK_FULL, OUTPUT_UNWRITABLE.
 */
export function replaceFile(file: string, text: string): void {
  const replacement = openReplacement(file);
  try {
    replacement.write(text);
    replacement.commit();
  } finally {
    replacement.close();
  }
}

/** As `replaceFile`, with text that comes part by part, so that it may be longer than memory is large. */
export async function replaceFileBy(file: string, parts: AsyncIterable<string>): Promise<void> {
  const replacement = openReplacement(file);
  try {
    for await (const part of parts) replacement.write(part);
    replacement.commit();
  } finally {
    replacement.close();
  }
}

type Replacement = {
  readonly write: (text: string) => void;
  readonly commit: () => void;
  /** Without a `commit` before it, nothing has happened. */
  readonly close: () => void;
};

function openReplacement(file: string): Replacement {
  const orFault = <T>(act: () => T): T => {
    try {
      return act();
    } catch (thrown) {
      throw outputFault(thrown, file);
    }
  };
  const target = resolvedIfThere(file);
  const beside = `${target}.${process.pid}.new`;
  const descriptor = orFault(() => openSync(beside, 'w', 0o644));
  return {
    write: (text) => orFault(() => writeWhole(descriptor, text)),
    commit: () =>
      orFault(() => {
        fsyncSync(descriptor);
        renameSync(beside, target);
        // the name too is to survive a loss of power
        const folder = openSync(path.dirname(target), 'r');
        try {
          fsyncSync(folder);
        } finally {
          closeSync(folder);
        }
      }),
    close() {
      closeSync(descriptor);
      rmSync(beside, { force: true });
    },
  };
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
  if (isFull(thrown)) {
    const hint = 'make room, then run the same command again: it goes on where it stopped';
    return new Fault('DISK_FULL', `${file}: no room left (${code})`, hint, { cause: thrown });
  }
  if (mendable.has(code)) {
    const hint = `check that ${path.dirname(path.resolve(file))} is there and may be written to`;
    return new Fault('OUTPUT_UNWRITABLE', `${file} cannot be written (${code})`, hint, { cause: thrown });
  }
  return thrown;
}
