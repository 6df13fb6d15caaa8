/** One line that rewrites itself on a terminal, at most ten times a second; nothing where nobody watches. */
export type Progress = {
  readonly show: (line: string) => void;
  /** Removes the line, so that what is written next starts clean. */
  readonly clear: () => void;
};

const everyMs = 100;

export function progressLine(write: (text: string) => void, isTty: boolean): Progress {
  if (!isTty) return { show: () => undefined, clear: () => undefined };
  let shownAtMs = Number.NEGATIVE_INFINITY;
  let visible = false;
  return {
    show(line) {
      const nowMs = performance.now();
      if (nowMs - shownAtMs < everyMs) return;
      shownAtMs = nowMs;
      visible = true;
      write(`\r\x1b[K${line}`);
    },
    clear() {
      if (visible) write('\r\x1b[K');
      visible = false;
    },
  };
}

/** 3 723 000 ms as `1:02:03`. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** How fast something goes on, from a moment on. */
export class Pace {
  #fromMs = 0;
  #sinceMs = performance.now();

  /** What was done until here went by another pace. */
  restart(doneMs: number): void {
    this.#fromMs = doneMs;
    this.#sinceMs = performance.now();
  }

  /** Milliseconds of sound in a millisecond; undefined in the first second, when it would be a guess. */
  speed(doneMs: number): number | undefined {
    const elapsedMs = performance.now() - this.#sinceMs;
    return elapsedMs < 1000 || doneMs <= this.#fromMs ? undefined : (doneMs - this.#fromMs) / elapsedMs;
  }
}
