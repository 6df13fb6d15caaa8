/**
 * What is live and what is replayed, for whoever delivers from an outbox. This file imports nothing.
 *
 * An entry is replayed if a run before ours made it, if it went out before and the answer was lost (so somebody may
 * have it already), or if it is older than `afterMs`. Everything else is live: what was just said, for the first time.
 */

type Entry = { readonly id: string; readonly bootId: string };

export type Replay = {
  readonly appended: (entry: Entry) => void;
  /** It goes out: from now on it is replayed. */
  readonly attempted: (entry: Entry) => void;
  /** It is delivered, or given up. */
  readonly gone: (id: string) => void;
  /** Since it was appended, by a clock that does not step; undefined for what a run before left. */
  readonly ageMs: (entry: Entry) => number | undefined;
  readonly isReplayed: (entry: Entry) => boolean;
};

export function replayOf(options: { readonly bootId: string; readonly afterMs: number }): Replay {
  const appendedAtMs = new Map<string, number>();
  let attemptedId: string | undefined;

  function ageMs({ id, bootId }: Entry): number | undefined {
    const sinceMs = appendedAtMs.get(id);
    return sinceMs === undefined || bootId !== options.bootId ? undefined : performance.now() - sinceMs;
  }

  return {
    appended: ({ id }) => void appendedAtMs.set(id, performance.now()),
    attempted: ({ id }) => {
      attemptedId = id;
    },
    gone: (id) => void appendedAtMs.delete(id),
    ageMs,
    isReplayed(entry) {
      const age = ageMs(entry);
      return entry.id === attemptedId || age === undefined || age > options.afterMs;
    },
  };
}
