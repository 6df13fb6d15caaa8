/**
 * How near a compiled model is to the model it was made from: both hear the same sounds, and every logit is compared.
 * The other side are the plain float32 graphs of the whole checkpoint (plain.ts), which share no operator of weight
 * with the fused ones; what number formats, layers left out and windows cost shows here.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { Provider, Session, Tensor } from '../../providers/provider.ts';
import { putInPlace } from '../files.ts';
import type { BuiltGraph } from '../graph/builder.ts';
import { crossNames } from '../whisper/cross.ts';
import { samplesPerAudioFrame, type WhisperShape } from '../whisper/graphs.ts';
import { type GenerationConfig, readLanguages } from '../whisper/languages.ts';
import { logMel } from '../whisper/mel.ts';
import { buildPrompt } from '../whisper/prompt.ts';
import { createSelfCache } from '../whisper/self-cache.ts';
import type { SpecialTokens } from '../whisper/token-table.ts';
import { readTokenizer } from '../whisper/tokenizer.ts';
import { readArchitecture } from './architecture.ts';
import { type CompiledModel, descriptionFile, type OpenedModel } from './compiled.ts';
import { buildPlainDecoder, buildPlainEncoder } from './plain.ts';

export type Agreement = {
  readonly sounds: number;
  /** Tokens the compiled model chose, the end included. */
  readonly tokens: number;
  /** Of those, how many the plain model would have chosen after the same tokens. */
  readonly sameTokens: number;
  /** Over all logits of all tokens that may be written. */
  readonly largestLogitDifference: number;
};

export type AgreementInput = {
  /** What `compiled` was made from. */
  readonly modelDir: string;
  readonly compiled: OpenedModel;
  readonly provider: Provider;
  /** Mono [-1, 1] at 16 kHz, each no longer than the model hears at once. */
  readonly sounds: readonly Float32Array[];
  readonly threads?: number | undefined;
  readonly signal: AbortSignal;
  /** Graphs and sounds done, of all. */
  readonly onProgress?: (done: number, total: number) => void;
};

/** Tokens compared for each sound: a model with random weights never ends by itself. */
const mostTokens = 24;

type Heard = {
  readonly cross: Readonly<Record<string, Tensor>>;
  /** What was fed: the prompt, then all tokens chosen but the last. */
  readonly fed: readonly number[];
  readonly chosen: readonly number[];
  /** One [V] for each of `chosen`, after suppression. */
  readonly logits: readonly Float32Array[];
};

const int64 = (dims: readonly number[], values: readonly number[]): Tensor => ({
  type: 'int64',
  dims,
  data: BigInt64Array.from(values, BigInt),
});

/** What transcribing without timestamps begins with; in English where there is a choice, or in what comes first. */
function promptOf(modelDir: string, special: SpecialTokens, shape: WhisperShape): readonly number[] {
  const file = path.join(modelDir, 'generation_config.json');
  const generation: GenerationConfig = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const { codes, tokenOf, taskTokenOf } = readLanguages(generation, special, shape);
  const code = codes.includes('en') ? 'en' : (codes[0] ?? '');
  const parts = { languageToken: tokenOf?.get(code), taskToken: taskTokenOf?.get('transcribe') };
  return buildPrompt(special, { ...parts, timestamps: false, previous: [] }, shape.maxTextTokens).tokens;
}

/** Whole encoder positions, as the graph wants them. */
function wholePositions(samples: Float32Array): Float32Array {
  const positions = Math.max(2, Math.ceil(samples.length / samplesPerAudioFrame));
  const whole = new Float32Array(positions * samplesPerAudioFrame);
  whole.set(samples);
  return whole;
}

/** Greedy decoding, step by step as it is always done, keeping the logits. */
async function hear(
  { shape }: OpenedModel,
  encoder: Session,
  decoder: Session,
  samples: Float32Array,
  prompt: readonly number[],
  endOfText: number,
): Promise<Heard> {
  const pcm: Tensor = { type: 'float32', dims: [samples.length], data: samples };
  const cross = await encoder.run({ pcm }, crossNames(shape));
  const cache = createSelfCache(shape, Math.min(shape.maxTextTokens, prompt.length + mostTokens)).tensors;
  const into = Object.fromEntries(Object.entries(cache).map(([name, tensor]) => [`present_${name}`, tensor]));
  const fed: number[] = [];
  const chosen: number[] = [];
  const logits: Float32Array[] = [];
  let next: readonly number[] = prompt;
  while (chosen.length < mostTokens && fed.length + next.length <= shape.maxTextTokens) {
    fed.push(...next);
    const out = await decoder.run(
      {
        ...cross,
        ...cache,
        tokens: int64([1, next.length], next),
        last_position: { type: 'int32', dims: [1], data: Int32Array.of(fed.length - 1) },
        total_tokens: { type: 'int32', dims: [], data: Int32Array.of(fed.length) },
        logit_rows: int64([1], [next.length - 1]),
        phase: int64([1], [chosen.length === 0 ? 0 : 1]),
        steps: int64([], [1]),
        ...(decoder.inputNames.includes('timestamp_rules')
          ? { timestamp_rules: int64([4], [0, 0, 0, 0]) }
          : {}),
      },
      ['token', 'logits', ...Object.keys(into)],
      into,
    );
    const token = Number(out['token']?.data[0]);
    chosen.push(token);
    logits.push(Float32Array.from(out['logits']?.data as Float32Array));
    if (token === endOfText) break;
    next = [token];
  }
  return { cross, fed, chosen, logits };
}

