/**
 * The files of the record. Each holds the transcripts of one day, or of a part of it, in the order they were said;
 * `0000000012-2026-11-22.jsonl` is the twelfth. Days are those of UTC. The number orders them, since a clock may be
 * set back.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { unsetClockBeforeMs } from '../wall-clock.ts';

export type RecordFile = {
  readonly number: number;
  /** `2026-11-22`, of all that is in it, by the start of speech. */
  readonly day: string;
  readonly path: string;
};

const dayMs = 86_400_000;

export function dayOf(time: string | number): string {
  return new Date(time).toISOString().slice(0, 10);
}

export function recordFile(directory: string, number: number, day: string): RecordFile {
  return { number, day, path: path.join(directory, `${String(number).padStart(10, '0')}-${day}.jsonl`) };
}

/** The files there are, oldest first; none where there is no folder. Rejects with what the file system says. */
export async function listRecord(directory: string): Promise<RecordFile[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isFile())
    .flatMap(({ name }) => {
      const [, number, day] = /^(\d{10})-(\d{4}-\d\d-\d\d)\.jsonl$/.exec(name) ?? [];
      return day === undefined || Number.isNaN(Date.parse(day))
        ? []
        : [recordFile(directory, Number(number), day)];
    })
    .sort((a, b) => a.number - b.number);
}

/** 0 for a file that somebody has deleted meanwhile. */
export async function sizeBytesOf(file: RecordFile): Promise<number> {
  try {
    return (await stat(file.path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

export type RecordBounds = {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly nowMs: number;
};

/**
 * Deletes whole files: those whose day ended longer ago than `maxAgeMs`, then the oldest ones until the rest is no
 * larger than `maxBytes`. Answers what is left. Rejects with what the file system says.
 */
export async function boundRecord(
  directory: string,
  { maxBytes, maxAgeMs, nowMs }: RecordBounds,
): Promise<RecordFile[]> {
  const files = await listRecord(directory);
  const sizesBytes = await Promise.all(files.map(sizeBytesOf));
  let totalBytes = sizesBytes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  const left: RecordFile[] = [];
  for (const [index, file] of files.entries()) {
    const overdue = endOfDayMs(files.slice(index), nowMs) + maxAgeMs < nowMs;
    if (overdue || totalBytes > maxBytes) {
      await rm(file.path, { force: true });
      totalBytes -= sizesBytes[index] ?? 0;
    } else left.push(file);
  }
  return left;
}

/** When the day of the first of `files` was over: by the next one with a possible day, where the clock was wrong. */
function endOfDayMs(files: readonly RecordFile[], nowMs: number): number {
  const startsMs = files.map(({ day }) => Date.parse(day));
  const startMs = startsMs.find((ms) => ms >= unsetClockBeforeMs && ms <= nowMs);
  return startMs === undefined ? Number.POSITIVE_INFINITY : startMs + dayMs;
}
