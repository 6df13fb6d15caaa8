import { sampleRateHz } from '../events.ts';

/**
 * Says when a sample of a live source was spoken.
 *
 * Positions are counted and never corrected: they jump forward where sound was lost and are whole otherwise, so
 * that no frame can overlap another. What is corrected is the *time* of a position. A sound card's crystal is wrong
 * by up to some hundred parts in a million: 100 ppm are 8.6 s a day.
 *
 * The rule: a piece of sound can arrive late (a busy machine) but never early, so the earliest arrival within 10 s
 * tells where the card's clock really is. If it differs from the reckoning by more than 20 ms, the reckoning is
 * moved by at most 10 ms, 0.1 %. If sound is missing by more than half a second and nobody said so, it was lost.
 * The wall clock is read anew with every piece, since a Pi without a real-time clock sets it after the start:
 * a step of more than 100 ms moves the time of every later sample.
 */
export class SampleClock {
  /** Monotonic time of sample 0. */
  #zeroAtMs: number | undefined;
  /** Unix time minus monotonic time. */
  #wallOffsetMs = 0;
  #windowEndsAtMs = 0;
  #earliestMs = Number.POSITIVE_INFINITY;

  /** Where the first `count` samples of a fresh recording begin: not before `position`, and later by the gap. */
  resume(position: number, count: number, arrivedAtMs: number): number {
    const spokenAtMs = arrivedAtMs - msOf(count);
    this.#beginWindow(arrivedAtMs);
    if (this.#zeroAtMs === undefined) {
      this.#zeroAtMs = spokenAtMs - msOf(position);
      return position;
    }
    return Math.max(position, Math.round(((spokenAtMs - this.#zeroAtMs) * sampleRateHz) / 1000));
  }

  /**
   * Notes that the sound before `endSample` had arrived; `wallOffsetMs` is Unix time minus monotonic time.
   * Answers how much was lost without a word, in ms.
   */
  observe(endSample: number, arrivedAtMs: number, wallOffsetMs: number): number {
    if (Math.abs(wallOffsetMs - this.#wallOffsetMs) > wallStepMs) this.#wallOffsetMs = wallOffsetMs;
    this.#zeroAtMs ??= arrivedAtMs - msOf(endSample);
    this.#earliestMs = Math.min(this.#earliestMs, arrivedAtMs - msOf(endSample));
    if (arrivedAtMs < this.#windowEndsAtMs) return 0;
    const lateMs = this.#earliestMs - this.#zeroAtMs;
    this.#beginWindow(arrivedAtMs);
    if (lateMs > lostMs) return lateMs;
    if (Math.abs(lateMs) > toleranceMs) {
      this.#zeroAtMs += Math.sign(lateMs) * Math.min(Math.abs(lateMs) - toleranceMs, slewMs);
    }
    return 0;
  }

  /** The Unix time of a sample. */
  atMs(sample: number): number {
    return (this.#zeroAtMs ?? 0) + this.#wallOffsetMs + msOf(sample);
  }

  #beginWindow(nowMs: number): void {
    this.#windowEndsAtMs = nowMs + windowMs;
    this.#earliestMs = Number.POSITIVE_INFINITY;
  }
}

const windowMs = 10_000;
const toleranceMs = 20;
const slewMs = 10;
const lostMs = 500;
const wallStepMs = 100;

function msOf(samples: number): number {
  return (samples / sampleRateHz) * 1000;
}
