import type { DaemonEvent, Frame, Segment, Utterance } from './events.ts';
import { sampleRateHz } from './events.ts';

/** What a segmenter hears in a frame: that somebody started or stopped, and the speech itself. */
export type HeardEvent =
  | Extract<DaemonEvent, { type: 'speech-started' | 'speech-ended' }>
  | { readonly type: 'segment'; readonly segment: Segment };

/** Speech that still goes on, as far as it has been heard. */
export type Draft = Omit<Utterance, 'samples'> & {
  /**
   * `speaking`: the last frame was speech. `pausing`: it was not. `settled`: it has not been for so long that these
   * are exactly the samples of the segment to come, unless speech resumes.
   */
  readonly state: 'speaking' | 'pausing' | 'settled';
  /** A segment of other samples than a settled draft's is not closed before so much more sound, unless sound is lost. */
  readonly spareMs: number;
};

/** How much sound around the speech a model wants; what is not there (or belongs to another segment) is left out. */
export type Padding = {
  /** The pre-roll: a detector is sure of speech only after its onset ("s", "f", "h" are quiet). At most half a segment. */
  readonly beforeMs: number;
  /** At most the hangover, since nothing later has been heard when the segment is closed. */
  readonly afterMs: number;
};

export type SegmenterOptions = {
  readonly nextId: () => string;
  /** Speech starts in a frame at or above this probability … */
  readonly startThreshold?: number;
  /** … and goes on until a frame below this one. */
  readonly endThreshold?: number;
  /** Less speech than this is a click or a cough, and is never announced. */
  readonly minSpeechMs?: number;
  /** Silence that ends a segment. Shorter cuts people off who think; longer makes everybody wait. */
  readonly hangoverMs?: number;
  /** A draft is settled after this much silence, and not before the padding behind it is complete. */
  readonly settleMs?: number;
  readonly maxSegmentMs?: number;
  /** A segment that has to be cut is cut at the quietest point of its last `cutWithinMs`. */
  readonly cutWithinMs?: number;
  readonly padding?: Padding;
};

export const segmenterDefaults = {
  // Silero's own thresholds: 0.5, and 0.15 less to end
  startThreshold: 0.5,
  endThreshold: 0.35,
  // five frames: of six short words by seven synthetic voices "up" had the fewest, six to ten; "stop" twelve to 17
  minSpeechMs: 160,
  hangoverMs: 600,
  // longer than the closure of a "p", "t" or "k" (50-90 ms); a third of the hangover is left to recognise in
  settleMs: 200,
  // Whisper's window is 30 s
  maxSegmentMs: 28_000,
  cutWithinMs: 5_000,
  padding: { beforeMs: 480, afterMs: 320 },
} as const satisfies Omit<SegmenterOptions, 'nextId'>;

/** Positions are absolute, in samples since the source's epoch. What is held starts where the segment would. */
type Phase =
  | { readonly name: 'silence' }
  /** Speech that may still turn out to be a click: `spokenSamples` of it since `onset`. */
  | {
      readonly name: 'candidate';
      readonly onset: number;
      readonly spokenSamples: number;
      readonly speechEnd: number;
    }
  | { readonly name: 'speech'; readonly speechEnd: number };

const silence: Phase = { name: 'silence' };
const samplesPerMs = sampleRateHz / 1000;
/** 10 ms, the resolution of a cut. */
const blockSamples = 160;
/** 100 ms: longer than the closure of a "p", "t" or "k" (50-90 ms), so that a cut falls between words. */
const quietBlocks = 10;

/**
 * Turns frames and their probability of speech into segments. Pure but for the clock that stamps `closedAtMs`:
 * time is samples counted, and the result does not depend on how the sound was cut into frames.
 *
 * - Segments never overlap, are in order, and hold the source's samples at their positions.
 * - `speech-started` is said once `minSpeechMs` of speech have been heard, so it is always followed by
 *   `speech-ended` and a segment. Speech counts as one stretch until it has paused for `minSpeechMs` before it
 *   is announced, and for `hangoverMs` after.
 * - A segment of maximum length is cut in two that touch, and speech goes on. If there is silence at that
 *   moment the pause is taken to be long enough.
 * - A frame that does not start where the last one ended closes the segment: sound was lost in between.
 */
export class Segmenter {
  readonly #nextId: () => string;
  readonly #startThreshold: number;
  readonly #endThreshold: number;
  readonly #minSpeech: number;
  readonly #hangover: number;
  readonly #settle: number;
  readonly #maxSegment: number;
  readonly #cutWithin: number;
  readonly #before: number;
  readonly #after: number;

