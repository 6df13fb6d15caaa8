/**
 * What happens in time: two loops and a queue.
 *
 *   hear:       source -> probability of speech -> segmenter -> queue
 *   recognise:  queue -> recognizer -> transcript
 *
 * Neither loop waits for the other: a slow recognizer fills the queue, and a full queue says what it drops. When
 * nothing waits, speech that still goes on may be recognised ahead of time (ahead.ts).
 */
import { Ahead, type AheadOptions, type Recognized } from './ahead.ts';
import type {
  AudioSource,
  DaemonEvent,
  DetectSpeech,
  Emit,
  Frame,
  Recognizer,
  Segment,
  Transcript,
} from './events.ts';
import { sampleRateHz } from './events.ts';
import { toFault } from './faults.ts';
import type { MuteSwitch } from './mute.ts';
import type { SegmentQueue } from './queue.ts';
import type { HeardEvent, Segmenter } from './segmenter.ts';
import { untilAborted } from './waiting.ts';

export type PipelineOptions = {
  readonly source: AudioSource;
  readonly detectSpeech: DetectSpeech;
  /** A segmenter for each stretch of listening: muting ends a stretch. */
  readonly createSegmenter: () => Segmenter;
  /**
   * What segmenters are made by at present, compared one by one. When something is another than for the segmenter at work,
   * there is a new one at the next silence; what it did not hear of the pre-roll is lost.
   */
  readonly segmenterSettings?: () => readonly unknown[];
  /** Aborts when a stretch of listening has to end so that another begins: `source` opens something else. */
  readonly sourceChanged?: () => AbortSignal;
  readonly queue: SegmentQueue;
  readonly recognizer: Recognizer;
  readonly mute: MuteSwitch;
  readonly emit: Emit;
  /** What is true when a transcript is made: who heard it, and with what. */
  readonly origin: () => { readonly model: string; readonly provider: string; readonly microphone: string };
  /** Aborting stops hearing; what was heard until then is still recognised. */
  readonly signal: AbortSignal;
  /**
   * Aborting gives up what waits for the recognizer; each segment is announced as dropped. Who aborts it also closes
   * the recognizer, or the segment it is working on is still waited for.
   */
  readonly giveUp: AbortSignal;
  /**
   * A microphone cannot wait: when the queue is full, sound is dropped and that is said. A file can: hearing stops
   * while more than this many seconds wait.
   */
  readonly waitAboveS?: number;
  /** What to recognise ahead of time. For sources that come as fast as they are spoken; default: nothing. */
  readonly ahead?: AheadOptions;
  /** Settles when the recognizer can be asked for the first time. Left out, it is not warmed up. */
  readonly recognizerLoaded?: Promise<unknown>;
};

/**
 * While nobody speaks, the detector looks at so many frames together, 192 ms: the first pays for the filling of cold
 * caches (0.4 ms instead of 0.2 ms), the others do not. That speech is noticed up to 160 ms later costs nothing, since
 * the pre-roll is kept; from then on, until the segment is closed, each frame is looked at when it comes.
 */
export const framesInSilence = 6;

const msOf = (samples: number): number => (samples / sampleRateHz) * 1000;

/** Runs until the source ends or `signal` aborts, and every segment heard has been recognised or given up. */
export async function listen(options: PipelineOptions): Promise<void> {
  const { queue, recognizer, emit } = options;
  const ahead = new Ahead(recognizer, emit, options.ahead ?? { eager: false, partialEveryMs: undefined });
  const recognising = recognise(options, ahead);
  // whoever it concerns is told by the recognizer itself if it cannot be loaded
  options.recognizerLoaded?.then(
    () => ahead.warmUp(),
    () => undefined,
  );
  try {
    await hear(options, ahead);
  } finally {
    queue.close();
    await recognising;
    // only who gave up leaves something behind
    for (const segment of queue.takeAll()) drop(segment, 'stopping', emit);
  }
}

