/**
 * From what the encoder heard to tokens: the autoregressive loop over the decoder graph (contract: graphs.ts).
 *
 * The prompt runs once; every attempt at a text starts from the cache behind it and overwrites what the attempt
 * before wrote. Greedy decoding goes on inside the graph, several tokens a run: what surrounds a run (names looked up,
 * tensors checked, the cache copied by the library) takes a tenth of a step of whisper-tiny or more.
 */
import type { Session, Tensor } from '../../providers/provider.ts';
import { searchBeam } from './beam-search.ts';
import type { WhisperShape } from './graphs.ts';
import type { KeyTerms } from './key-terms.ts';
import type { Prompt } from './prompt.ts';
import { endsInLoop } from './repetition.ts';
import { argMax, drawToken, logProbAt } from './sampling.ts';
import { createSelfCache, type SelfCache, takeTexts } from './self-cache.ts';
import { SideBySide } from './side-by-side.ts';
import { applyTimestampRules, rulesAfter, type TimestampRules } from './timestamp-rules.ts';

/** One text the decoder came up with. */
export type Attempt = {
  /** Sampled tokens, without the end-of-text token. */
  readonly tokens: readonly number[];
  /** Log-probability of each of `tokens`, at temperature 1. */
  readonly logProbs: readonly number[];
  /** Sum of all sampled log-probabilities, end-of-text included, over `tokens.length + 1`, as openai/whisper. */
  readonly avgLogProb: number;
  readonly ended: 'end-of-text' | 'loop' | 'budget';
};

export type AttemptOptions = {
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** Drawn from at temperatures above 0: numbers in [0, 1). */
  readonly uniform: () => number;
  /** Sampled tokens at most, end-of-text not counted. */
  readonly maxTokens: number;
  /** Texts followed at once at temperature 0; left out, 1. */
  readonly beamSize?: number;
  /** Made likelier at temperature 0, in a beam of at least `keyTermBeam`. */
  readonly keyTerms?: KeyTerms | undefined;
};

/**
 * A term is worth its bonus only once it is complete; until then, the text without it has to be kept as well. With
 * fewer than this, a term that begins unlikely falls out of the beam before it ends (docs/decoding.md).
 */
export const keyTermBeam = 4;

export type DecodingInput = {
  readonly decoder: Session;
  readonly shape: WhisperShape;
  readonly endOfText: number;
  /** `cross_key_{i}`, `cross_value_{i}` (cross.ts). */
  readonly cross: Readonly<Record<string, Tensor>>;
  readonly prompt: Prompt;
  /** Left out, no timestamps are written: they are asked for in the prompt too. */
  readonly timestampRules?: TimestampRules | undefined;
};

type Choice = { readonly token: number; readonly logProb: number };
type PromptRun = Choice & { readonly noSpeechProb: number | undefined };

const int64 = (dims: readonly number[], ...values: number[]): Tensor<'int64'> => ({
  type: 'int64',
  dims,
  data: BigInt64Array.from(values, BigInt),
});

/** `phase` of the graph: begin-suppression applies to the first sampled token only. */
const firstSampled = 0n;
const later = 1n;

/** Greedy tokens a run: before it looked at as many, nobody can say that it goes in a circle (repetition.ts). */
const greedyTokensInRun = 12;

/** The likeliest of `candidates` to follow the prompt: Whisper's way to ask for the language. */
export async function likeliestNext(input: DecodingInput, candidates: readonly number[]): Promise<number> {
  const logits = await decodingOf(input, (decoding) => decoding.promptLogits());
  let best = candidates[0] as number;
  for (const token of candidates) {
    if ((logits[token] as number) > (logits[best] as number)) best = token;
  }
  return best;
}

/** Chooses from `logits`, by the rules if there are any; `logits` is changed in place. */
function choose(
  logits: Float32Array,
  sampled: readonly number[],
  rules: TimestampRules | undefined,
  { temperature, uniform }: AttemptOptions,
): Choice {
  if (rules !== undefined) applyTimestampRules(logits, sampled, rules);
  const token = temperature === 0 ? argMax(logits) : drawToken(logits, temperature, uniform());
  return { token, logProb: logProbAt(logits, token) };
}

/** What `use` makes of a decoding of `input`, whose memory is given back afterwards. */
export async function decodingOf<T>(
  input: DecodingInput,
  use: (decoding: Decoding) => Promise<T>,
): Promise<T> {
  const decoding = new Decoding(input);
  try {
    return await use(decoding);
  } finally {
    decoding.close();
  }
}

/** The decoding of one utterance: owns the cache, the tensors, and what the prompt led to. */
export class Decoding {
  readonly #input: DecodingInput;
  #cache: SelfCache;
  #promptRun: PromptRun | undefined;
  #promptLogits: Float32Array | undefined;

  // made once, written in place by every step
  readonly #tokenIn = int64([1, 1], 0);
  readonly #steps = int64([], 1);
  readonly #onlyRow = int64([1], 0);
  readonly #phase = int64([1], 0);
  readonly #lastPosition: Tensor<'int32'> = { type: 'int32', dims: [1], data: new Int32Array(1) };
  readonly #totalTokens: Tensor<'int32'> = { type: 'int32', dims: [], data: new Int32Array(1) };
  readonly #rules = int64([4], 0, 0, 0, 0);
  readonly #feeds: Record<string, Tensor>;

