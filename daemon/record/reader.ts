/** Reads the record, also while a daemon writes it: in order, in blocks, in memory that does not grow with its length. */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Transcript } from '../events.ts';
import { Fault } from '../faults.ts';
import { decodeEntry } from './entries.ts';
import { dayOf, listRecord, type RecordFile } from './files.ts';

/** By the start of speech, in Unix time. */
export type RecordRange = {
  readonly sinceMs?: number | undefined;
  /** Not included. */
  readonly untilMs?: number | undefined;
  /** Only the last ones of the range. */
  readonly limit?: number | undefined;
};

export type RecordReader = {
  readonly directory: string;
  /** Lines of a file that are no transcripts are left out, and told here. */
  readonly onDamage: (damage: { readonly file: string; readonly lines: number }) => void;
};

const blockBytes = 64 * 1024;
/** Half a minute of speech has some hundred bytes of text. What is longer is not ours, and not gathered. */
const maxLineBytes = 1024 * 1024;

/** Yields transcripts in the order they were said, some at a time. Throws `Fault` RECORD_UNREADABLE. */
export async function* readRecord(
  { directory, onDamage }: RecordReader,
  range: RecordRange = {},
): AsyncGenerator<readonly Transcript[]> {
  try {
    const files = (await listRecord(directory)).filter(({ day }) => mayHold(day, range));
    const { from, skip } = await lastOf(files, range);
    let toSkip = skip;
    let left = range.limit ?? Number.POSITIVE_INFINITY;
    for (const file of files.slice(from)) {
      for await (const block of blocksOf(file, range, onDamage)) {
        const wanted = block.slice(toSkip, toSkip + left);
        toSkip = Math.max(0, toSkip - block.length);
        left -= wanted.length;
        if (wanted.length > 0) yield wanted;
      }
      if (left === 0) return;
    }
  } catch (error) {
    if (error instanceof Fault || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new Fault(
      'RECORD_UNREADABLE',
      `the record in ${directory} cannot be read: ${(error as Error).message}`,
      'read it as the user harkd runs as, such as: sudo -u harkd harkd transcripts',
      { cause: error },
    );
  }
}

/** All transcripts of a file are of its day. */
function mayHold(day: string, { sinceMs, untilMs }: RecordRange): boolean {
  return (sinceMs === undefined || day >= dayOf(sinceMs)) && (untilMs === undefined || day <= dayOf(untilMs));
}

/** Where the last `limit` transcripts begin: counted from the end, so that a long record is not read as a whole. */
async function lastOf(
  files: readonly RecordFile[],
  range: RecordRange,
): Promise<{ readonly from: number; readonly skip: number }> {
  const { limit } = range;
  if (limit === undefined) return { from: 0, skip: 0 };
  let from = files.length;
  let found = 0;
  for (let file = files[from - 1]; file !== undefined && found < limit; file = files[from - 1]) {
    for await (const block of blocksOf(file, range, () => undefined)) found += block.length;
    from -= 1;
  }
  return { from, skip: Math.max(0, found - limit) };
}

async function* blocksOf(
  { path: file }: RecordFile,
  { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY }: RecordRange,
  onDamage: RecordReader['onDamage'],
): AsyncGenerator<readonly Transcript[]> {
  const handle = await openIfThere(file);
  if (handle === undefined) return;
  let damaged = 0;
  try {
    for await (const lines of linesOf(handle)) {
      const block: Transcript[] = [];
      for (const line of lines) {
        const transcript = decodeEntry(line);
        if (transcript === undefined) damaged += 1;
        else if (Date.parse(transcript.start) >= sinceMs && Date.parse(transcript.start) < untilMs) {
          block.push(transcript);
        }
      }
      yield block;
    }
  } finally {
    await handle.close();
  }
  if (damaged > 0) onDamage({ file: path.basename(file), lines: damaged });
}

/** Undefined for a file that was deleted since it was listed. */
async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole lines, a block at a time. The last one is being written as long as it has no end, and is left out. */
async function* linesOf(handle: FileHandle): AsyncGenerator<readonly string[]> {
  const buffer = Buffer.alloc(blockBytes);
  /** The beginning of a line whose end was not in the blocks before; of one that is too long, nothing. */
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, blockBytes);
    if (bytesRead === 0) return;
    const bytes = buffer.subarray(0, bytesRead);
    const end = bytes.lastIndexOf(10) + 1;
    if (end > 0) {
      // the end of a line that was too long is no transcript either, and counts as one that is damaged
      yield Buffer.concat([...begun, bytes.subarray(0, end - 1)])
        .toString('utf8')
        .split('\n');
      begun = [];
      begunBytes = 0;
    }
    begunBytes += bytesRead - end;
    if (begunBytes > maxLineBytes) begun = [];
    else if (end < bytesRead) begun.push(Buffer.from(bytes.subarray(end)));
  }
}
