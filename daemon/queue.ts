import type { Segment } from './events.ts';
import { sampleRateHz } from './events.ts';

/** Two minutes: what a slow machine may fall behind before the answer is of no use to anybody. 7.7 MB. */
export const defaultCapacityS = 120;

/**
 * Segments waiting for the recognizer, in order, bounded by seconds of sound.
 *
 * When it overflows the **oldest** are dropped. A person who is not answered says it again, and a light that
 * turns on two minutes late is worse than one that does not; what was said last is what is still wanted. The
 * newest segment is kept even if it alone is longer than the queue. Nothing is dropped silently: `push` hands
 * back what it dropped. A source that can wait (a file) does so with `below` and never overflows.
 */
export class SegmentQueue {
  readonly #capacitySamples: number;
  readonly #waiting: Segment[] = [];
  #heldSamples = 0;
  #closed = false;
  #taker: (() => void) | undefined;
  readonly #pushers = new Set<() => void>();

  constructor(capacityS: number = defaultCapacityS) {
    if (!(capacityS > 0)) throw new RangeError(`a queue holds more than 0 s, got ${capacityS}`);
    this.#capacitySamples = capacityS * sampleRateHz;
  }

  /** Adds a segment. Answers the older ones that had to make room for it, oldest first. Throws after `close`. */
  push(segment: Segment): readonly Segment[] {
    if (this.#closed) throw new Error(`segment ${segment.id} was pushed into a closed queue`);
    this.#waiting.push(segment);
    this.#heldSamples += segment.samples.length;
    const dropped: Segment[] = [];
    while (this.#heldSamples > this.#capacitySamples && this.#waiting.length > 1) {
      const oldest = this.#shift();
      if (oldest !== undefined) dropped.push(oldest);
    }
    this.#taker?.();
    return dropped;
  }

  /**
   * The oldest segment, as soon as there is one; `undefined` when the queue is closed and empty, or `signal` aborts.
   * One taker at a time: a second one would break the order of transcripts, and throws.
   */
  async take(signal: AbortSignal): Promise<Segment | undefined> {
    if (this.#taker !== undefined) throw new Error('the queue has a taker already');
    while (!signal.aborted) {
      const segment = this.#shift();
      if (segment !== undefined) {
        for (const wake of this.#pushers) wake();
        return segment;
      }
      if (this.#closed) return undefined;
      await woken(signal, (wake) => {
        this.#taker = wake;
      });
      this.#taker = undefined;
    }
    return undefined;
  }

  /** Resolves once less than `depthS` seconds wait, or `signal` aborts. For sources that can wait. */
  async below(depthS: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.depthS >= depthS) {
      let waiter: (() => void) | undefined;
      await woken(signal, (wake) => {
        waiter = wake;
        this.#pushers.add(wake);
      });
      if (waiter !== undefined) this.#pushers.delete(waiter);
    }
  }

  /** No more will come; what waits can still be taken. */
  close(): void {
    this.#closed = true;
    this.#taker?.();
  }

  /** Takes all that waits, oldest first: for who gives up, and must say what is lost. */
  takeAll(): readonly Segment[] {
    this.#heldSamples = 0;
    return this.#waiting.splice(0);
  }

  /** Seconds of sound that wait. */
  get depthS(): number {
    return this.#heldSamples / sampleRateHz;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** How long the oldest has waited since it was closed; 0 if none waits. */
  oldestMs(nowMs: number = performance.now()): number {
    const oldest = this.#waiting[0];
    return oldest === undefined ? 0 : Math.max(0, nowMs - oldest.closedAtMs);
  }

  #shift(): Segment | undefined {
    const segment = this.#waiting.shift();
    if (segment !== undefined) this.#heldSamples -= segment.samples.length;
    return segment;
  }
}

/** Resolves when the function handed to `register` is called, or `signal` aborts. */
function woken(signal: AbortSignal, register: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      signal.removeEventListener('abort', wake);
      resolve();
    };
    signal.addEventListener('abort', wake, { once: true });
    register(wake);
  });
}
