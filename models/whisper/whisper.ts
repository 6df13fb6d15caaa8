/**
 * A Whisper that is ready to listen: sound in, text out, and an honest word when there is none.
 */
import { Fault } from '../../daemon/faults.ts';
import type { Session, Tensor } from '../../providers/provider.ts';
import { attentionMap, defaultHeads, type TimedWord, timeWords } from './alignment.ts';
import { type DecodingDefaults, isDoubtful, listen, reasonToReject, whisperDefaults } from './belief.ts';
import { crossNames } from './cross.ts';
import { type Attempt, type DecodingInput, decodingOf, likeliestNext } from './decode.ts';
import { denoised } from './denoise.ts';
import { samplesPerAudioFrame, type WhisperShape } from './graphs.ts';
import { buildKeyTerms, type KeyTerms } from './key-terms.ts';
import {
  type GenerationConfig,
  type Languages,
  readLanguages,
  requireKnown,
  type Task,
} from './languages.ts';
import { buildPrompt } from './prompt.ts';
import { atSpeed } from './speed.ts';
import type { SpecialTokens } from './token-table.ts';
import type { Tokenizer } from './tokenizer.ts';
import { likeliestOf, slowedBy, type Transcription, toPieces } from './transcription.ts';

export type TranscribeOptions = {
  /** A code the model knows. Left out, a model of several languages listens for which it is. */
  readonly language?: string;
  readonly task?: Task;
  /** Cut the text at timestamps; a model that writes none gives one piece all the same. */
  readonly timestamps?: boolean;
  /** What was said before, or words to expect; a model without `<|startofprev|>` does not look at it. */
  readonly previousText?: string;
  /** Names and words to expect: where the sound allows them, they are heard (key-terms.ts). */
  readonly keyTerms?: readonly string[];
  /** Where `language` is left out: which ones to listen for. Left out or empty, all the model knows. */
  readonly candidates?: readonly string[];
  /** Also say when each word was said: one more run of the decoder over the whole text. */
  readonly words?: boolean;
  /** Sampling is reproducible: the same sound, options and seed give the same text. Default 0. */
  readonly seed?: number;
};

type Asked = TranscribeOptions & Required<Pick<TranscribeOptions, 'task' | 'candidates'>>;

export type Whisper = {
  readonly languages: readonly string[];
  readonly tasks: readonly Task[];
  readonly writesTimestamps: boolean;
  /** Longest sound in samples: 30 s for most models. */
  readonly maxSamples: number;
  /**
   * `samples`: mono [-1, 1] at 16 kHz. Throws RangeError if longer than `maxSamples`, Fault MODEL_UNSUPPORTED for
   * a language or task the model does not know.
   */
  readonly transcribe: (samples: Float32Array, options?: TranscribeOptions) => Promise<Transcription>;
  readonly close: () => Promise<void>;
};

export type WhisperParts = {
  readonly shape: WhisperShape;
  readonly generation: GenerationConfig;
  readonly tokenizer: Tokenizer;
  /** Closed by `close`. */
  readonly encoder: Session;
  readonly decoder: Session;
  readonly defaults?: Partial<DecodingDefaults>;
};

const samplesPerSecond = 16_000;

/** The shortest sound the encoder graph takes. */
const minAudioFrames = 2;

/** `max_initial_timestamp_index` of models that do not say: one second. */
const defaultMaxInitialTimestamp = 50;

/** Nobody speaks 20 tokens a second for long, in any language; a decoder that goes on is talking to itself. */
const tokensPerSecond = 20;
const spareTokens = 16;