  // what a run writes: into the cache it was fed with, and logits
  readonly #intoCache: Record<string, Tensor> = {};
  readonly #intoLogits: Record<string, Tensor> = {};
  readonly #presentNames: readonly string[];
  readonly #choiceNames: readonly string[];
  readonly #logitsNames: readonly string[];

  constructor(input: DecodingInput) {
    this.#input = input;
    this.#feeds = {
      ...input.cross,
      steps: this.#steps,
      tokens: this.#tokenIn,
      logit_rows: this.#onlyRow,
      phase: this.#phase,
      last_position: this.#lastPosition,
      total_tokens: this.#totalTokens,
      ...(input.decoder.inputNames.includes('timestamp_rules') ? { timestamp_rules: this.#rules } : {}),
    };
    this.#cache = createSelfCache(input.shape, input.prompt.tokens.length);
    this.#bindCache();
    this.#presentNames = Object.keys(this.#intoCache);
    this.#choiceNames = ['token', 'log_prob', ...this.#presentNames];
    this.#logitsNames = ['logits', ...this.#presentNames];
  }

  /** Probability that there is no speech, before suppression; undefined if the model has no word for it. */
  async noSpeechProb(): Promise<number | undefined> {
    return (await this.#runPrompt(false)).noSpeechProb;
  }

  /** Logits [V] of the first token after the prompt, after suppression. Not to be written to. */
  async promptLogits(): Promise<Float32Array> {
    await this.#runPrompt(true);
    if (this.#promptLogits === undefined) {
      // run without them before: the last prompt token once more, in its place, costs one step
      const { tokens } = this.#input.prompt;
      this.#promptLogits = (
        await this.#stepWithLogits(tokens.at(-1) as number, tokens.length - 1, firstSampled)
      ).slice();
    }
    return this.#promptLogits;
  }

  /** One attempt at the text. Attempts follow each other; they do not overlap. */
  async attempt(options: AttemptOptions): Promise<Attempt> {
    const { prompt, shape, endOfText, timestampRules } = this.#input;
    const promptTokens = prompt.tokens.length;
    const maxTokens = Math.min(options.maxTokens, shape.maxTextTokens - promptTokens);
    const beamSize = Math.max(options.beamSize ?? 1, options.keyTerms === undefined ? 1 : keyTermBeam);
    if (options.temperature === 0 && beamSize > 1) return this.#search({ ...options, maxTokens, beamSize });
    const tokens: number[] = [];
    const logProbs: number[] = [];
    let sum = 0;
    const fromLogits = (logits: Float32Array) => choose(logits, tokens, timestampRules, options);
    let choices: readonly Choice[] =
      options.temperature === 0
        ? [await this.#runPrompt(false)]
        : [fromLogits((await this.promptLogits()).slice())];

    for (;;) {
      for (const { token, logProb } of choices) {
        if (token === endOfText) {
          sum += logProb;
          return { tokens, logProbs, avgLogProb: sum / (tokens.length + 1), ended: 'end-of-text' };
        }
        const ended = tokens.length === maxTokens ? 'budget' : undefined;
        if (ended === undefined) {
          sum += logProb;
          tokens.push(token);
          logProbs.push(logProb);
        }
        if (ended !== undefined || endsInLoop(tokens)) {
          return { tokens, logProbs, avgLogProb: sum / (tokens.length + 1), ended: ended ?? 'loop' };
        }
      }
      const position = promptTokens + tokens.length - 1;
      choices =
        options.temperature === 0
          ? await this.#follow(tokens, maxTokens)
          : [fromLogits(await this.#stepWithLogits(tokens.at(-1) as number, position, later))];
    }
  }

  /**
   * Where the decoder looks while it reads the prompt, [1, H, S, T] a layer; undefined unless the graph was compiled
   * to tell.
   */
  async crossWeights(): Promise<readonly Tensor[] | undefined> {
    const { decoder, prompt, shape } = this.#input;
    const names = Array.from({ length: shape.decoderLayers }, (_, i) => `cross_weights_${i}`);
    if (!names.every((name) => decoder.outputNames.includes(name))) return undefined;
    this.#place(prompt.tokens.length - 1, later);
    const feeds = { ...this.#feeds, tokens: int64([1, prompt.tokens.length], ...prompt.tokens) };
    const out = await decoder.run(feeds, [...names, ...this.#presentNames], this.#intoCache);
    return names.map((name) => out[name] as Tensor);
  }

  /** One attempt with several texts at once, from the cache behind the prompt, which stays as it is. */
  async #search(options: AttemptOptions & { readonly beamSize: number }): Promise<Attempt> {
    const { decoder, shape, prompt, endOfText, timestampRules } = this.#input;
    const { keyTerms, maxTokens, beamSize } = options;
    const firstLogits = (await this.promptLogits()).slice();
    this.#phase.data[0] = later;
    const texts = new SideBySide({
      decoder,
      shape,
      feeds: this.#feeds,
      promptCache: this.#cache,
      promptTokens: prompt.tokens.length,
    });
    try {
      const { tokens, logProbs, sum, ended } = await searchBeam(texts, firstLogits, {
        beamSize,
        endOfText,
        maxTokens,
        keyTerms,
        firstNoText: timestampRules?.firstTimestamp ?? Number.POSITIVE_INFINITY,
        restrict: (logits, sampled) => {
          if (timestampRules !== undefined) applyTimestampRules(logits, sampled, timestampRules);
        },
      });
      return { tokens, logProbs, avgLogProb: sum / (tokens.length + 1), ended };
    } finally {
      texts.close();
    }
  }

  /** Feeds the whole prompt at once. */
  async #runPrompt(withLogits: boolean): Promise<PromptRun> {
    if (this.#promptRun !== undefined) return this.#promptRun;
    const { decoder, prompt, shape } = this.#input;
    const last = prompt.tokens.length - 1;
    const wanted = ['token', 'log_prob', 'no_speech_prob', ...(withLogits ? ['logits'] : [])];
    const fetches = wanted.filter((name) => decoder.outputNames.includes(name));
    this.#place(last, firstSampled);
    this.#setRules([]);
    const feeds = {
      ...this.#feeds,
      tokens: int64([1, prompt.tokens.length], ...prompt.tokens),
      logit_rows: int64([2], prompt.startRow, last),
    };
    const out = await decoder.run(feeds, [...fetches, ...this.#presentNames], this.#intoCache);
    const logits = out['logits']?.data as Float32Array | undefined;
    this.#promptLogits = logits?.slice(-shape.vocabularySize);
    this.#promptRun = {
      token: Number(out['token']?.data[0]),
      logProb: Number(out['log_prob']?.data[0]),
      noSpeechProb: out['no_speech_prob']?.data[0] as number | undefined,
    };
    return this.#promptRun;
  }

  /**
   * Feeds the last of `tokens`, lets the graph choose what follows and go on from there: until the text ends, `maxTokens`
   * and one more are reached, or the cache is full.
   */
  async #follow(tokens: readonly number[], maxTokens: number): Promise<Choice[]> {
    const { decoder, prompt } = this.#input;
    const position = prompt.tokens.length + tokens.length - 1;
    this.#place(position, later);
    this.#setRules(tokens);
    this.#tokenIn.data[0] = BigInt(tokens.at(-1) as number);
    const steps = Math.min(greedyTokensInRun, this.#cache.capacity - position, maxTokens + 1 - tokens.length);
    this.#steps.data[0] = BigInt(steps);
    const out = await decoder.run(this.#feeds, this.#choiceNames, this.#intoCache);
    this.#steps.data[0] = 1n;
    const logProbs = out['log_prob']?.data as Float32Array;
    return Array.from(logProbs, (logProb, i) => ({ token: Number(out['token']?.data[i]), logProb }));
  }

  /** Tells the graph what was sampled, if it is to choose by rules. */
  #setRules(sampled: readonly number[]): void {
    const { timestampRules } = this.#input;
    if (timestampRules === undefined) return;
    for (const [i, value] of rulesAfter(sampled, timestampRules).entries())
      this.#rules.data[i] = BigInt(value);
  }

  /** Feeds one token; the answer [V] is overwritten by the next step. */
  async #stepWithLogits(token: number, position: number, phase: bigint): Promise<Float32Array> {
    this.#place(position, phase);
    this.#tokenIn.data[0] = BigInt(token);
    const { decoder, shape } = this.#input;
    this.#intoLogits['logits'] ??= {
      type: 'float32',
      dims: [1, shape.vocabularySize],
      data: new Float32Array(shape.vocabularySize),
    };
    await decoder.run(this.#feeds, this.#logitsNames, this.#intoLogits);
    return this.#intoLogits['logits'].data as Float32Array;
  }

  /** Sets where the token goes that is fed last, and makes room for it. */
  #place(position: number, phase: bigint): void {
    if (position >= this.#cache.capacity) {
      const outgrown = this.#cache;
      this.#cache = createSelfCache(this.#input.shape, position + 1);
      takeTexts(outgrown, [0], this.#cache);
      this.#input.decoder.release(Object.values(outgrown.tensors));
      this.#bindCache();
    }
    this.#lastPosition.data[0] = position;
    this.#totalTokens.data[0] = position + 1;
    this.#phase.data[0] = phase;
  }

  /** Gives the cache back; nothing can be decoded any more. */
  close(): void {
    this.#input.decoder.release(Object.values(this.#cache.tensors));
  }

  /** The cache is fed and written in place: present is past. */
  #bindCache(): void {
    Object.assign(this.#feeds, this.#cache.tensors);
    for (const [name, tensor] of Object.entries(this.#cache.tensors)) {
      this.#intoCache[`present_${name}`] = tensor;
      this.#intoLogits[`present_${name}`] = tensor;
    }
  }
}