  #phase: Phase = silence;
  /** Samples [heldStart, heardEnd) lie in `#buffer` from `#offset` on. */
  #buffer: Float32Array;
  #offset = 0;
  #heldStart = 0;
  #heardEnd = 0;
  #anchor = { startSample: 0, atMs: 0 };
  #events: HeardEvent[] = [];
  /** Of the segment that is open; taken when it is first asked for, and so in the order in which segments close. */
  #openId: string | undefined;

  /** Throws RangeError if the options contradict each other. */
  constructor(options: SegmenterOptions) {
    const o = { ...segmenterDefaults, ...options };
    if (!(o.endThreshold <= o.startThreshold)) {
      throw new RangeError(
        `endThreshold is at most startThreshold (${o.startThreshold}), got ${o.endThreshold}`,
      );
    }
    // a cut leaves speech on both of its sides: pre-roll and minimum before it, minimum after it
    const beforeMs = Math.min(o.padding.beforeMs, o.maxSegmentMs / 2);
    const cutWithinMs = Math.min(o.cutWithinMs, o.maxSegmentMs - beforeMs - o.minSpeechMs);
    if (!(o.minSpeechMs > 0 && o.minSpeechMs < cutWithinMs)) {
      throw new RangeError(
        `minSpeechMs is above 0, below cutWithinMs (${o.cutWithinMs}) and a fourth of maxSegmentMs (${o.maxSegmentMs}), got ${o.minSpeechMs}`,
      );
    }
    if (!(o.hangoverMs > 0 && o.padding.beforeMs >= 0 && o.padding.afterMs >= 0)) {
      throw new RangeError(
        `expected a hangover above 0 and paddings of at least 0, got ${o.hangoverMs}, ${o.padding.beforeMs}, ${o.padding.afterMs}`,
      );
    }
    const samples = (ms: number): number => Math.round(ms * samplesPerMs);
    this.#nextId = o.nextId;
    this.#startThreshold = o.startThreshold;
    this.#endThreshold = o.endThreshold;
    this.#minSpeech = samples(o.minSpeechMs);
    this.#hangover = samples(o.hangoverMs);
    this.#maxSegment = samples(o.maxSegmentMs);
    this.#cutWithin = samples(cutWithinMs);
    this.#before = samples(beforeMs);
    this.#after = Math.min(samples(o.padding.afterMs), this.#hangover);
    this.#settle = Math.max(samples(o.settleMs), this.#after);
    this.#buffer = new Float32Array(this.#before + this.#maxSegment + sampleRateHz);
  }

  /** Nobody speaks, and nothing that may become speech has been heard. */
  get isSilent(): boolean {
    return this.#phase.name === 'silence';
  }