async function openPlain(
  provider: Provider,
  threads: number,
  dir: string,
  name: string,
  graph: BuiltGraph,
): Promise<Session> {
  const file = path.join(dir, `${name}.onnx`);
  writeFileSync(file, graph.bytes);
  const fd = openSync(path.join(dir, `${name}.bin`), 'wx');
  try {
    for (const chunk of graph.weights()) for (let at = 0; at < chunk.length; at += writeSync(fd, chunk, at));
  } finally {
    closeSync(fd);
  }
  return provider.open(file, { threads, optimize: 'none' });
}

/** Compares one row of logits; what may not be written is -infinity in `got`, and no choice of the other either. */
function compareRow(got: Float32Array, want: Float32Array, token: number) {
  let difference = 0;
  let best = -1;
  for (let i = 0; i < got.length; i++) {
    const value = got[i] as number;
    if (value === Number.NEGATIVE_INFINITY) continue;
    const other = want[i] as number;
    // a NaN on either side is as far away as can be
    const apart = Math.abs(value - other);
    if (!(apart <= difference)) difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart;
    if (best < 0 || other > (want[best] as number)) best = i;
  }
  return { difference, same: best === token };
}

/**
 * Runs both on `sounds`. Needs room for the checkpoint in float32 beside the compiled model, for as long as it takes.
 * Throws `Fault` as reading and opening models does, and the signal's reason.
 */
export async function compareWithPlain(input: AgreementInput): Promise<Agreement> {
  const { modelDir, compiled, provider, threads = 1, signal, onProgress = () => undefined } = input;
  const arch = readArchitecture(modelDir);
  const { shape } = arch;
  const { special } = readTokenizer(
    readFileSync(path.join(modelDir, 'tokenizer.json'), 'utf8'),
    shape.vocabularySize,
  );
  const prompt = promptOf(modelDir, special, shape);
  const sounds = input.sounds.map((samples) =>
    wholePositions(samples).subarray(0, shape.maxAudioFrames * samplesPerAudioFrame),
  );
  const total = 3 * sounds.length;
  let done = 0;
  const step = () => {
    onProgress(++done, total);
    signal.throwIfAborted();
  };
  // removed by the next compilation if this one is killed
  const dir = `${compiled.dir}.partial-${randomUUID()}`;
  mkdirSync(dir);
  const open: Session[] = [];
  const keep = async (session: Promise<Session>): Promise<Session> => {
    open.push(await session);
    return session;
  };
  const closeAll = async () => {
    for (const session of open.splice(0)) await session.close();
  };
  try {
    const heard: Heard[] = [];
    const encoder = await keep(provider.open(compiled.encoderPath, { threads }));
    const decoder = await keep(provider.open(compiled.decoderPath, { threads }));
    for (const samples of sounds) {
      heard.push(await hear(compiled, encoder, decoder, samples, prompt, special.endOfText));
      step();
    }
    await closeAll();
    const hidden: Tensor[] = [];
    const graph = buildPlainEncoder(arch, 'encoder.bin', { melFrames: 'dynamic' });
    const plainEncoder = await keep(openPlain(provider, threads, dir, 'encoder', graph));
    for (const samples of sounds) {
      const mel = logMel(samples, shape.melBins);
      const dims = [1, shape.melBins, mel.length / shape.melBins];
      const out = await plainEncoder.run({ input_features: { type: 'float32', dims, data: mel } }, [
        'last_hidden_state',
      ]);
      hidden.push(out['last_hidden_state'] as Tensor);
      step();
    }
    await closeAll();
    const plainDecoder = await keep(
      openPlain(provider, threads, dir, 'decoder', buildPlainDecoder(arch, 'decoder.bin')),
    );
    let tokens = 0;
    let sameTokens = 0;
    let largestLogitDifference = 0;
    for (const [i, { fed, chosen, logits }] of heard.entries()) {
      const feeds = { input_ids: int64([1, fed.length], fed), encoder_hidden_states: hidden[i] as Tensor };
      const out = (await plainDecoder.run(feeds, ['logits']))['logits']?.data as Float32Array;
      const firstRow = fed.length - chosen.length;
      for (const [at, row] of logits.entries()) {
        const start = (firstRow + at) * shape.vocabularySize;
        const want = out.subarray(start, start + shape.vocabularySize);
        const { difference, same } = compareRow(row, want, chosen[at] as number);
        tokens++;
        if (same) sameTokens++;
        largestLogitDifference = Math.max(largestLogitDifference, difference);
      }
      step();
    }
    return { sounds: sounds.length, tokens, sameTokens, largestLogitDifference };
  } finally {
    await closeAll();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Writes the agreement into the description of the compiled model, whole or not at all. */
export function recordAgreement(compiled: OpenedModel, agreement: Agreement): void {
  const file = path.join(compiled.dir, descriptionFile);
  const description = JSON.parse(readFileSync(file, 'utf8')) as CompiledModel;
  const whole = { ...description, report: { ...description.report, agreement } };
  putInPlace(file, `${JSON.stringify(whole, undefined, 2)}\n`);
}
