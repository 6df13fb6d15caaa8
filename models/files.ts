/** Hashes of files, and the fault when they are not what was promised. */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../daemon/faults.ts';

/** What a list of files promises of each of them. */
export type FileRecord = { readonly bytes: number; readonly sha256: string };
export type FileList = Readonly<Record<string, FileRecord>>;

/** Large enough that the hash, not the call, takes the time. */
const chunkBytes = 1 << 20;

/** Size and SHA-256 (lower-case hex) of a file. Throws `Fault` MODEL_MISSING if it cannot be read. */
export function describeFile(file: string): FileRecord {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (cause) {
    throw new Fault('MODEL_MISSING', `cannot read ${file}`, 'install or compile the model again', { cause });
  }
  try {
    const hash = createHash('sha256');
    const chunk = new Uint8Array(chunkBytes);
    let bytes = 0;
    for (let got = readSync(fd, chunk); got > 0; got = readSync(fd, chunk)) {
      hash.update(chunk.subarray(0, got));
      bytes += got;
    }
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
}

/**
 * Checks every listed file in `dir`. `promisedBy` is who says what they should be, `remedy` what to do if they are not.
 * Throws `Fault`: MODEL_MISSING, or MODEL_CHECKSUM_MISMATCH with the file and both hashes.
 */
export function verifyFiles(dir: string, files: FileList, promisedBy: string, remedy: string): void {
  for (const [name, want] of Object.entries(files)) {
    const file = path.join(dir, name);
    const got = describeFile(file);
    if (got.sha256 !== want.sha256) {
      const sizes = got.bytes === want.bytes ? '' : ` (${got.bytes} bytes instead of ${want.bytes})`;
      throw new Fault(
        'MODEL_CHECKSUM_MISMATCH',
        `${file} has sha256 ${got.sha256}${sizes}, ${promisedBy} says ${want.sha256}`,
        remedy,
      );
    }
  }
}

/** Puts `text` in the place of `file` whole or not at all. Throws what the file system says. */
export function putInPlace(file: string, text: string): void {
  const partial = `${file}.partial-${randomUUID()}`;
  try {
    writeFileSync(partial, text, { flush: true });
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** A plain file name: what a list may name, so that no list reaches outside its directory. */
export function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}

export function isFileList(value: unknown): value is FileList {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).every(([name, record]: [string, Partial<FileRecord> | null]) => {
    return (
      isFileName(name) && Number.isSafeInteger(record?.bytes) && /^[0-9a-f]{64}$/.test(record?.sha256 ?? '')
    );
  });
}
