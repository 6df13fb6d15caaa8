import type { Frame } from '../events.ts';
import { frameSamples, sampleRateHz } from '../events.ts';

/** A frame's samples and where they lie; whoever owns the clock says when that was. */
export type PlacedFrame = { readonly samples: Float32Array; readonly startSample: number };

/**
 * Cuts a stream of any pieces into frames of 512 samples and counts them. Samples are never invented: after a gap
 * the count jumps, and only the last frame of a source that ends is shorter.
 */
export class Framer {
  #held = new Float32Array(frameSamples);
  #heldCount = 0;
  #nextSample = 0;

  /** The position the next sample pushed will have. */
  get position(): number {
    return this.#nextSample + this.#heldCount;
  }

  /** Takes samples that follow the last ones. Answers the frames they complete. */
  push(samples: Float32Array): PlacedFrame[] {
    const frames: PlacedFrame[] = [];
    let at = 0;
    while (at < samples.length) {
      const piece = samples.subarray(at, at + frameSamples - this.#heldCount);
      this.#held.set(piece, this.#heldCount);
      this.#heldCount += piece.length;
      at += piece.length;
      if (this.#heldCount === frameSamples) frames.push(this.#finish());
    }
    return frames;
  }

  /**
   * Says that the next sample lies at `position`, because sound between was lost. The started frame, at most 32 ms,
   * is lost with it: half a frame before a gap says nothing to the detector.
   * @throws RangeError for a position that was already passed: two frames would overlap.
   */
  jumpTo(position: number): void {
    if (position < this.position) {
      throw new RangeError(`position is ${position}, at least ${this.position} expected`);
    }
    this.#nextSample = position;
    this.#heldCount = 0;
  }

  /** Ends the stream. Answers the last, shorter frame, if there is one. */
  end(): PlacedFrame | undefined {
    return this.#heldCount === 0 ? undefined : this.#finish();
  }

  #finish(): PlacedFrame {
    const frame = { samples: this.#held.subarray(0, this.#heldCount), startSample: this.#nextSample };
    this.#nextSample += this.#heldCount;
    this.#held = new Float32Array(frameSamples);
    this.#heldCount = 0;
    return frame;
  }
}

/** Unbroken sound as frames that begin at `epochMs`. The last one is as long as what is left. */
export async function* framesOf(chunks: AsyncIterable<Float32Array>, epochMs: number): AsyncGenerator<Frame> {
  const framer = new Framer();
  const timed = (frame: PlacedFrame): Frame => ({
    ...frame,
    atMs: epochMs + (frame.startSample / sampleRateHz) * 1000,
  });
  for await (const chunk of chunks) {
    for (const frame of framer.push(chunk)) yield timed(frame);
  }
  const last = framer.end();
  if (last !== undefined) yield timed(last);
}
