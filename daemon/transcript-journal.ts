/**
 * What has been recognised of a recording, kept on disk while it is made, so that an interruption of any kind
 * (Ctrl-C, kill -9, power loss) costs seconds and not the hours before it. JSON Lines: the first says what of and
 * with what, each other one is a segment. It is only ever appended to; a last line that was cut off is cut away.
 *
 * Segments are found again by where they lie, and recognising is reproducible. So it does no harm if two processes
 * write to one journal, or if a segment is in it twice.
 */
import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, readFileSync, statSync } from 'node:fs';
import { Fault } from './faults.ts';
import type { FileSegment } from './formats.ts';
import { outputFault, writeWhole } from './replace-file.ts';
import type { Place } from './transcription.ts';

/** What a segment became, placed in its file. */
export type FinishedSegment = Place & {
  readonly language: string;
  /** None where nothing was said. */
  readonly pieces: readonly Omit<FileSegment, 'id'>[];
  readonly timings: { readonly melMs: number; readonly encodeMs: number; readonly decodeMs: number };
  /** Time spent on the file until then, over all runs. */
  readonly elapsedMs: number;
};

/** All that the text depends on: the recording, the model, the options. Flat, so that what differs can be named. */
export type JournalSubject = Readonly<Record<string, string | number | boolean>>;

export type Journal = {
  readonly file: string;
  /** Segments that an earlier run finished, as far as they are of the same subject. */
  readonly finished: readonly FinishedSegment[];
  /** Why what an earlier run left was thrown away, if it was. */
  readonly startedOver: string | undefined;
  /** Keeps one more. Throws `Fault` DISK_FULL or OUTPUT_UNWRITABLE. */
  readonly append: (segment: FinishedSegment) => void;
  readonly close: () => void;
};

const version = 1;
/** Power loss costs what was finished in this time; a wish to the disk for each segment would wear out an SD card. */
const syncEveryMs = 1000;

/**
 * Opens the journal at `file`, taking up what is there if it is about the same subject.
 * Throws `Fault` OUTPUT_UNWRITABLE, DISK_FULL. A file of somebody else is never overwritten.
 */
export function openJournal(file: string, subject: JournalSubject): Journal {
  const header = `${JSON.stringify({ journal: version, subject })}\n`;
  const { finished, startedOver, soundBytes } = takeUp(file, subject);
  let descriptor: number;
  try {
    descriptor = openSync(file, 'a', 0o644);
    ftruncateSync(descriptor, soundBytes);
    if (soundBytes === 0) {
      writeWhole(descriptor, header);
      // so that a journal can be told from somebody else's file, whatever happens to the rest of it
      fsyncSync(descriptor);
    }
  } catch (thrown) {
    throw outputFault(thrown, file);
  }
  let syncedAtMs = performance.now();
  let syncing = false;
  const sync = (): void => {
    if (syncing || performance.now() - syncedAtMs < syncEveryMs) return;
    syncing = true;
    fdatasync(descriptor, () => {
      // a disk that fails says so at the next write
      syncing = false;
      syncedAtMs = performance.now();
    });
  };
  return {
    file,
    finished,
    startedOver,
    append(segment) {
      try {
        writeWhole(descriptor, `${JSON.stringify(segment)}\n`);
      } catch (thrown) {
        throw outputFault(thrown, file);
      }
      sync();
    },
    close() {
      closeSync(descriptor);
    },
  };
}

type TakenUp = Pick<Journal, 'finished' | 'startedOver'> & {
  /** What of the file can be kept: 0 for nothing. */
  readonly soundBytes: number;
};

function takeUp(file: string, subject: JournalSubject): TakenUp {
  let bytes: Buffer;
  try {
    // a device may have no end
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) throw foreign(file);
    bytes = readFileSync(file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw outputFault(thrown, file);
    return { finished: [], startedOver: undefined, soundBytes: 0 };
  }
  const lines = soundLines(bytes);
  const [header, ...segments] = lines;
  if (bytes.length === 0) return { finished: [], startedOver: undefined, soundBytes: 0 };
  if (header === undefined || !isHeader(header.value)) {
    throw foreign(file);
  }
  const startedOver = whyStartOver(header.value, subject);
  if (startedOver !== undefined) return { finished: [], startedOver, soundBytes: 0 };
  const finished: FinishedSegment[] = [];
  let soundBytes = header.endByte;
  for (const { value, endByte } of segments) {
    if (!isFinishedSegment(value)) break;
    finished.push(value);
    soundBytes = endByte;
  }
  return { finished, startedOver: undefined, soundBytes };
}

function foreign(file: string): Fault {
  const hint = 'move it away, or give another --output: what is kept until the end would be written there';
  return new Fault('OUTPUT_UNWRITABLE', `${file} is there and was not written by harkd`, hint);
}

type Line = { readonly value: unknown; readonly endByte: number };

/** Lines up to the first that was not written to its end: after power loss a file may end in anything. */
function soundLines(bytes: Buffer): Line[] {
  const lines: Line[] = [];
  let from = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
    try {
      lines.push({ value: JSON.parse(bytes.toString('utf8', from, end)) as unknown, endByte: end + 1 });
    } catch {
      break;
    }
    from = end + 1;
  }
  return lines;
}

type Header = { readonly journal: number; readonly subject: JournalSubject };

function isHeader(value: unknown): value is Header {
  const header = value as Partial<Header> | null;
  return typeof header?.journal === 'number' && typeof header.subject === 'object' && header.subject !== null;
}

function whyStartOver({ journal, subject: before }: Header, subject: JournalSubject): string | undefined {
  if (journal !== version) return 'another version of harkd began it';
  const names = [...new Set([...Object.keys(before), ...Object.keys(subject)])];
  const changed = names.filter((name) => before[name] !== subject[name]);
  return changed.length === 0 ? undefined : `${changed.join(', ')} changed`;
}

function isFinishedSegment(value: unknown): value is FinishedSegment {
  const segment = value as Partial<FinishedSegment> | null;
  return (
    typeof segment?.startSample === 'number' &&
    typeof segment.endSample === 'number' &&
    typeof segment.elapsedMs === 'number' &&
    typeof segment.timings?.decodeMs === 'number' &&
    Array.isArray(segment.pieces)
  );
}