async function hear(options: PipelineOptions, ahead: Ahead): Promise<void> {
  const { source, detectSpeech, createSegmenter, queue, mute, emit, signal, giveUp, waitAboveS } = options;
  const { segmenterSettings = () => [], sourceChanged } = options;
  const enqueue = (segment: Segment): void => {
    for (const dropped of queue.push(segment)) drop(dropped, 'queue-full', emit);
    announceQueue(queue, emit);
  };
  const tell = (heard: readonly HeardEvent[]): void => {
    for (const event of heard) {
      if (event.type === 'segment') enqueue(event.segment);
      else emit({ type: event.type, atMs: event.atMs });
    }
  };
  while (!signal.aborted) {
    if (mute.muted) {
      await untilAborted(AbortSignal.any([signal, mute.changed]));
      continue;
    }
    const stretch = AbortSignal.any([signal, mute.changed, ...(sourceChanged ? [sourceChanged()] : [])]);
    let settings = segmenterSettings();
    let segmenter = createSegmenter();
    let held: Frame[] = [];
    const detect = async (): Promise<void> => {
      if (held.length === 0) return;
      const frames = held;
      held = [];
      const probabilities = await detectSpeech(frames);
      for (const [index, frame] of frames.entries()) tell(segmenter.push(frame, probabilities[index] ?? 0));
    };
    for await (const frame of source(stretch)) {
      const last = held.at(-1);
      // a run is over frames that follow one another
      if (last !== undefined && frame.startSample !== last.startSample + last.samples.length) await detect();
      held.push(frame);
      if (segmenter.isSilent && held.length < framesInSilence) continue;
      await detect();
      if (segmenter.isSilent && segmenterSettings().some((value, i) => value !== settings[i])) {
        settings = segmenterSettings();
        segmenter = createSegmenter();
      }
      ahead.consider(segmenter, queue.length);
      if (waitAboveS !== undefined) await queue.below(waitAboveS, giveUp);
    }
    await detect();
    tell(segmenter.flush());
    ahead.consider(segmenter, queue.length);
    // a stretch that nobody cut short is a source that ended
    if (!stretch.aborted) return;
  }
}

async function recognise({ queue, emit, origin, giveUp }: PipelineOptions, ahead: Ahead): Promise<void> {
  let seq = 0;
  for (;;) {
    const segment = await queue.take(giveUp);
    if (segment === undefined) return;
    const durationMs = msOf(segment.samples.length);
    let recognized: Recognized;
    try {
      recognized = await ahead.final(segment);
    } catch (error) {
      const { code, message, hint } = toFault(error);
      if (!giveUp.aborted) emit({ type: 'fault', component: 'recognizer', code, message, hint });
      drop(segment, giveUp.aborted ? 'stopping' : 'recognizer-failed', emit);
      continue;
    } finally {
      announceQueue(queue, emit);
    }
    const { recognition, tookMs } = recognized;
    if (recognition.text === '') {
      const rejected = recognition.rejected ?? 'empty';
      emit({ type: 'segment-empty', segmentId: segment.id, durationMs, rejected });
      continue;
    }
    const transcript: Transcript = {
      id: segment.id,
      seq: ++seq,
      text: recognition.text,
      language: recognition.language,
      start: new Date(segment.startAtMs).toISOString(),
      end: new Date(segment.startAtMs + durationMs).toISOString(),
      durationMs: Math.round(durationMs),
      latencyMs: Math.round(performance.now() - segment.closedAtMs),
      rtf: Number((tookMs / durationMs).toFixed(4)),
      confidence: Number(Math.exp(recognition.avgLogProb).toFixed(4)),
      ...origin(),
    };
    emit({ type: 'transcript', transcript });
  }
}

type DropReason = Extract<DaemonEvent, { type: 'segment-dropped' }>['reason'];

function drop({ id, samples }: Segment, reason: DropReason, emit: Emit): void {
  emit({ type: 'segment-dropped', segmentId: id, durationMs: msOf(samples.length), reason });
}

function announceQueue(queue: SegmentQueue, emit: Emit): void {
  emit({ type: 'queue', depthS: queue.depthS, oldestMs: queue.oldestMs() });
}
