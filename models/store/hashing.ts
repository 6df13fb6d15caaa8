/** Like models/files.ts, for whoever sits before it: can be interrupted, and says how far it is. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import type { FileList, FileRecord } from '../files.ts';

const chunkBytes = 1 << 20;

/** Size and SHA-256 of a file; `onBytes` hears of every piece. Throws MODEL_MISSING, or the reason of `signal`. */
export async function hashFile(
  file: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<FileRecord> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new Fault('MODEL_MISSING', `cannot read ${file}`, 'add the model again', { cause });
  });
  try {
    const hash = createHash('sha256');
    const chunk = new Uint8Array(chunkBytes);
    let bytes = 0;
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(chunk.subarray(0, bytesRead));
      bytes += bytesRead;
      onBytes(bytes);
    }
  } finally {
    await handle.close();
  }
}

/**
 * Checks every file the list names. Throws MODEL_MISSING, or MODEL_CHECKSUM_MISMATCH with the file and both hashes.
 */
export async function verifyList(
  dir: string,
  files: FileList,
  signal: AbortSignal,
  onBytes: (doneBytes: number, totalBytes: number) => void = () => undefined,
): Promise<void> {
  const totalBytes = Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  for (const [name, want] of Object.entries(files)) {
    const file = path.join(dir, name);
    const got = await hashFile(file, signal, (bytes) => onBytes(before + bytes, totalBytes));
    before += want.bytes;
    if (got.sha256 === want.sha256) continue;
    const sizes = got.bytes === want.bytes ? '' : ` (${got.bytes} bytes instead of ${want.bytes})`;
    throw new Fault(
      'MODEL_CHECKSUM_MISMATCH',
      `${file} has sha256 ${got.sha256}${sizes}, its card says ${want.sha256}`,
      'the file was damaged or replaced: add the model again',
    );
  }
}
