/**
 * Which attempt to take, and whether to believe it.
 * Source of thresholds: Radford et al. 2022 §4.5, openai/whisper transcribe.py `decode_with_fallback`.
 */
import type { Attempt, AttemptOptions, Decoding } from './decode.ts';
import { compressionRatio } from './repetition.ts';
import { seededUniform } from './sampling.ts';
import type { Rejection, Transcription } from './transcription.ts';

/** How to decode and what to believe; a model's card may set its own. */
export type DecodingDefaults = {
  /** Tried in order until an attempt is believed; `[0]` never samples. */
  readonly temperatures: readonly number[];
  /** Attempts at each temperature above 0, the likeliest is taken. Whisper takes 5; each costs a whole decoding. */
  readonly bestOf: number;
  /** An attempt whose text compresses better than this is a loop. */
  readonly maxCompressionRatio: number;
  /** An attempt with a lower average is tried again at the next temperature. */
  readonly retryBelowLogProb: number;
  /** With an average below `retryBelowLogProb`, a higher no-speech probability than this is silence. */
  readonly maxNoSpeechProb: number;
  /** A text with a lower average is withheld. */
  readonly minAvgLogProb: number;
  /** Texts followed at once at temperature 0: 1 is greedy. */
  readonly beamSize: number;
  /** What each token of a key term is worth, as a natural logarithm. */
  readonly keyTermBonus: number;
  /** Whether a doubtful sound is heard again with its steady noise turned down (denoise.ts). */
  readonly hearDenoised: boolean;
  /** Speeds at which a sound is heard again while it is doubtful, and the likeliest text taken: other speakers, to the model. */
  readonly otherSpeeds: readonly number[];
  /** A sound whose text has a lower average is doubtful. */
  readonly doubtBelowLogProb: number;
};

export const whisperDefaults: DecodingDefaults = {
  temperatures: [0, 0.2, 0.4, 0.6, 0.8, 1],
  bestOf: 1,
  maxCompressionRatio: 2.4,
  retryBelowLogProb: -1,
  maxNoSpeechProb: 0.6,
  minAvgLogProb: -1,
  beamSize: 1,
  keyTermBonus: 1,
  hearDenoised: false,
  otherSpeeds: [],
  doubtBelowLogProb: -0.2,
};

const isNumber = (value: unknown): value is number => Number.isFinite(value);

const fits: { readonly [Name in keyof DecodingDefaults]: (value: unknown) => boolean } = {
  temperatures: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((t) => isNumber(t) && t >= 0 && t <= 2),
  bestOf: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 10,
  maxCompressionRatio: (value) => isNumber(value) && value > 0,
  retryBelowLogProb: (value) => isNumber(value) && value <= 0,
  maxNoSpeechProb: (value) => isNumber(value) && value >= 0 && value <= 1,
  minAvgLogProb: (value) => isNumber(value) && value <= 0,
  beamSize: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 10,
  keyTermBonus: (value) => isNumber(value) && value >= 0 && value <= 10,
  hearDenoised: (value) => typeof value === 'boolean',
  otherSpeeds: (value) =>
    Array.isArray(value) && value.length <= 4 && value.every((s) => isNumber(s) && s >= 0.5 && s <= 2),
  doubtBelowLogProb: (value) => isNumber(value) && value <= 0,
};

/** Whether a card's word on decoding names only settings there are, with values they can have. */
export function isDecodingDefaults(value: unknown): value is Partial<DecodingDefaults> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(
    ([name, setting]) => Object.hasOwn(fits, name) && fits[name as keyof DecodingDefaults](setting),
  );
}

export type Heard = {
  readonly attempt: Attempt;
  readonly temperature: number;
  /** Trimmed, timestamps left out. */
  readonly text: string;
  readonly compressionRatio: number;
  readonly noSpeechProb: number | undefined;
};

export type ListenOptions = Pick<AttemptOptions, 'maxTokens' | 'keyTerms'> & {
  readonly defaults: DecodingDefaults;
  readonly seed: number;
  readonly decode: (tokens: readonly number[]) => string;
};

// every comparison is written so that a NaN, should a graph ever give one, is not believed

function isLoop({ attempt, compressionRatio: ratio }: Heard, defaults: DecodingDefaults): boolean {
  return attempt.ended === 'loop' || !(ratio <= defaults.maxCompressionRatio);
}

function isUnsure({ attempt }: Heard, defaults: DecodingDefaults): boolean {
  return !(attempt.avgLogProb >= defaults.retryBelowLogProb);
}

function isSilence(heard: Heard, defaults: DecodingDefaults): boolean {
  return isUnsure(heard, defaults) && (heard.noSpeechProb ?? 0) > defaults.maxNoSpeechProb;
}

/** The likeliest of `all`; one that goes in a circle only if all do. */
function likeliest(all: readonly Heard[], defaults: DecodingDefaults): Heard {
  const straight = all.filter((heard) => !isLoop(heard, defaults));
  return (straight.length > 0 ? straight : all).reduce((best, heard) =>
    heard.attempt.avgLogProb > best.attempt.avgLogProb ? heard : best,
  );
}

/**
 * Decodes at the first temperature, and at the next ones as long as the text is a loop or a wild guess; not for
 * silence, which no temperature makes speak. If no attempt is good, the likeliest of all is taken (openai/whisper
 * takes the last, which at temperature 1 is the wildest).
 */
export async function listen(decoding: Decoding, options: ListenOptions): Promise<Heard> {
  const { decode, defaults, keyTerms, maxTokens, seed } = options;
  const { beamSize } = defaults;
  const uniform = seededUniform(seed);
  const all: Heard[] = [];
  for (const temperature of defaults.temperatures) {
    const atThis: Heard[] = [];
    do {
      const attempt = await decoding.attempt({
        temperature,
        uniform,
        maxTokens,
        beamSize,
        keyTerms,
      });
      const text = decode(attempt.tokens).trim();
      const noSpeechProb = await decoding.noSpeechProb();
      atThis.push({ attempt, temperature, text, compressionRatio: compressionRatio(text), noSpeechProb });
    } while (temperature > 0 && atThis.length < defaults.bestOf);
    const heard = likeliest(atThis, defaults);
    if (isSilence(heard, defaults)) return heard;
    if (!isLoop(heard, defaults) && !isUnsure(heard, defaults)) return heard;
    all.push(heard);
  }
  return likeliest(all, defaults);
}

/** Why the text is withheld, or undefined if it is believed. Punctuation alone is no text. */
export function reasonToReject(heard: Heard, defaults: DecodingDefaults): Rejection | undefined {
  if (!/[\p{L}\p{N}]/u.test(heard.text)) return 'empty';
  if (isSilence(heard, defaults)) return 'no-speech';
  if (isLoop(heard, defaults)) return 'repetition';
  return heard.attempt.avgLogProb >= defaults.minAvgLogProb ? undefined : 'low-log-prob';
}

/** Whether to hear the sound again, without its noise or as of another speaker. Not where the model itself says that nobody speaks. */
export function isDoubtful(
  { avgLogProb, rejected }: Pick<Transcription, 'avgLogProb' | 'rejected'>,
  { hearDenoised, otherSpeeds, doubtBelowLogProb }: DecodingDefaults,
): boolean {
  const canHearAgain = hearDenoised || otherSpeeds.length > 0;
  return canHearAgain && rejected !== 'no-speech' && !(avgLogProb >= doubtBelowLogProb);
}