  /** Hears one frame, of any length, with its probability of speech. Answers what it made known, in order. */
  push(frame: Frame, probability: number): readonly HeardEvent[] {
    if (frame.startSample !== this.#heardEnd) this.#jumpTo(frame.startSample);
    // speech is going on if the last frame was speech: only then does the lower threshold hold
    const speaking = this.#phase.name !== 'silence' && this.#phase.speechEnd === this.#heardEnd;
    const isSpeech = probability >= (speaking ? this.#endThreshold : this.#startThreshold);

    this.#append(frame.samples);
    this.#anchor = { startSample: frame.startSample, atMs: frame.atMs };
    if (isSpeech) this.#speech(frame.startSample);
    this.#catchUp();
    return this.#taken();
  }

  /** The speech that goes on after the last frame, if there is any. The same whether anybody asks or not. */
  draft(): Draft | undefined {
    if (this.#phase.name !== 'speech') return undefined;
    const { speechEnd } = this.#phase;
    const silence = this.#heardEnd - speechEnd;
    const state = silence === 0 ? 'speaking' : silence < this.#settle ? 'pausing' : 'settled';
    const untilLimit = this.#heldStart + this.#maxSegment - this.#heardEnd;
    return {
      id: this.#idOfOpen(),
      startSample: this.#heldStart,
      endSample: Math.min(speechEnd + this.#after, this.#heardEnd),
      state,
      spareMs: Math.min(this.#hangover, untilLimit) / samplesPerMs,
    };
  }

  /** A copy of the sound of a draft that was made after the last frame. */
  utterance({ id, startSample, endSample }: Draft): Utterance {
    return { id, startSample, endSample, samples: this.#copy(startSample, endSample) };
  }

  /** The source has ended (or is muted): closes what is open. Sound may go on after it. */
  flush(): readonly HeardEvent[] {
    this.#interrupt('end-of-source');
    return this.#taken();
  }

  #speech(frameStart: number): void {
    const phase = this.#phase;
    const speechEnd = this.#heardEnd;
    if (phase.name === 'speech') {
      this.#phase = { name: 'speech', speechEnd };
      return;
    }
    const onset = phase.name === 'candidate' ? phase.onset : frameStart;
    const spokenSamples =
      (phase.name === 'candidate' ? phase.spokenSamples : 0) + (this.#heardEnd - frameStart);
    if (spokenSamples < this.#minSpeech) {
      this.#phase = { name: 'candidate', onset, spokenSamples, speechEnd };
      return;
    }
    this.#events.push({ type: 'speech-started', atMs: this.#timeOf(onset) });
    this.#phase = { name: 'speech', speechEnd };
  }

  /** Brings phase and buffer up to what has been heard. Of pause and maximum length the earlier one counts. */
  #catchUp(): void {
    while (this.#phase.name === 'speech') {
      const { speechEnd } = this.#phase;
      const limit = this.#heldStart + this.#maxSegment;
      if (this.#heardEnd < Math.min(speechEnd + this.#hangover, limit)) return;
      if (speechEnd < limit) {
        this.#endSpeech(speechEnd, 'pause');
      } else {
        // what is left holds enough speech to be worth recognising
        this.#close(this.#quietest(limit - this.#cutWithin, limit - this.#minSpeech), 'maximum-length');
      }
    }
    if (this.#phase.name === 'candidate') {
      if (this.#heardEnd < this.#phase.speechEnd + this.#minSpeech) return;
      this.#phase = silence;
    }
    this.#dropBefore(this.#heardEnd - this.#before);
  }

  #interrupt(cause: 'gap' | 'end-of-source'): void {
    if (this.#phase.name === 'speech') this.#endSpeech(this.#phase.speechEnd, cause);
    this.#phase = silence;
  }

  #jumpTo(startSample: number): void {
    this.#interrupt('gap');
    this.#heldStart = startSample;
    this.#heardEnd = startSample;
    this.#offset = 0;
  }

  #endSpeech(speechEnd: number, cause: Segment['cause']): void {
    this.#events.push({ type: 'speech-ended', atMs: this.#timeOf(speechEnd) });
    const limit = this.#heldStart + this.#maxSegment;
    this.#close(Math.min(speechEnd + this.#after, this.#heardEnd, limit), cause);
    this.#phase = silence;
  }

  #close(endSample: number, cause: Segment['cause']): void {
    const startSample = this.#heldStart;
    const segment: Segment = {
      id: this.#idOfOpen(),
      startSample,
      endSample,
      samples: this.#copy(startSample, endSample),
      startAtMs: this.#timeOf(startSample),
      closedAtMs: performance.now(),
      cause,
    };
    this.#openId = undefined;
    this.#events.push({ type: 'segment', segment });
    this.#dropBefore(endSample);
  }

  #idOfOpen(): string {
    this.#openId ??= this.#nextId();
    return this.#openId;
  }

  #copy(from: number, to: number): Float32Array {
    const offset = this.#offset - this.#heldStart;
    return this.#buffer.slice(offset + from, offset + to);
  }

  /** The middle of the quietest 100 ms of [from, to); the latest of equals. */
  #quietest(from: number, to: number): number {
    const first = this.#offset + from - this.#heldStart;
    const blocks = Math.floor((to - from) / blockSamples);
    const energies: number[] = [];
    let best = Number.POSITIVE_INFINITY;
    let bestBlock = 0;
    for (let block = 0; block < blocks; block++) {
      let energy = 0;
      for (let i = first + block * blockSamples; i < first + (block + 1) * blockSamples; i++) {
        energy += (this.#buffer[i] ?? 0) ** 2;
      }
      energies.push(energy);
      // summed anew: a running sum would keep the rounding of the loud blocks that have left it
      const sum = energies.slice(-quietBlocks).reduce((a, b) => a + b, 0);
      if (energies.length >= Math.min(quietBlocks, blocks) && sum <= best) {
        best = sum;
        bestBlock = block;
      }
    }
    const middle = from + (bestBlock + 1) * blockSamples - (quietBlocks / 2) * blockSamples;
    return Math.max(from + 1, Math.min(middle, to));
  }

  #append(samples: Float32Array): void {
    const held = this.#heardEnd - this.#heldStart;
    if (this.#offset + held + samples.length > this.#buffer.length) {
      const needed = held + samples.length;
      const target = needed > this.#buffer.length ? new Float32Array(needed * 2) : this.#buffer;
      target.set(this.#buffer.subarray(this.#offset, this.#offset + held));
      this.#buffer = target;
      this.#offset = 0;
    }
    this.#buffer.set(samples, this.#offset + held);
    this.#heardEnd += samples.length;
  }

  #dropBefore(position: number): void {
    if (position <= this.#heldStart) return;
    this.#offset += position - this.#heldStart;
    this.#heldStart = position;
  }

  #timeOf(position: number): number {
    return this.#anchor.atMs + (position - this.#anchor.startSample) / samplesPerMs;
  }

  #taken(): readonly HeardEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
