/**
 * An outbox on disk: what is in it survives `kill -9`, a power cut and a reboot. What waits is held in memory as well
 * (see `memoryOutbox`, which also keeps the bounds); the files follow it, so a disk that is full, slow or gone never
 * keeps anybody from hearing or delivering.
 *
 * When is a final safe? When it has been delivered, or `flushAfterMs` and one fsync after it was appended: entries are
 * written in groups, each followed by one fdatasync. That something was delivered is written down without one: a power
 * cut may bring it back, as a repeated id, but can lose nothing. What is delivered before it was written is never
 * written at all, and files in which nothing is wanted any more are emptied at once. Format: docs/adr/0006.
 */
import path from 'node:path';
import { Fault } from './faults.ts';
import { takeLock } from './folder-lock.ts';
import { isFull } from './full-disk.ts';
import type { MemoryOutboxOptions, Outbox, OutboxEntry, Overflow } from './outbox.ts';
import { memoryOutbox } from './outbox.ts';
import { encodeRecord } from './outbox-file/records.ts';
import type { Segment } from './outbox-file/segments.ts';
import { readSegments, SegmentFiles } from './outbox-file/segments.ts';
import { makePrivateFolder } from './private-folder.ts';
import { unsetClockBeforeMs } from './wall-clock.ts';

export type FileOutboxOptions = Omit<MemoryOutboxOptions, 'ageMsOf'> & {
  /** Its own: nothing else may be kept there. Made if it is missing; readable for its owner only. */
  readonly directory: string;
  /** What is appended can not be kept on disk at present; said once, until `onWell`. It is tried again. */
  readonly onTrouble: (fault: Fault) => void;
  readonly onWell: () => void;
  /** Entries appended within this time are written together: the most that a crash can take. */
  readonly flushAfterMs?: number;
  readonly retryAfterMs?: number;
  /** A file that has grown beyond is closed; it is deleted when nothing in it is wanted. */
  readonly segmentBytes?: number;
  /** Unix time, for the age of what a run before left. */
  readonly wallClockMs?: () => number;
};

export type FileOutbox = Outbox & {
  /** Resolves when everything appended until now is on disk, delivered or given up. */
  readonly safe: () => Promise<void>;
};

export type OpenedFileOutbox = {
  readonly outbox: FileOutbox;
  /** What could not be read of what a run before left. */
  readonly damage: Fault | undefined;
};

/**
 * Opens the outbox of a folder, with all that a run before left in it, in its order. Throws `Fault` OUTBOX_BUSY,
 * OUTBOX_UNWRITABLE or DISK_FULL.
 */
export async function openFileOutbox(options: FileOutboxOptions): Promise<OpenedFileOutbox> {
  const { directory } = options;
  let release: (() => void) | undefined;
  try {
    await makePrivateFolder(directory);
    release = takeLock(path.join(directory, 'lock'), 'OUTBOX_BUSY');
    const found = await readSegments(directory);
    return { outbox: new DiskOutbox(options, found, release), damage: damageOf(directory, found) };
  } catch (error) {
    release?.();
    throw diskFault(error, directory);
  }
}

type Found = Awaited<ReturnType<typeof readSegments>>;

class DiskOutbox implements FileOutbox {
  readonly #options: FileOutboxOptions;
  readonly #memory: Outbox;
  readonly #files: SegmentFiles;
  readonly #segmentBytes: number;
  readonly #release: () => void;
  /** Where the wanted entries lie that are on disk. Those that are not are in one of the next two. */
  readonly #segmentById = new Map<string, Segment>();
  #unwritten = new Map<string, OutboxEntry>();
  #beingWritten = new Map<string, OutboxEntry>();
  /** On disk and not wanted any more, but that is not written there yet. */
  #unmarked = new Map<string, Segment>();
  #flushing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #troubled = false;
  #closed = false;
  #safeWaiters: (() => void)[] = [];
  /** Given up while the outbox was opened, when nobody listened yet. */
  readonly #earlyOverflows: Overflow[] = [];

