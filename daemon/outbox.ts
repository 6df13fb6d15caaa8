/**
 * What must be delivered, in order, however long it takes. This file imports nothing.
 *
 * The port is made for an implementation on disk: entries carry what is needed to tell, after a reboot, how old
 * they are and who made them; `peek` and `acknowledge` may take time. `append` may not: it is called on the path of
 * hearing, so an implementation on disk writes behind it.
 */

/** One thing to deliver. `id` is stable over redelivery, restarts and reboots. */
export type OutboxEntry = {
  readonly id: string;
  /** Unix time of its making. Across a reboot it is all there is to tell an age by; clocks step, so allow for it. */
  readonly createdAtMs: number;
  /** The run of the daemon that made it: an entry with another one than ours was left over by a run before. */
  readonly bootId: string;
  /** What to deliver, serialised by the sink that will deliver it. */
  readonly body: string;
};

/** Why entries were given up: too many, too many bytes, too old. */
export type OverflowReason = 'count' | 'bytes' | 'age';

export type Overflow = { readonly reason: OverflowReason; readonly entries: readonly OutboxEntry[] };

export type Outbox = {
  /** Takes an entry, at the end. Synchronous, total and O(1); what falls out at the other end is announced. */
  readonly append: (entry: OutboxEntry) => void;
  /**
   * The oldest entry not yet acknowledged: the cursor of the delivery. It stays until it is acknowledged or falls
   * out. Never rejects, nor does `acknowledge`: trouble with a disk is the outbox's own to announce.
   */
  readonly peek: () => Promise<OutboxEntry | undefined>;
  /** Forgets a delivered entry. One that fell out meanwhile, or was never here, is no error. */
  readonly acknowledge: (id: string) => Promise<void>;
  /** Tells `listener` of entries that were given up, oldest first, once for each reason that bit. It must not throw. */
  readonly onOverflow: (listener: (overflow: Overflow) => void) => void;
  /** How many wait to be acknowledged. */
  readonly depth: () => number;
  /** How many were given up since this outbox was opened. */
  readonly dropped: () => number;
  /** Makes durable what can be made durable. Belongs to whoever opened the outbox, after the sinks are closed. */
  readonly close: () => Promise<void>;
};

export type MemoryOutboxOptions = {
  /** A day of talk, one utterance every 8 s. */
  readonly maxEntries?: number;
  /** UTF-16 code units are counted as two bytes: that is what they take in memory. */
  readonly maxBytes?: number;
  readonly maxAgeMs?: number;
  /**
   * A clock that never steps, in ms. Ages are measured by it and not by `createdAtMs`: a Raspberry Pi has no
   * real-time clock, and the first NTP answer after boot would make every entry look months old.
   */
  readonly nowMs?: () => number;
  /** How old an entry is already when it is appended: for those that were kept elsewhere before. Default: 0. */
  readonly ageMsOf?: (entry: OutboxEntry) => number;
};

type Held = { readonly entry: OutboxEntry; readonly bytes: number; readonly heldSinceMs: number };

/** An outbox that lives as long as the process: it survives any absence of the broker, but not a crash or a reboot. */
export function memoryOutbox(options: MemoryOutboxOptions = {}): Outbox {
  const maxEntries = options.maxEntries ?? 10_000;
  const maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
  const maxAgeMs = options.maxAgeMs ?? 7 * 24 * 3600 * 1000;
  const nowMs = options.nowMs ?? (() => performance.now());
  const ageMsOf = options.ageMsOf ?? (() => 0);

  // a Map iterates in order of insertion, finds by id and deletes in O(1)
  const held = new Map<string, Held>();
  let heldBytes = 0;
  let dropped = 0;
  const listeners: ((overflow: Overflow) => void)[] = [];

  function forget(id: string): void {
    const found = held.get(id);
    if (found === undefined) return;
    held.delete(id);
    heldBytes -= found.bytes;
  }

  function giveUpWhile(reason: OverflowReason, tooMuch: (oldest: Held) => boolean): void {
    const entries: OutboxEntry[] = [];
    for (const oldest of held.values()) {
      if (!tooMuch(oldest)) break;
      forget(oldest.entry.id);
      entries.push(oldest.entry);
    }
    announce(reason, entries);
  }

  function announce(reason: OverflowReason, entries: readonly OutboxEntry[]): void {
    if (entries.length === 0) return;
    dropped += entries.length;
    for (const listener of listeners) listener({ reason, entries });
  }

  function expire(): void {
    const bornBeforeMs = nowMs() - maxAgeMs;
    giveUpWhile('age', (oldest) => oldest.heldSinceMs < bornBeforeMs);
  }

  return {
    append(entry) {
      // the same id again is the same thing: delivering it once is enough, and its place in the order is the first
      if (held.has(entry.id)) return;
      const bytes = 2 * (entry.id.length + entry.bootId.length + entry.body.length);
      if (bytes > maxBytes) {
        // emptying the whole box would not make room for it
        announce('bytes', [entry]);
        return;
      }
      expire();
      giveUpWhile('count', () => held.size >= maxEntries);
      giveUpWhile('bytes', () => heldBytes + bytes > maxBytes);
      held.set(entry.id, { entry, bytes, heldSinceMs: nowMs() - ageMsOf(entry) });
      heldBytes += bytes;
    },
    async peek() {
      expire();
      for (const oldest of held.values()) return oldest.entry;
      return undefined;
    },
    async acknowledge(id) {
      forget(id);
    },
    onOverflow: (listener) => void listeners.push(listener),
    depth: () => held.size,
    dropped: () => dropped,
    async close() {},
  };
}
