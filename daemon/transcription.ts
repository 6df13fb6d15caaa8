/**
 * A recording from sound to recognised segments. Unlike listening to a microphone (pipeline.ts) it can wait and it
 * can look ahead: hearing runs ahead of recognising by a bounded length of sound, frames are given to the detector
 * many at a time, and the first segment that fails ends it, because a text with a hole in it would look complete.
 * What it holds does not depend on how long the recording is.
 */
import { Framer, type PlacedFrame } from './capture/frames.ts';
import { type DetectSpeech, type Segment, sampleRateHz } from './events.ts';
import type { HeardEvent, Segmenter } from './segmenter.ts';
import { sequenceFrames } from './vad.ts';
import { untilAborted } from './waiting.ts';

export type TranscriptionOptions<Answer> = {
  /** Mono [-1, 1] at 16 kHz. Closed when the transcription ends, however it ends. */
  readonly chunks: AsyncIterable<Float32Array>;
  readonly detectSpeech: DetectSpeech;
  /** Frames given to the detector at a time; default: as many as suit a detector that takes many in one run. */
  readonly framesAtOnce?: number;
  readonly segmenter: Segmenter;
  /** Called in the order of the segments, several before the first has answered. */
  readonly recognize: (segment: Segment) => Promise<Answer>;
  /** Takes the answers, in the order of the segments. */
  readonly take: (place: Place, answer: Answer) => void;
  /** Told as hearing moves on: samples from the beginning. */
  readonly onHeard: (samples: number) => void;
  /** Speech that may wait for the recognizer before hearing pauses, in seconds. */
  readonly aheadS: number;
  /** Aborting ends it where it is; what was not taken is lost. */
  readonly signal: AbortSignal;
};

/** Where a segment lies in the recording, in samples. */
export type Place = Pick<Segment, 'startSample' | 'endSample'>;

/**
 * Hears and recognises all of a recording. Resolves when every answer has been taken, or `signal` has aborted.
 * Rejects with what reading, detecting, recognising or taking threw first.
 */
export async function transcribeSound<Answer>(options: TranscriptionOptions<Answer>): Promise<void> {
  const { recognize, take, aheadS, signal } = options;
  const failed = new AbortController();
  // by a signal of its own, so that many recordings do not leave many listeners on the one they share
  const aborted = untilAborted(AbortSignal.any([signal]));
  const inFlight: Promise<void>[] = [];
  let waitingSamples = 0;
  let last: Promise<void> = Promise.resolve();
  for await (const segment of segmentsOf(options, AbortSignal.any([signal, failed.signal]))) {
    const { startSample, endSample } = segment;
    const length = segment.samples.length;
    const answer = recognize(segment);
    waitingSamples += length;
    last = Promise.all([answer, last]).then(([answered]) => {
      waitingSamples -= length;
      take({ startSample, endSample }, answered);
    });
    // noticed at once, told below
    last.catch(() => failed.abort());
    inFlight.push(last);
    while (waitingSamples > aheadS * sampleRateHz && !signal.aborted) {
      await Promise.race([inFlight.shift(), aborted]);
    }
  }
  await Promise.race([last, aborted]);
}

type Hearing = Pick<
  TranscriptionOptions<unknown>,
  'chunks' | 'detectSpeech' | 'framesAtOnce' | 'segmenter' | 'onHeard'
>;

/** The segments of a recording as they are heard. Ends early, without its last segments, when `signal` aborts. */
async function* segmentsOf(
  { chunks, detectSpeech, framesAtOnce = sequenceFrames, segmenter, onHeard }: Hearing,
  signal: AbortSignal,
): AsyncGenerator<Segment> {
  const framer = new Framer();
  let frames: PlacedFrame[] = [];
  const hear = async (): Promise<Segment[]> => {
    const heard = frames.map((frame) => ({ ...frame, atMs: (frame.startSample / sampleRateHz) * 1000 }));
    frames = [];
    const probabilities = await detectSpeech(heard);
    const segments = heard.flatMap((frame, i) => segmentsIn(segmenter.push(frame, probabilities[i] ?? 0)));
    onHeard(framer.position);
    return segments;
  };
  for await (const chunk of chunks) {
    if (signal.aborted) return;
    for (const frame of framer.push(chunk)) {
      frames.push(frame);
      if (frames.length === framesAtOnce) yield* await hear();
    }
  }
  const rest = framer.end();
  if (rest !== undefined) frames.push(rest);
  if (signal.aborted) return;
  yield* await hear();
  yield* segmentsIn(segmenter.flush());
}

function segmentsIn(events: readonly HeardEvent[]): Segment[] {
  return events.flatMap((event) => (event.type === 'segment' ? [event.segment] : []));
}
