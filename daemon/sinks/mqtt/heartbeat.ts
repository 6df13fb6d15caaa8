export type Heartbeat = {
  /** The next beat comes in `inMs`, unless it comes earlier anyway. Never from inside this call. */
  readonly within: (inMs: number) => void;
  readonly stop: () => void;
};

/** Calls `beat` every `intervalMs`, and sooner when asked to. The interval counts from the last beat. */
export function startHeartbeat(intervalMs: number, beat: () => void): Heartbeat {
  let timer: NodeJS.Timeout | undefined;
  let dueAtMs = Number.POSITIVE_INFINITY;
  let stopped = false;

  function within(inMs: number): void {
    const wantedAtMs = performance.now() + inMs;
    if (stopped || wantedAtMs >= dueAtMs) return;
    dueAtMs = wantedAtMs;
    clearTimeout(timer);
    timer = setTimeout(() => {
      dueAtMs = Number.POSITIVE_INFINITY;
      within(intervalMs);
      beat();
    }, inMs);
  }
  within(intervalMs);

  return {
    within,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
