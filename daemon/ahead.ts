/**
 * Recognising ahead of time. While somebody speaks the recognizer has nothing to do; it may as well
 *
 * - recognise what is most likely the whole segment, during the silence that has to pass before it is one (eager
 *   finals), and
 * - recognise what has been said so far (partials).
 *
 * Neither changes a final: the result of work ahead is taken for a final only if it was made of the same samples.
 * Neither delays one: a run of the recognizer cannot be cancelled, and so it is started only when nothing else waits
 * and when, as fast as the last runs were, it will be over before it could be in the way. See docs/adr/0007.
 */
import { type Agreement, agree, textOf } from './agreement.ts';
import type { Emit, Recognition, Recognizer, Segment, Utterance } from './events.ts';
import type { Draft, Segmenter } from './segmenter.ts';

export type AheadOptions = {
  /** Start finals in the pause that may end the segment. */
  readonly eager: boolean;
  /** Recognise growing speech whenever there is this much more of it; undefined: not at all. */
  readonly partialEveryMs: number | undefined;
};

export type Recognized = {
  readonly recognition: Recognition;
  /** Time the recognizer took. */
  readonly tookMs: number;
};

/** What one run of the recognizer took, of how much sound. */
export type Run = { readonly samples: number; readonly tookMs: number };

/** The part of a run that does not grow with the sound is about that of a second of it. */
const fixedSamples = 16_000;
const rememberedRuns = 5;
const warmUpSamples = 16_000;
/** A partial waits for this many times as much new speech as it takes: partials of long speech cost at most a fifth. */
const pausesPerPartial = 4;
const samplesPerMs = 16;

/**
 * How long a run with so many samples is going to take: as long as the second slowest of the last ones, since one of
 * them may have met with a restart. Infinity as long as nothing is known.
 */
export function expectedMs(runs: readonly Run[], samples: number): number {
  const rates = runs.map((run) => run.tookMs / (run.samples + fixedSamples)).toSorted((a, b) => b - a);
  const rate = rates[1] ?? rates[0] ?? Number.POSITIVE_INFINITY;
  return rate * (samples + fixedSamples);
}

type Range = Omit<Utterance, 'samples'>;
const sameRange = (a: Range | undefined, b: Range): boolean =>
  a !== undefined && a.id === b.id && a.startSample === b.startSample && a.endSample === b.endSample;

export class Ahead {
  readonly #recognizer: Recognizer;
  readonly #emit: Emit;
  readonly #options: AheadOptions;

  #runs: readonly Run[] = [];
  /** Finals that were asked for and are not answered. */
  #finals = 0;
  /** Settles when the run ahead that is in flight is over; never rejects. */
  #running: Promise<void> | undefined;
  /** The last settled draft that was tried: not again, whatever came of it. */
  #tried: Range | undefined;
  #result: (Recognized & { readonly of: Range }) | undefined;
  /** The segment that is being spoken: what it was last tried with, and what its partials came to. */
  #open: { readonly id: string; triedEnd: number; rev: number; agreement: Agreement | undefined } | undefined;

  /** `options` are looked at anew each time: they may change. */
  constructor(recognizer: Recognizer, emit: Emit, options: AheadOptions) {
    this.#recognizer = recognizer;
    this.#emit = emit;
    this.#options = options;
  }

  /**
   * Recognises a second of silence, so that the first utterance finds a recognizer that is warm and whose speed is known.
   * The first run of a graph is slower than all others; that makes up for the words there are none of. Never rejects.
   */
  async warmUp(): Promise<void> {
    const { eager, partialEveryMs } = this.#options;
    const isOff = !eager && partialEveryMs === undefined;
    if (isOff || this.#runs.length > 0 || this.#running !== undefined || this.#finals > 0) return;
    const samples = new Float32Array(warmUpSamples);
    this.#running = this.#timed({ id: 'warm-up', startSample: 0, endSample: warmUpSamples, samples }, 'ahead')
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        this.#running = undefined;
      });
    await this.#running;
  }

  /**
   * Looks at what a segmenter has after a frame, and may start a recognition of it, unless finals are waiting. Never
   * waits itself.
   */
  consider(segmenter: Segmenter, finalsWaiting: number): void {
    const draft = segmenter.draft();
    if (draft?.id !== this.#open?.id) {
      this.#open =
        draft === undefined
          ? undefined
          : { id: draft.id, triedEnd: draft.endSample, rev: 0, agreement: undefined };
    }
    if (draft === undefined || this.#running !== undefined || this.#finals + finalsWaiting > 0) return;
    if (!this.#isDue(draft) || !this.#isHarmless(draft)) return;
    if (draft.state === 'settled') this.#tried = draft;
    if (this.#open !== undefined) this.#open.triedEnd = draft.endSample;
    this.#running = this.#run(segmenter.utterance(draft)).finally(() => {
      this.#running = undefined;
    });
  }

  /**
   * Recognises a segment, or hands over what is known of exactly these samples already. What runs ahead is waited for:
   * it cannot be cancelled, and most likely it is this.
   */
  async final(segment: Segment): Promise<Recognized> {
    this.#finals++;
    try {
      await this.#running;
      const known = this.#result;
      this.#result = undefined;
      if (known !== undefined && sameRange(known.of, segment)) return known;
      return await this.#timed(segment, 'final');
    } finally {
      this.#finals--;
    }
  }

  #isDue(draft: Draft): boolean {
    if (draft.state === 'settled') return this.#options.eager && !sameRange(this.#tried, draft);
    const { startSample, endSample } = draft;
    const restMs = pausesPerPartial * expectedMs(this.#runs, endSample - startSample);
    const fresh = endSample - (this.#open?.triedEnd ?? endSample);
    const everyMs = this.#options.partialEveryMs ?? Number.POSITIVE_INFINITY;
    return draft.state === 'speaking' && fresh >= Math.max(everyMs, restMs) * samplesPerMs;
  }

  /** Will it be over before another final can be due, with the run for that final that would be started ahead? */
  #isHarmless({ state, startSample, endSample, spareMs }: Draft): boolean {
    const runs = this.#options.eager && state === 'speaking' ? 2 : 1;
    return runs * expectedMs(this.#runs, endSample - startSample) <= spareMs;
  }

  async #run(utterance: Utterance): Promise<void> {
    const { id, startSample, endSample } = utterance;
    try {
      const recognized = await this.#timed(utterance, 'ahead');
      this.#result = { ...recognized, of: { id, startSample, endSample } };
      this.#publish(id, recognized.recognition);
    } catch {
      // whatever it was: the final is asked for in any case, and tells
    }
  }

  async #timed(utterance: Utterance, urgency: 'final' | 'ahead'): Promise<Recognized> {
    const startedAtMs = performance.now();
    const recognition = await this.#recognizer.transcribe(utterance, urgency);
    const tookMs = performance.now() - startedAtMs;
    this.#runs = [...this.#runs, { samples: utterance.samples.length, tookMs }].slice(-rememberedRuns);
    return { recognition, tookMs };
  }

  /** Says what has changed of a segment that is still open: once it is closed its final is what counts. */
  #publish(id: string, { text, language }: Recognition): void {
    const open = this.#open;
    if (open?.id !== id || text === '' || this.#options.partialEveryMs === undefined) return;
    const before = open.agreement === undefined ? undefined : textOf(open.agreement);
    open.agreement = agree(open.agreement, text);
    const now = textOf(open.agreement);
    if (before?.text === now.text && before.stableChars === now.stableChars) return;
    this.#emit({ type: 'partial', partial: { id, rev: ++open.rev, ...now, language } });
  }
}
