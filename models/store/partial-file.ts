/** A file on its way in: written in order, hashed on the way, continued after an interruption. */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Fault } from '../../daemon/faults.ts';
import type { FileRecord } from '../files.ts';
import type { FileHash, HubFile } from './listing.ts';

const chunkBytes = 1 << 20;

export function unwritable(message: string, cause: unknown): Fault {
  return new Fault(
    'STORE_UNWRITABLE',
    message,
    'run it as the user the folder belongs to (sudo harkd models …), or choose another with --store',
    { cause },
  );
}

/** A full disk, a foreign folder: what the operator can mend. Anything else is passed through. */
export function storageFault(thrown: unknown, place: string): unknown {
  const { code = '' } = thrown as { readonly code?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Fault(
      'DISK_FULL',
      `${place}: no room left (${code})`,
      'make room, then run the same command again',
      { cause: thrown },
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return unwritable(`${place}: ${code}`, thrown);
  }
  return thrown;
}

export class PartialFile {
  readonly #file: HubFile;
  readonly #target: string;
  readonly #handle: FileHandle;
  #sha256: Hash = createHash('sha256');
  #named: Hash = createHash('sha1');
  #bytes = 0;
  #etag: string | undefined;

  private constructor(target: string, file: HubFile, handle: FileHandle) {
    this.#target = target;
    this.#file = file;
    this.#handle = handle;
    this.#startHashes();
  }

  /** Opens `<target>.part`, reading again what an earlier run left there. */
  static async open(target: string, file: HubFile, signal: AbortSignal): Promise<PartialFile> {
    try {
      // not 'a': what was begun may have to be begun again
      const handle = await open(`${target}.part`, 'r+').catch(() => open(`${target}.part`, 'w+', 0o644));
      const part = new PartialFile(target, file, handle);
      await part.#takeUp(signal).catch(async (thrown: unknown) => {
        await handle.close();
        throw thrown;
      });
      return part;
    } catch (thrown) {
      throw storageFault(thrown, target);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What the server called the version these bytes are of; for If-Range. */
  get etag(): string | undefined {
    return this.#etag;
  }

  #startHashes(): void {
    this.#sha256 = createHash('sha256');
    // git names a blob by the hash of its length and its content
    this.#named = createHash('sha1').update(`blob ${this.#file.sizeBytes}\0`);
  }

  async #takeUp(signal: AbortSignal): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size > this.#file.sizeBytes) return this.restart();
    const chunk = new Uint8Array(chunkBytes);
    while (this.#bytes < size) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, this.#bytes);
      if (bytesRead === 0) break;
      this.#count(chunk.subarray(0, bytesRead));
    }
    if (this.#bytes > 0) this.#etag = await readFile(`${this.#target}.etag`, 'utf8').catch(() => undefined);
  }

  #count(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    if (this.#file.hash.kind === 'git-sha1') this.#named.update(bytes);
    this.#bytes += bytes.length;
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, this.#bytes + at);
        at += bytesWritten;
      }
    } catch (thrown) {
      throw storageFault(thrown, this.#target);
    }
    this.#count(bytes);
  }

  /** Weak tags (W/…) promise no equal bytes and are forgotten (RFC 9110 §13.1.5). */
  async rememberEtag(etag: string | undefined): Promise<void> {
    const strong = etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) ? etag : undefined;
    if (strong === this.#etag) return;
    this.#etag = strong;
    if (strong === undefined) await rm(`${this.#target}.etag`, { force: true });
    else await writeFile(`${this.#target}.etag`, strong);
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#bytes = 0;
    this.#startHashes();
    await this.rememberEtag(undefined);
  }

  /** The hash of what is there, of the kind that was promised. Ends the hashing: `restart` or `finish` come next. */
  digest(): { readonly promised: FileHash; readonly record: FileRecord } {
    const sha256 = this.#sha256.digest('hex');
    const { kind } = this.#file.hash;
    return {
      promised: { kind, hex: kind === 'sha256' ? sha256 : this.#named.digest('hex') },
      record: { bytes: this.#bytes, sha256 },
    };
  }

  /** Onto the disk and under its own name. */
  async finish(): Promise<void> {
    await this.#handle.sync();
    await rename(`${this.#target}.part`, this.#target);
    await rm(`${this.#target}.etag`, { force: true });
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
