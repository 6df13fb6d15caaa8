/**
 * How long to wait before try number `attempt` (0, 1, 2 …): doubling from `firstMs` to at most `mostMs`,
 * with "equal jitter" (half fixed, half random), so that many daemons that lost the same thing do not
 * come back in step. Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffMs(
  attempt: number,
  { firstMs, mostMs }: { readonly firstMs: number; readonly mostMs: number },
  random: () => number = Math.random,
): number {
  const ceilingMs = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
  return ceilingMs / 2 + (random() * ceilingMs) / 2;
}

/** Resolves after `durationMs`, or at once when `signal` aborts; never rejects. */
export function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, durationMs);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Resolves when `signal` aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
