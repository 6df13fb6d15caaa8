/** Trying again: what may pass on its own, and how long to wait for it. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Trouble that may pass: a dropped connection, an overloaded server. Becomes a Fault when patience ends. */
export class PassingTrouble extends Error {
  /** What the other side asked for. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options?: ErrorOptions & { readonly retryAfterMs?: number | undefined }) {
    super(message, options);
    this.name = 'PassingTrouble';
    this.retryAfterMs = options?.retryAfterMs;
  }
}

export type Patience = {
  /** Tries without any progress between them. */
  readonly attempts: number;
  readonly firstMs: number;
  readonly mostMs: number;
};

/** About a minute of a router that restarts. */
export const usualPatience: Patience = { attempts: 7, firstMs: 500, mostMs: 20_000 };

/** A server that asks for longer than this is told goodbye instead. */
const longestRetryAfterMs = 120_000;

/**
 * Runs until it succeeds, throws something else than PassingTrouble, or runs out of attempts; then throws the last
 * trouble. `progress` counts what was gained: while it grows, attempts start over. Aborting `signal` throws its reason.
 */
export async function patiently<T>(
  run: () => Promise<T>,
  options: {
    readonly patience: Patience;
    readonly progress?: () => number;
    readonly signal: AbortSignal;
    /** Told of every trouble that is waited out. */
    readonly onWait?: ((trouble: PassingTrouble, waitMs: number) => void) | undefined;
  },
): Promise<T> {
  const { attempts, firstMs, mostMs } = options.patience;
  let gained = options.progress?.() ?? 0;
  for (let failures = 1; ; failures++) {
    options.signal.throwIfAborted();
    try {
      return await run();
    } catch (trouble) {
      options.signal.throwIfAborted();
      if (!(trouble instanceof PassingTrouble)) throw trouble;
      const now = options.progress?.() ?? 0;
      if (now > gained) failures = 1;
      gained = now;
      const asked = trouble.retryAfterMs ?? 0;
      if (failures >= attempts || asked > longestRetryAfterMs) throw trouble;
      const ceilingMs = Math.min(mostMs, firstMs * 2 ** (failures - 1));
      const waitMs = Math.max(asked, ceilingMs / 2 + (Math.random() * ceilingMs) / 2);
      options.onWait?.(trouble, waitMs);
      // an aborted wait is reported by the check above
      await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
    }
  }
}
