/**
 * What a Whisper says of one stretch of sound; the daemon's `Recognition` has the same form.
 */
import type { TimedWord } from './alignment.ts';
import type { Attempt } from './decode.ts';

/** A piece of text; times are relative to the start of the sound. */
export type TranscribedPiece = {
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  /** Mean over the tokens of this piece where there are several, else the average of the whole text. */
  readonly avgLogProb: number;
  readonly noSpeechProb: number | undefined;
};

/** Why a text is withheld. */
export type Rejection = 'empty' | 'no-speech' | 'low-log-prob' | 'repetition';

export type Transcription = {
  /** Trimmed; empty when `rejected`. */
  readonly text: string;
  /** Code of the language decoded in: the one asked for, else the one detected. */
  readonly language: string;
  readonly avgLogProb: number;
  /** Undefined if the model has no word for it. */
  readonly noSpeechProb: number | undefined;
  readonly compressionRatio: number;
  /** Of the attempt that was taken; 0 is greedy. */
  readonly temperature: number;
  /** What was decoded, timestamps included, end-of-text not; kept when `rejected`, to see what was withheld. */
  readonly tokens: readonly number[];
  /** In order of time; none when `rejected`. */
  readonly pieces: readonly TranscribedPiece[];
  /** In order of time; only if asked for, and of graphs that tell. */
  readonly words?: readonly TimedWord[];
  readonly rejected?: Rejection;
  /** Wall-clock. `melMs` is 0: the log-mel spectrogram is computed inside the encoder graph. */
  readonly timings: { readonly melMs: number; readonly encodeMs: number; readonly decodeMs: number };
};

export type PieceOptions = {
  readonly decode: (tokens: readonly number[]) => string;
  /** Undefined if the model writes no timestamps. */
  readonly firstTimestamp: number | undefined;
  readonly durationMs: number;
  readonly noSpeechProb: number | undefined;
};

const timestampStepMs = 20;

/**
 * Cuts an attempt at its timestamps: each stretch of text between two of them is a piece. Text that no timestamp
 * closes runs to the end of the sound. Without timestamps there is one piece, from start to end.
 */
export function toPieces(attempt: Attempt, options: PieceOptions): TranscribedPiece[] {
  const { decode, durationMs, firstTimestamp = Number.POSITIVE_INFINITY, noSpeechProb } = options;
  const pieces: TranscribedPiece[] = [];
  let startMs = 0;
  let from = 0;
  const close = (to: number, endMs: number): void => {
    const text = decode(attempt.tokens.slice(from, to)).trim();
    if (text === '') return;
    const logProbs = attempt.logProbs.slice(from, to);
    const whole = logProbs.length === attempt.tokens.length;
    const avgLogProb = whole ? attempt.avgLogProb : logProbs.reduce((sum, p) => sum + p, 0) / logProbs.length;
    pieces.push({ startMs, endMs, text, avgLogProb, noSpeechProb });
  };
  for (const [i, token] of attempt.tokens.entries()) {
    if (token < firstTimestamp) continue;
    const atMs = Math.min((token - firstTimestamp) * timestampStepMs, durationMs);
    close(i, atMs);
    startMs = atMs;
    from = i + 1;
  }
  close(attempt.tokens.length, durationMs);
  return pieces;
}

/** What was heard of a sound played at `speed`, with the times of the sound itself. */
export function slowedBy(speed: number, heard: Transcription): Transcription {
  const slowed = <T extends { readonly startMs: number; readonly endMs: number }>(part: T): T => ({
    ...part,
    startMs: part.startMs * speed,
    endMs: part.endMs * speed,
  });
  const { pieces, words } = heard;
  return {
    ...heard,
    pieces: pieces.map(slowed),
    ...(words === undefined ? {} : { words: words.map(slowed) }),
  };
}

/** The likeliest of several hearings of one sound, a loop only if all are; with the time that all of them took. */
export function likeliestOf(all: readonly Transcription[]): Transcription {
  const straight = all.filter(({ rejected }) => rejected !== 'repetition');
  const best = (straight.length > 0 ? straight : all).reduce((a, b) => (b.avgLogProb > a.avgLogProb ? b : a));
  const total = (name: keyof Transcription['timings']) =>
    all.reduce((sum, { timings }) => sum + timings[name], 0);
  const timings = { melMs: total('melMs'), encodeMs: total('encodeMs'), decodeMs: total('decodeMs') };
  return { ...best, timings };
}