/** Puts the parts together. Throws Fault MODEL_INVALID if they do not belong to one model. */
export function openWhisper(parts: WhisperParts): Whisper {
  const { encoder, decoder, generation, shape, tokenizer } = parts;
  const { special } = tokenizer;
  checkGraphs(parts);
  const defaults = { ...whisperDefaults, ...parts.defaults };
  const languages = readLanguages(generation, special, shape);
  const maxSamples = shape.maxAudioFrames * samplesPerAudioFrame;
  const termsOf = new WeakMap<readonly string[], { readonly terms: KeyTerms | undefined }>();
  const keyTermsOf = (words: readonly string[] | undefined): KeyTerms | undefined => {
    if (words === undefined) return undefined;
    const known = termsOf.get(words) ?? { terms: buildKeyTerms(words, tokenizer, defaults.keyTermBonus) };
    termsOf.set(words, known);
    return known.terms;
  };

  const transcribe = async (
    samples: Float32Array,
    options: TranscribeOptions = {},
  ): Promise<Transcription> => {
    const { language, task = 'transcribe' } = options;
    if (samples.length > maxSamples) {
      throw new RangeError(`${samples.length} samples, the model takes ${maxSamples}`);
    }
    const candidates = options.candidates?.length ? options.candidates : languages.codes;
    for (const code of language === undefined ? candidates : [language]) {
      requireKnown('language', code, languages.codes);
    }
    requireKnown('task', task, languages.tasks);

    const asked = { ...options, task, candidates };
    const first = await hear(samples, asked);
    if (!isDoubtful(first, defaults)) return first;
    const again = { ...asked, language: first.language };
    const all = [first];
    let sound = samples;
    const quieter = defaults.hearDenoised ? denoised(samples) : undefined;
    if (quieter !== undefined) {
      const heard = await hear(quieter, again);
      all.push(heard);
      if (!isDoubtful(heard, defaults)) return likeliestOf(all);
      if (heard.avgLogProb > first.avgLogProb) sound = quieter;
    }
    for (const speed of defaults.otherSpeeds) {
      const other = atSpeed(sound, speed);
      if (other.length > maxSamples) continue;
      const heard = slowedBy(speed, await hear(other, again));
      all.push(heard);
      if (!isDoubtful(heard, defaults)) break;
    }
    return likeliestOf(all);
  };

  /** What is said in `samples`, as they are. */
  const hear = async (samples: Float32Array, options: Asked): Promise<Transcription> => {
    const startedAtMs = performance.now();
    const cross = await encoder.run({ pcm: toPcm(samples) }, crossNames(shape));
    const encodeMs = performance.now() - startedAtMs;
    try {
      return await read(cross, samples.length, options, encodeMs);
    } finally {
      encoder.release(Object.values(cross));
    }
  };

  /** What the decoder makes of what the encoder heard in `samples` samples. */
  const read = async (
    cross: Readonly<Record<string, Tensor>>,
    samples: number,
    options: Asked,
    encodeMs: number,
  ): Promise<Transcription> => {
    const { language, task, candidates } = options;
    const startedAtMs = performance.now();
    const input = { decoder, shape, endOfText: special.endOfText, cross };
    const spoken = language ?? (await detectLanguage(candidates, languages, special, input));
    const firstTimestamp = options.timestamps === true ? special.firstTimestamp : undefined;
    const prompt = buildPrompt(
      special,
      {
        languageToken: languages.tokenOf?.get(spoken),
        taskToken: languages.taskTokenOf?.get(task),
        timestamps: firstTimestamp !== undefined,
        previous: encodePrevious(tokenizer, options.previousText),
      },
      shape.maxTextTokens,
    );
    const timestampRules =
      firstTimestamp === undefined
        ? undefined
        : {
            endOfText: special.endOfText,
            noTimestamps: special.noTimestamps,
            firstTimestamp,
            maxInitial: generation.max_initial_timestamp_index ?? defaultMaxInitialTimestamp,
            last: Math.ceil(samples / samplesPerAudioFrame),
          };
    const heard = await decodingOf({ ...input, prompt, timestampRules }, (decoding) =>
      listen(decoding, {
        defaults,
        seed: options.seed ?? 0,
        decode: tokenizer.decode,
        keyTerms: keyTermsOf(options.keyTerms),
        maxTokens: spareTokens + Math.ceil((samples / samplesPerSecond) * tokensPerSecond),
      }),
    );
    const rejected = reasonToReject(heard, defaults);
    const words =
      options.words === true && rejected === undefined
        ? await timesOf(parts, input, heard.attempt, spoken, languages.taskTokenOf?.get(task), languages)
        : undefined;
    const { attempt, compressionRatio, noSpeechProb, temperature } = heard;
    const durationMs = (samples / samplesPerSecond) * 1000;
    return {
      text: rejected === undefined ? heard.text : '',
      language: spoken,
      avgLogProb: attempt.avgLogProb,
      noSpeechProb,
      compressionRatio,
      temperature,
      tokens: attempt.tokens,
      pieces:
        rejected === undefined
          ? toPieces(attempt, { decode: tokenizer.decode, firstTimestamp, durationMs, noSpeechProb })
          : [],
      ...(words === undefined ? {} : { words }),
      ...(rejected === undefined ? {} : { rejected }),
      timings: {
        melMs: 0,
        encodeMs,
        decodeMs: performance.now() - startedAtMs,
      },
    };
  };

  return {
    languages: languages.codes,
    tasks: languages.tasks,
    writesTimestamps: special.firstTimestamp !== undefined,
    maxSamples,
    transcribe,
    close: async () => {
      await Promise.all([encoder.close(), decoder.close()]);
    },
  };
}

