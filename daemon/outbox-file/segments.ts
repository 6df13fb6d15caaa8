/** The files of the outbox: a row of them, written at the end, deleted at the front. */
import type { FileHandle } from 'node:fs/promises';
import { open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { isFull } from '../full-disk.ts';
import type { Decoded } from './records.ts';
import { decodeRecords } from './records.ts';

export type Segment = {
  readonly number: number;
  readonly file: string;
  /** Where the next record goes. */
  sizeBytes: number;
  /** Entries in it that are still wanted. */
  wanted: number;
};

const nameOf = (number: number) => `${String(number).padStart(10, '0')}.log`;

/** What a run before left in `directory`, oldest first. A file that cannot be read counts as damaged from its start. */
export async function readSegments(directory: string): Promise<{ segment: Segment; decoded: Decoded }[]> {
  const numbers = (await readdir(directory))
    .map((name) => Number(/^(\d{10})\.log$/.exec(name)?.[1] ?? Number.NaN))
    .filter((number) => !Number.isNaN(number))
    .sort((a, b) => a - b);
  const found: { segment: Segment; decoded: Decoded }[] = [];
  for (const number of numbers) {
    const file = path.join(directory, nameOf(number));
    const decoded = await readFile(file).then(decodeRecords, () => unreadable);
    // nothing is appended to it again; without the torn end nobody else stumbles over it
    if (decoded.tornBytes > 0) await truncate(file, decoded.wholeBytes).catch(() => undefined);
    found.push({ segment: { number, file, sizeBytes: decoded.wholeBytes, wanted: 0 }, decoded });
  }
  return found;
}

const unreadable: Decoded = {
  records: [],
  wholeBytes: 0,
  tornBytes: 0,
  damaged: [{ atByte: 0, bytes: 0 }],
};

/** The segments of one run, and the one that is being written. Every function rejects with what the disk says. */
export class SegmentFiles {
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #all: Segment[];
  #open: { readonly segment: Segment; readonly handle: FileHandle } | undefined;
  #lastNumber: number;

  /** `old`: what was read, oldest first. It is never written to again: its end may be torn. */
  constructor(directory: string, segmentBytes: number, old: readonly Segment[]) {
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#all = [...old];
    this.#lastNumber = old.at(-1)?.number ?? 0;
  }

  /** Writes `bytes` at the end; with `sync`, resolves when they survive a power cut. Answers where they went. */
  async append(bytes: Buffer, sync: boolean): Promise<Segment> {
    const { segment, handle } = await this.#writable();
    try {
      for (let done = 0; done < bytes.length; ) {
        const at = segment.sizeBytes + done;
        done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
      }
    } catch (error) {
      // half a record is cut off again; where that fails, the next one is written over it
      await handle.truncate(segment.sizeBytes).catch(() => undefined);
      if (!isFull(error)) await this.#seal().catch(() => undefined);
      throw error;
    }
    try {
      if (sync) await handle.datasync();
    } catch (error) {
      // after a failed fsync the kernel takes the pages for clean: only another file can make it good
      // (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020)
      await this.#seal().catch(() => undefined);
      throw error;
    }
    segment.sizeBytes += bytes.length;
    return segment;
  }

  /** Deletes files from the front as far as nothing in them is wanted. */
  async dropUnwanted(): Promise<void> {
    for (let oldest = this.#all[0]; oldest?.wanted === 0; oldest = this.#all[0]) {
      if (oldest === this.#open?.segment) return;
      await rm(oldest.file, { force: true });
      this.#all.shift();
    }
  }

  /** Nothing is wanted any more: what was said at home does not stay on the disk. */
  async wipe(): Promise<void> {
    await this.dropUnwanted();
    if (this.#open === undefined || this.#open.segment.sizeBytes === 0) return;
    await this.#open.handle.truncate(0);
    this.#open.segment.sizeBytes = 0;
  }

  /** Whether what was written to `segment` is still there. */
  has(segment: Segment): boolean {
    return this.#all.includes(segment);
  }

  async close(): Promise<void> {
    await this.#seal();
    await this.dropUnwanted();
  }

  async #writable(): Promise<{ readonly segment: Segment; readonly handle: FileHandle }> {
    if (this.#open !== undefined && this.#open.segment.sizeBytes < this.#segmentBytes) return this.#open;
    await this.#seal();
    const number = this.#lastNumber + 1;
    const file = path.join(this.#directory, nameOf(number));
    const handle = await open(file, 'w', 0o600);
    this.#lastNumber = number;
    const segment: Segment = { number, file, sizeBytes: 0, wanted: 0 };
    this.#all.push(segment);
    this.#open = { segment, handle };
    // the name of a new file is safe only when its folder is
    const folder = await open(this.#directory, 'r');
    await folder.sync().finally(() => folder.close());
    return this.#open;
  }

  async #seal(): Promise<void> {
    const handle = this.#open?.handle;
    this.#open = undefined;
    await handle?.close();
  }
}
