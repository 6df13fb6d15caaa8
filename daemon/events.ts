/**
 * The words that travel through the daemon. This file imports nothing: everything may know it.
 * Sound is 16 kHz mono float32 in [-1, 1]; positions are counted in samples since the source's epoch.
 */

export const sampleRateHz = 16_000;

/** 32 ms: the window of the voice-activity detector, and the unit the whole pipeline moves in. */
export const frameSamples = 512;

/**
 * One frame of sound. `startSample` counts from the start of the source and jumps forward where sound was
 * lost (overrun, unplugged microphone), so that a gap is visible to whoever compares two frames.
 * `atMs` is the Unix time of the first sample by the sample clock.
 * `samples` holds 512 samples; only the last frame of a source that ends is shorter, and is never padded here:
 * who needs a whole window (the detector) pads for itself, so that every count of samples stays exact.
 */
export type Frame = {
  readonly samples: Float32Array;
  readonly startSample: number;
  readonly atMs: number;
};

/** A source of sound. Ends when the sound ends (files) or `signal` aborts; never throws past its owner's retries. */
export type AudioSource = (signal: AbortSignal) => AsyncIterable<Frame>;

/**
 * Probability of speech, [0, 1], in each of some frames that follow one another. Keeps its own recurrent state, and
 * resets it where a call does not continue the last one. The answer may lie in memory that the next call overwrites.
 */
export type DetectSpeech = (frames: readonly Frame[]) => Promise<ArrayLike<number>>;

/** Sound to be recognised: a segment, or speech that still goes on as far as it has been heard. */
export type Utterance = {
  /** Of the segment, also while that is still growing. */
  readonly id: string;
  readonly startSample: number;
  readonly endSample: number;
  /** Exactly `endSample - startSample` samples. */
  readonly samples: Float32Array;
  /** A code the model knows, or `auto` to listen for which it is. Left out, what the recognizer was set up with. */
  readonly language?: string;
};

/** A stretch of speech with its padding, ready to be recognised. */
export type Segment = Utterance & {
  /** Unix time of the first sample by the sample clock. */
  readonly startAtMs: number;
  /** Monotonic time (performance.now) at which the segment was closed: latency is counted from here. */
  readonly closedAtMs: number;
  /** Why it ended: a pause, the maximum length, a gap in the sound, or the end of the source. */
  readonly cause: 'pause' | 'maximum-length' | 'gap' | 'end-of-source';
};

/** A piece of recognised text inside a segment; times are relative to the start of the segment. */
export type RecognizedPiece = {
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly avgLogProb: number;
  readonly noSpeechProb: number | undefined;
};

/** A word with its place in the segment, and how sure the model was of it. */
export type RecognizedWord = {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly prob: number;
};

/** What the recognizer says of one segment. `text` is empty when there was nothing to hear. */
export type Recognition = {
  readonly text: string;
  readonly language: string;
  readonly avgLogProb: number;
  readonly noSpeechProb: number | undefined;
  readonly compressionRatio: number;
  readonly temperature: number;
  readonly tokens: readonly number[];
  readonly pieces: readonly RecognizedPiece[];
  readonly words?: readonly RecognizedWord[];
  /** Why text was withheld, if it was: nothing decoded, a guess below the thresholds, or a loop. */
  readonly rejected?: 'empty' | 'no-speech' | 'low-log-prob' | 'repetition';
  readonly timings: { readonly melMs: number; readonly encodeMs: number; readonly decodeMs: number };
};

/**
 * Turns sound into text. One utterance is in flight at a time; the caller queues. A `final` is kept until it is
 * answered or given up. `ahead` is work that may turn out to be in vain: it is asked once, of a recognizer that is
 * ready now, and rejects if there is none or if that is lost.
 */
export type Recognizer = {
  readonly transcribe: (utterance: Utterance, urgency?: 'final' | 'ahead') => Promise<Recognition>;
  readonly close: () => Promise<void>;
};

/** A final transcript, as in docs/mqtt.md. `id` is stable over redelivery; `seq` counts from 1 in each boot. */
export type Transcript = {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly language: string;
  /** RFC 3339, UTC. */
  readonly start: string;
  readonly end: string;
  readonly durationMs: number;
  /** From the end of speech (after the hangover) to the text. */
  readonly latencyMs: number;
  /** Time spent recognising over length of the sound. */
  readonly rtf: number;
  /** exp(average log-probability), [0, 1]. */
  readonly confidence: number;
  readonly model: string;
  readonly provider: string;
  readonly microphone: string;
};