/** When each word of `attempt` was said; undefined where the graph does not tell or the text fills all positions. */
async function timesOf(
  { generation, shape, tokenizer }: WhisperParts,
  input: Omit<DecodingInput, 'prompt' | 'timestampRules'>,
  attempt: Attempt,
  language: string,
  taskToken: number | undefined,
  { tokenOf }: Languages,
): Promise<TimedWord[] | undefined> {
  const { special } = tokenizer;
  const { firstTimestamp = Number.POSITIVE_INFINITY } = special;
  const written = attempt.tokens.map((token, i) => ({ token, logProb: attempt.logProbs[i] as number }));
  const text = written.filter(({ token }) => token < firstTimestamp);
  const tokens = text.map(({ token }) => token);
  const told = { languageToken: tokenOf?.get(language), taskToken, timestamps: false, previous: [] };
  const start = buildPrompt(special, told, shape.maxTextTokens).tokens;
  const whole = [...start, ...tokens, special.endOfText];
  if (whole.length > shape.maxTextTokens) return undefined;
  const reading = { ...input, prompt: { tokens: whole, startRow: 0 } };
  const weights = await decodingOf(reading, (decoding) => decoding.crossWeights());
  if (weights === undefined) return undefined;
  const heads = generation.alignment_heads ?? defaultHeads(shape.decoderLayers, shape.decoderHeads);
  const map = attentionMap(weights, heads);
  const frames = map.length / whole.length;
  const attention = map.subarray((start.length - 1) * frames, (whole.length - 1) * frames);
  const logProbs = text.map(({ logProb }) => logProb);
  return timeWords(tokens, logProbs, attention, tokenizer.decode, language);
}

/** Samples as the encoder takes them: a multiple of 320, silence added at the end; never padded to 30 s. */
function toPcm(samples: Float32Array): Tensor<'float32'> {
  const frames = Math.max(Math.ceil(samples.length / samplesPerAudioFrame), minAudioFrames);
  const length = frames * samplesPerAudioFrame;
  if (length === samples.length) return { type: 'float32', dims: [length], data: samples };
  const padded = new Float32Array(length);
  padded.set(samples);
  return { type: 'float32', dims: [length], data: padded };
}

/** The only language there is, or the likeliest after `<|startoftranscript|>`: one more run of the prompt. */
async function detectLanguage(
  candidates: readonly string[],
  { tokenOf }: Languages,
  { startOfTranscript }: SpecialTokens,
  input: Omit<DecodingInput, 'prompt' | 'timestampRules'>,
): Promise<string> {
  if (tokenOf === undefined || candidates.length === 1) return candidates[0] as string;
  const prompt = { tokens: [startOfTranscript], startRow: 0 };
  const tokens = candidates.map((code) => tokenOf.get(code) as number);
  return candidates[tokens.indexOf(await likeliestNext({ ...input, prompt }, tokens))] as string;
}

/** Whisper's text begins with a space, and so does what comes before it. */
function encodePrevious(tokenizer: Tokenizer, text = ''): readonly number[] {
  const trimmed = text.trim();
  if (trimmed === '' || tokenizer.special.startOfPrevious === undefined) return [];
  return tokenizer.encode(` ${trimmed}`);
}

function checkGraphs({ decoder, encoder, shape, tokenizer }: WhisperParts): void {
  const layers = Array.from({ length: shape.decoderLayers }, (_, i) => i);
  const cross = crossNames(shape);
  const self = layers.flatMap((i) => [`self_key_${i}`, `self_value_${i}`]);
  const rules = tokenizer.special.firstTimestamp === undefined ? [] : ['timestamp_rules'];
  const control = ['steps', 'tokens', 'last_position', 'total_tokens', 'logit_rows', 'phase', ...rules];
  requireNames('encoder graph: input', encoder.inputNames, ['pcm']);
  requireNames('encoder graph: output', encoder.outputNames, cross);
  requireNames('decoder graph: input', decoder.inputNames, [...control, ...self, ...cross]);
  const present = self.map((name) => `present_${name}`);
  requireNames('decoder graph: output', decoder.outputNames, ['token', 'log_prob', 'logits', ...present]);
}

function requireNames(where: string, got: readonly string[], expected: readonly string[]): void {
  const missing = expected.filter((name) => !got.includes(name));
  if (missing.length === 0) return;
  throw new Fault(
    'MODEL_INVALID',
    `${where} ${missing.join(', ')} missing, got ${got.join(', ')}`,
    'compile the model again: harkd models compile',
  );
}
