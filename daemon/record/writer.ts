/**
 * Keeps finals on disk for those who want to read them later. Whoever appends never waits: what the disk does not take
 * waits in memory, bounded, and is tried again. `kill -9` costs what was not yet handed to the kernel, milliseconds;
 * a loss of power what was said in the last seconds, since bringing each sentence to the disk wears out an SD card.
 */
import type { FileHandle } from 'node:fs/promises';
import { open, readFile, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { Transcript } from '../events.ts';
import { Fault } from '../faults.ts';
import { takeLock } from '../folder-lock.ts';
import { isFull } from '../full-disk.ts';
import { makePrivateFolder } from '../private-folder.ts';
import { encodeEntry, wholeBytesOf } from './entries.ts';
import { boundRecord, dayOf, listRecord, type RecordFile, recordFile, sizeBytesOf } from './files.ts';

export type RecordWriterOptions = {
  /** Its own: nothing else may be kept there. Made if it is missing; readable for its owner only. */
  readonly directory: string;
  /** Of all files together; the oldest are deleted. */
  readonly maxBytes: number;
  /** A file is deleted so long after its day was over. */
  readonly maxAgeMs: number;
  /** Nothing can be kept at present; said once, until `onWell`. It is tried again. */
  readonly onTrouble: (fault: Fault) => void;
  readonly onWell: () => void;
  /** A run before ended in the middle of a line: its bytes were cut off. */
  readonly onCut: (cut: { readonly file: string; readonly cutBytes: number }) => void;
  /** Transcripts that never came into the record, because the disk was away for too long. */
  readonly onLost: (count: number) => void;
  /** A file that has grown beyond is closed. */
  readonly segmentBytes?: number;
  /** Transcripts that may wait for the disk. */
  readonly maxWaiting?: number;
  readonly retryAfterMs?: number;
  readonly syncAfterMs?: number;
  readonly ageEveryMs?: number;
  /** Unix time. */
  readonly wallClockMs?: () => number;
};

export type RecordWriter = {
  readonly append: (transcript: Transcript) => void;
  /** Resolves when everything appended until now has been tried. */
  readonly settled: () => Promise<void>;
  readonly close: () => Promise<void>;
};

type OpenFile = { readonly file: RecordFile; readonly handle: FileHandle; sizeBytes: number };

/** Makes a writer; the folder is opened at once, but in its own time, and again and again if it must be. */
export function recordWriter(options: RecordWriterOptions): RecordWriter {
  const { directory, maxBytes, maxAgeMs, wallClockMs = Date.now } = options;
  // so that what is deleted at once, when the record is full, is a small part of it
  const segmentBytes = options.segmentBytes ?? Math.min(2 ** 20, maxBytes / 8);
  const maxWaiting = options.maxWaiting ?? 1000;
  const waiting: Transcript[] = [];
  let lost = 0;
  let release: (() => void) | undefined;
  let current: OpenFile | undefined;
  let flushing: Promise<void> | undefined;
  let retryTimer: NodeJS.Timeout | undefined;
  let syncTimer: NodeJS.Timeout | undefined;
  let syncDue = false;
  let boundDue = true;
  let troubled = false;
  let closed = false;

  const ageTimer = setInterval(() => {
    boundDue = true;
    flushSoon();
  }, options.ageEveryMs ?? 3_600_000);
  ageTimer.unref();
  flushSoon();

  function append(transcript: Transcript): void {
    if (closed) return;
    waiting.push(transcript);
    if (waiting.length > maxWaiting) {
      waiting.shift();
      lost += 1;
    }
    if (!troubled) flushSoon();
  }

  function flushSoon(): void {
    if (closed) return;
    flushing ??= flush().finally(() => {
      flushing = undefined;
      // it may have come when the flush had just looked for the last time
      if (waiting.length > 0 && !troubled) flushSoon();
    });
  }

  /** Brings the files up to date. Never rejects. */
  async function flush(): Promise<void> {
    clearTimeout(retryTimer);
    try {
      release ??= await takeFolder();
      if (boundDue) await bound(maxBytes);
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        try {
          await write(next);
        } catch (error) {
          waiting.unshift(next);
          throw error;
        }
      }
      if (syncDue) await sync();
    } catch (error) {
      // taken again from the start: the folder may have been removed, or its disk taken away
      if (!isFull(error)) await letGo();
      if (!troubled) options.onTrouble(recordFault(error, directory));
      troubled = true;
      retryTimer = setTimeout(flushSoon, options.retryAfterMs ?? 5000).unref();
      return;
    }
    if (!troubled) return;
    troubled = false;
    options.onWell();
    sayLost();
  }

  function sayLost(): void {
    if (lost > 0) options.onLost(lost);
    lost = 0;
  }

  /** Answers how to give the folder back. */
  async function takeFolder(): Promise<() => void> {
    await makePrivateFolder(directory);
    const giveBack = takeLock(path.join(directory, 'lock'), 'RECORD_BUSY');
    try {
      const last = (await listRecord(directory)).at(-1);
      if (last !== undefined) await takeUp(last);
      return giveBack;
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** The file a run before ended with is gone on with, so that many starts do not make many files. */
  async function takeUp(file: RecordFile): Promise<void> {
    const foundBytes = await sizeBytesOf(file);
    const sizeBytes = wholeBytesOf(await readFile(file.path));
    if (sizeBytes < foundBytes) {
      await truncate(file.path, sizeBytes);
      options.onCut({ file: file.path, cutBytes: foundBytes - sizeBytes });
    }
    current = { file, handle: await open(file.path, 'r+'), sizeBytes };
  }

  async function bound(toBytes: number): Promise<readonly RecordFile[]> {
    const left = await boundRecord(directory, { maxBytes: toBytes, maxAgeMs, nowMs: wallClockMs() });
    boundDue = false;
    return left;
  }

  async function write(transcript: Transcript): Promise<void> {
    const line = encodeEntry(transcript);
    const target = await fileFor(dayOf(transcript.start));
    const { handle, sizeBytes } = target;
    try {
      for (let done = 0; done < line.length; ) {
        done += (await handle.write(line, done, line.length - done, sizeBytes + done)).bytesWritten;
      }
    } catch (error) {
      // half a line is cut off again; where that fails, the next one is written over it
      await handle.truncate(sizeBytes).catch(() => undefined);
      throw error;
    }
    target.sizeBytes += line.length;
    syncTimer ??= setTimeout(() => {
      syncTimer = undefined;
      syncDue = true;
      flushSoon();
    }, options.syncAfterMs ?? 5000).unref();
  }

  /** The file for one more line of `day`. It may have been deleted under our hands: the record may be cleared. */
  async function fileFor(day: string): Promise<OpenFile> {
    if (current?.file.day === day && current.sizeBytes < segmentBytes) {
      if ((await current.handle.stat()).nlink > 0) return current;
    }
    await seal();
    const last = (await bound(maxBytes - segmentBytes)).at(-1);
    const file = recordFile(directory, (last?.number ?? 0) + 1, day);
    const handle = await open(file.path, 'wx', 0o600);
    current = { file, handle, sizeBytes: 0 };
    // the name of a new file is safe only when its folder is
    const folder = await open(directory, 'r');
    await folder.sync().finally(() => folder.close());
    return current;
  }

  async function sync(): Promise<void> {
    syncDue = false;
    await current?.handle.datasync();
  }

  async function seal(): Promise<void> {
    const handle = current?.handle;
    current = undefined;
    if (handle === undefined) return;
    await handle.datasync().finally(() => handle.close());
  }

  async function letGo(): Promise<void> {
    await seal().catch(() => undefined);
    try {
      release?.();
    } catch {
      // a lock that cannot be removed is one of a process that is gone, soon
    }
    release = undefined;
  }

  async function settled(): Promise<void> {
    while (flushing !== undefined) await flushing;
  }

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    clearInterval(ageTimer);
    await settled();
    await flush();
    clearTimeout(syncTimer);
    clearTimeout(retryTimer);
    lost += waiting.length;
    sayLost();
    await letGo();
  }

  return { append, settled, close };
}

function recordFault(error: unknown, directory: string): Fault {
  if (error instanceof Fault) return error;
  const { message } = error as Error;
  return isFull(error)
    ? new Fault(
        'DISK_FULL',
        `no room in ${directory} to keep transcripts: ${message}`,
        'make room, or set a smaller record.maxMib; harkd hears and delivers meanwhile, and tries again by itself',
        { cause: error },
      )
    : new Fault(
        'RECORD_UNWRITABLE',
        `transcripts cannot be kept in ${directory}: ${message}`,
        'let the user harkd runs as write there, or set stateDir to a folder that is writable',
        { cause: error },
      );
}