  constructor(options: FileOutboxOptions, found: Found, release: () => void) {
    this.#options = options;
    this.#release = release;
    this.#segmentBytes = options.segmentBytes ?? 256 * 1024;
    const old = found.map(({ segment }) => segment);
    this.#files = new SegmentFiles(options.directory, this.#segmentBytes, old);
    let restoring = true;
    const wallClockMs = options.wallClockMs ?? Date.now;
    this.#memory = memoryOutbox({
      ...options,
      ageMsOf: ({ createdAtMs }) =>
        !restoring || createdAtMs < unsetClockBeforeMs ? 0 : Math.max(0, wallClockMs() - createdAtMs),
    });
    this.#memory.onOverflow((overflow) => {
      for (const { id } of overflow.entries) this.#forget(id);
      if (restoring) this.#earlyOverflows.push(overflow);
    });
    for (const { segment, decoded } of found) this.#restore(segment, decoded.records);
    restoring = false;
    // what a run before had delivered is not on the disk for longer than it must be
    this.#schedule();
  }

  append = (entry: OutboxEntry): void => {
    if (this.#segmentById.has(entry.id) || this.#unwritten.has(entry.id) || this.#beingWritten.has(entry.id))
      return;
    // first, so that it can be forgotten at once if there is no room for it
    this.#unwritten.set(entry.id, entry);
    this.#memory.append(entry);
    this.#schedule();
  };

  peek = (): Promise<OutboxEntry | undefined> => this.#memory.peek();

  acknowledge = async (id: string): Promise<void> => {
    await this.#memory.acknowledge(id);
    this.#forget(id);
  };

  onOverflow = (listener: (overflow: Overflow) => void): void => {
    this.#memory.onOverflow(listener);
    for (const overflow of this.#earlyOverflows) queueMicrotask(() => listener(overflow));
  };

  depth = (): number => this.#memory.depth();
  dropped = (): number => this.#memory.dropped();

  safe = (): Promise<void> => {
    if (this.#unwritten.size === 0 && this.#beingWritten.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#safeWaiters.push(resolve));
  };

  close = async (): Promise<void> => {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#flushing;
    await this.#flush();
    await this.#files.close().catch(() => undefined);
    this.#release();
  };

  #restore(segment: Segment, records: Found[number]['decoded']['records']): void {
    for (const record of records) {
      if (record.type === 'forgotten') {
        for (const id of record.ids) {
          void this.#memory.acknowledge(id);
          this.#unwant(id);
        }
      } else if (!this.#segmentById.has(record.entry.id)) {
        segment.wanted += 1;
        this.#segmentById.set(record.entry.id, segment);
        this.#memory.append(record.entry);
      }
    }
  }

  /** Answers the segment an entry lay in, if it was on disk and wanted. */
  #unwant(id: string): Segment | undefined {
    const segment = this.#segmentById.get(id);
    if (segment === undefined) return undefined;
    this.#segmentById.delete(id);
    segment.wanted -= 1;
    return segment;
  }

  #forget(id: string): void {
    if (this.#unwritten.delete(id)) {
      this.#tellIfSafe();
      return;
    }
    // while it is being written, the end of the writing finds that it is missing here
    if (this.#beingWritten.delete(id)) return;
    const segment = this.#unwant(id);
    if (segment === undefined) return;
    this.#unmarked.set(id, segment);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#closed) return;
    const { flushAfterMs = 50, retryAfterMs = 5000 } = this.#options;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#flushing ??= this.#flush().finally(() => {
          this.#flushing = undefined;
        });
      },
      this.#troubled ? retryAfterMs : flushAfterMs,
    );
  }

  /** Brings the files up to date. Never rejects. */
  async #flush(): Promise<void> {
    const entries = [...this.#unwritten.values()];
    this.#beingWritten = this.#unwritten;
    this.#unwritten = new Map();
    try {
      await this.#write(entries);
    } catch (error) {
      // back in front of what came meanwhile, in the order it was said
      this.#unwritten = new Map([...this.#beingWritten, ...this.#unwritten]);
      this.#beingWritten = new Map();
      const wasTroubled = this.#troubled;
      this.#troubled = true;
      if (!wasTroubled) this.#options.onTrouble(diskFault(error, this.#options.directory));
    }
    if (this.#unwritten.size > 0 || this.#unmarked.size > 0) this.#schedule();
    this.#tellIfSafe();
  }

  async #write(entries: readonly OutboxEntry[]): Promise<void> {
    if (this.#segmentById.size === 0) {
      await this.#files.wipe();
      this.#unmarked.clear();
    } else {
      await this.#files.dropUnwanted();
    }
    // before the entries: an id that was forgotten may be among them again
    await this.#writeMarks();
    for (const group of groupsOf(entries, this.#segmentBytes)) await this.#writeEntries(group);
    if (!this.#troubled) return;
    this.#troubled = false;
    this.#options.onWell();
  }

  async #writeMarks(): Promise<void> {
    const unmarked = [...this.#unmarked];
    const ids = unmarked.filter(([, segment]) => this.#files.has(segment)).map(([id]) => id);
    if (ids.length > 0) await this.#files.append(encodeRecord({ type: 'forgotten', ids }), false);
    for (const [id] of unmarked) this.#unmarked.delete(id);
  }

  async #writeEntries({ ids, bytes }: Group): Promise<void> {
    const segment = await this.#files.append(bytes, true);
    for (const id of ids) {
      if (this.#beingWritten.delete(id)) {
        segment.wanted += 1;
        this.#segmentById.set(id, segment);
      } else {
        this.#unmarked.set(id, segment);
      }
    }
  }

  #tellIfSafe(): void {
    if (this.#unwritten.size > 0 || this.#beingWritten.size > 0) return;
    for (const resolve of this.#safeWaiters.splice(0)) resolve();
  }
}

type Group = { readonly ids: readonly string[]; readonly bytes: Buffer };

/** Records to be written together, so that on a disk that is nearly full what fits is safe. */
function* groupsOf(entries: readonly OutboxEntry[], groupBytes: number): Iterable<Group> {
  let records: Buffer[] = [];
  let ids: string[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const record = encodeRecord({ type: 'entry', entry });
    if (bytes > 0 && bytes + record.length > groupBytes) {
      yield { ids, bytes: Buffer.concat(records) };
      records = [];
      ids = [];
      bytes = 0;
    }
    records.push(record);
    ids.push(entry.id);
    bytes += record.length;
  }
  if (bytes > 0) yield { ids, bytes: Buffer.concat(records) };
}

function diskFault(error: unknown, directory: string): Fault {
  if (error instanceof Fault) return error;
  const { message } = error as Error;
  return isFull(error)
    ? new Fault(
        'DISK_FULL',
        `no room in ${directory} for what waits for the broker: ${message}`,
        'make room: until then it is kept in memory only; harkd goes on by itself',
        { cause: error },
      )
    : new Fault(
        'OUTBOX_UNWRITABLE',
        `what waits for the broker cannot be kept in ${directory}: ${message}`,
        'let the user harkd runs as write there, or set stateDir to a folder that is writable',
        { cause: error },
      );
}

function damageOf(directory: string, found: Found): Fault | undefined {
  const stretches = found.flatMap(({ segment, decoded }) =>
    decoded.damaged.map(({ bytes }) => ({ bytes, file: path.basename(segment.file) })),
  );
  if (stretches.length === 0) return undefined;
  const bytes = stretches.reduce((sum, stretch) => sum + stretch.bytes, 0);
  const files = [...new Set(stretches.map(({ file }) => file))].join(', ');
  return new Fault(
    'OUTBOX_DAMAGED',
    `${bytes} bytes in ${stretches.length} places of ${path.join(directory, files)} cannot be read: transcripts that waited there are lost`,
    'the disk or SD card loses what is written to it: replace it, and check the power supply',
  );
}