/**
 * Interim text of a segment that is still being spoken, as on `<base>/transcript/partial`. `id` is that of the final
 * to come, `rev` counts up from 1. The first `stableChars` UTF-16 code units of `text` will not change any more.
 */
export type PartialTranscript = {
  readonly id: string;
  readonly rev: number;
  readonly text: string;
  readonly stableChars: number;
  readonly language: string;
};

/** What an assistant answers to a final, as on `<base>/rasa/reply`. */
export type Reply = {
  /** Of the final. */
  readonly id: string;
  readonly recipient: string;
  readonly text?: string;
  readonly image?: string;
  readonly buttons?: readonly unknown[];
  readonly attachment?: unknown;
  readonly custom?: unknown;
};

/** What can be chosen while the daemon runs, as on the topics of these names. */
export type Settings = {
  /** A code such as `en`, or `auto`. */
  readonly language: string;
  /** As in the configuration: `embedded`, a name, or a folder. */
  readonly model: string;
  /** An ALSA PCM, or the source where that is none. */
  readonly microphone: string;
};

/** The values that can be chosen, the present one among them. */
export type Offered = { readonly [Name in keyof Settings]: readonly string[] };

/** Who is in trouble, or well again. */
export type Component =
  | 'microphone'
  | 'recognizer'
  | 'broker'
  | 'provider'
  | 'outbox'
  | 'record'
  | 'webhook'
  | 'webhook-outbox';

export type DaemonEvent =
  | { readonly type: 'speech-started'; readonly atMs: number }
  | { readonly type: 'speech-ended'; readonly atMs: number }
  | { readonly type: 'transcript'; readonly transcript: Transcript }
  | { readonly type: 'partial'; readonly partial: PartialTranscript }
  /** The recognizer heard nothing it would put its name to. */
  | {
      readonly type: 'segment-empty';
      readonly segmentId: string;
      readonly durationMs: number;
      readonly rejected: NonNullable<Recognition['rejected']>;
    }
  | {
      readonly type: 'segment-dropped';
      readonly segmentId: string;
      readonly durationMs: number;
      readonly reason: 'queue-full' | 'recognizer-failed' | 'stopping';
    }
  /** Something went wrong; said once, until `recovered` says it is well again. */
  | {
      readonly type: 'fault';
      readonly component: Component;
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    }
  | { readonly type: 'recovered'; readonly component: Component; readonly message: string }
  | {
      readonly type: 'microphone';
      readonly state: 'opening' | 'listening' | 'muted' | 'lost' | 'ended';
      readonly device: string;
    }
  /** Sound was lost between capture and us: the kernel's buffer overran. */
  | { readonly type: 'overrun'; readonly lostMs: number }
  /** About once a second while sound flows. */
  | { readonly type: 'level'; readonly levelDbfs: number; readonly atMs: number }
  | {
      readonly type: 'recognizer';
      /** `unloaded`: nobody has spoken for long, and the next who does has it loaded again. */
      readonly state: 'loading' | 'ready' | 'busy' | 'restarting' | 'unloaded' | 'closed';
    }
  /** Which provider was asked for, which one works, and why they differ. */
  | {
      readonly type: 'provider';
      readonly requested: string;
      readonly active: string;
      readonly reason: string;
      readonly model: string;
      readonly modelSha256: string;
    }
  | { readonly type: 'queue'; readonly depthS: number; readonly oldestMs: number }
  | {
      readonly type: 'broker';
      readonly state: 'connecting' | 'online' | 'offline';
      readonly url: string;
    }
  | { readonly type: 'outbox'; readonly depth: number; readonly dropped: number }
  | { readonly type: 'mute'; readonly muted: boolean }
  | { readonly type: 'reply'; readonly reply: Reply }
  /** What is set, or what could be, has changed. */
  | ({ readonly type: 'settings' } & Settings)
  | { readonly type: 'ready'; readonly sinceStartMs: number };

/** Says what happened. Synchronous, total and cheap: nothing that listens may slow hearing down. */
export type Emit = (event: DaemonEvent) => void;

/** Where events go. `publish` never blocks or throws; a sink buffers for itself. `close` delivers what it still holds. */
export type Sink = {
  readonly name: string;
  readonly publish: (event: DaemonEvent) => void;
  /** Resolves when everything held is delivered or `deadlineMs` has passed. Answers how many finals were left. */
  readonly close: (deadlineMs: number) => Promise<{ readonly undelivered: number }>;
};
