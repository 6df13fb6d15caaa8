/**
 * The same weights, the same sound and the same tokens through graphs that differ in one thing at a time, so that it
 * can be said how much comes from the length of the input, from the graphs and from the weights.
 */
import path from 'node:path';
import type { Architecture } from '../../models/compiler/architecture.ts';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { buildDecoder } from '../../models/compiler/fused-decoder.ts';
import { buildEncoder } from '../../models/compiler/fused-encoder.ts';
import { buildPlainDecoder, buildPlainEncoder } from '../../models/compiler/plain.ts';
import { crossNames } from '../../models/whisper/cross.ts';
import { samplesPerAudioFrame } from '../../models/whisper/graphs.ts';
import { logMel } from '../../models/whisper/mel.ts';
import { createSelfCache } from '../../models/whisper/self-cache.ts';
import { provider } from '../../providers/cpu.ts';
import type { Session, SessionOptions, Tensor } from '../../providers/provider.ts';
import { writeGraph } from '../graph-files.ts';
import { oneStep } from '../whisper-graphs.ts';

/** What every way of recognising is given: with forced tokens all of them do the same number of steps. */
export type Task = {
  /** Mono 16 kHz, a multiple of 320 samples. */
  readonly samples: Float32Array;
  readonly prompt: readonly number[];
  /** Fed one by one after the prompt. */
  readonly tokens: readonly number[];
};

export type Timings = { readonly melMs: number; readonly encodeMs: number; readonly decodeMs: number };

export type Rung = {
  readonly name: string;
  readonly says: string;
  /** Recognises once. Answers how long it took and the tokens it would have chosen. */
  readonly run: (task: Task) => Promise<Timings & { readonly chosen: readonly number[] }>;
};

const int64 = (dims: readonly number[], ...values: readonly number[]): Tensor<'int64'> => ({
  type: 'int64',
  dims,
  data: BigInt64Array.from(values, BigInt),
});

function paddedTo(samples: Float32Array, length: number): Float32Array {
  const padded = new Float32Array(length);
  padded.set(samples);
  return padded;
}

/** Index of the largest of the last `size` logits. */
function argMaxOfLast(tensor: Tensor | undefined, size: number): number {
  if (tensor?.type !== 'float32') throw new Error('the graph gave no logits');
  const logits = tensor.data.subarray(-size);
  let best = 0;
  for (let i = 1; i < size; i++) if ((logits[i] as number) > (logits[best] as number)) best = i;
  return best;
}

type PlainParts = {
  readonly arch: Architecture;
  readonly encoder: Session;
  readonly first: Session;
  readonly next: Session;
  /** Sound is padded to this many samples; as it is where left out. */
  readonly padSamples?: number;
};

/** As a program around exported graphs does it: features outside, two decoders, arg-max over all logits outside. */
export async function runPlain({ arch, encoder, first, next, padSamples }: PlainParts, task: Task) {
  const { melBins, vocabularySize } = arch.shape;
  const startedAtMs = performance.now();
  const samples = padSamples === undefined ? task.samples : paddedTo(task.samples, padSamples);
  const data = logMel(samples, melBins);
  const input: Tensor = { type: 'float32', dims: [1, melBins, data.length / melBins], data };
  const featuresAtMs = performance.now();
  const { last_hidden_state: hidden } = await encoder.run({ input_features: input }, encoder.outputNames);
  const encodedAtMs = performance.now();
  let outputs = await first.run(
    { input_ids: int64([1, task.prompt.length], ...task.prompt), encoder_hidden_states: hidden as Tensor },
    first.outputNames,
  );
  const chosen = [argMaxOfLast(outputs['logits'], vocabularySize)];
  const past: Record<string, Tensor> = {};
  for (const token of task.tokens) {
    for (const [name, tensor] of Object.entries(outputs)) {
      if (name !== 'logits') past[name.replace('present', 'past_key_values')] = tensor;
    }
    outputs = await next.run({ input_ids: int64([1, 1], token), ...past }, next.outputNames);
    chosen.push(argMaxOfLast(outputs['logits'], vocabularySize));
  }
  return {
    melMs: featuresAtMs - startedAtMs,
    encodeMs: encodedAtMs - featuresAtMs,
    decodeMs: performance.now() - encodedAtMs,
    chosen,
  };
}

type FusedParts = {
  readonly arch: Architecture;
  readonly encoder: Session;
  readonly decoder: Session;
  readonly padSamples?: number;
};

/** As models/whisper/decode.ts does it, but for the tokens, which are given. */
async function runFused({ arch, encoder, decoder, padSamples }: FusedParts, task: Task) {
  const startedAtMs = performance.now();
  const samples = padSamples === undefined ? task.samples : paddedTo(task.samples, padSamples);
  const pcm: Tensor = { type: 'float32', dims: [samples.length], data: samples };
  const cross = await encoder.run({ pcm }, crossNames(arch.shape));
  const encodedAtMs = performance.now();

  const total = task.prompt.length + task.tokens.length;
  const cache = createSelfCache(arch.shape, total);
  const into: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(cache.tensors)) into[`present_${name}`] = tensor;
  const lastPosition: Tensor<'int32'> = { type: 'int32', dims: [1], data: new Int32Array(1) };
  const totalTokens: Tensor<'int32'> = { type: 'int32', dims: [], data: new Int32Array(1) };
  const phase = int64([1], 0);
  const chosen: number[] = [];
  let fed = 0;
  const feed = async (tokens: readonly number[]): Promise<void> => {
    phase.data[0] = fed === 0 ? 0n : 1n;
    fed += tokens.length;
    lastPosition.data[0] = fed - 1;
    totalTokens.data[0] = fed;
    const feeds = {
      ...cross,
      ...cache.tensors,
      tokens: int64([1, tokens.length], ...tokens),
      last_position: lastPosition,
      total_tokens: totalTokens,
      logit_rows: int64([1], tokens.length - 1),
      phase,
      ...oneStep(decoder),
    };
    const { token } = await decoder.run(feeds, ['token', 'log_prob', ...Object.keys(into)], into);
    chosen.push(Number(token?.data[0]));
  };
  await feed(task.prompt);
  for (const token of task.tokens) await feed([token]);
  return {
    melMs: 0,
    encodeMs: encodedAtMs - startedAtMs,
    decodeMs: performance.now() - encodedAtMs,
    chosen,
  };
}

/** Opens every rung of the ladder, slowest first. `dir` takes the graphs. */
export async function openLadder(
  modelDir: string,
  compiledDir: string,
  dir: string,
  threads: number,
): Promise<readonly Rung[]> {
  const arch = readArchitecture(modelDir);
  const padSamples = arch.shape.maxAudioFrames * samplesPerAudioFrame;
  const open = (
    name: string,
    build: (file: string) => ReturnType<typeof buildEncoder>,
    options: SessionOptions,
  ) => provider.open(writeGraph(dir, name, `${name}.bin`, build(`${name}.bin`)), { ...options, threads });
  const all = { optimize: 'all' } as const;
  const first = await open('plain-first', (file) => buildPlainDecoder(arch, file), all);
  const next = await open('plain-next', (file) => buildPlainDecoder(arch, file, { past: true }), all);
  const plain30 = await open('plain-30s', (file) => buildPlainEncoder(arch, file), all);
  const plainAny = await open(
    'plain-any',
    (file) => buildPlainEncoder(arch, file, { melFrames: 'dynamic' }),
    all,
  );
  const fp32 = { weights: 'fp32', exceptions: {}, inspect: false } as const;
  const fusedFp32 = {
    arch,
    encoder: await open('fused-encoder', (file) => buildEncoder(arch, file, fp32), {}),
    decoder: await open('fused-decoder', (file) => buildDecoder(arch, file, fp32), {}),
  };
  // as it ships
  const shipped = {
    arch,
    encoder: await provider.open(path.join(compiledDir, 'encoder.onnx'), { threads }),
    decoder: await provider.open(path.join(compiledDir, 'decoder.onnx'), { threads }),
  };
  return [
    {
      name: 'plain fp32, 30 s',
      says: 'exporter-style graphs, all optimisations of onnxruntime, padded to 30 s',
      run: (task) => runPlain({ arch, encoder: plain30, first, next, padSamples }, task),
    },
    {
      name: 'plain fp32, true length',
      says: 'the same graphs with the length left open',
      run: (task) => runPlain({ arch, encoder: plainAny, first, next }, task),
    },
    {
      name: 'fused fp32, true length',
      says: 'compiled graphs, log-mel and arg-max inside, cache in place; weights as they are',
      run: (task) => runFused(fusedFp32, task),
    },
    {
      name: 'fused int8, true length',
      says: 'as it ships',
      run: (task) => runFused(shipped, task),
    },
    {
      name: 'fused int8, 30 s',
      says: 'as it ships, but padded: what length alone is worth at the other end of the ladder',
      run: (task) => runFused({ ...shipped, padSamples }, task),
    },
  ];
}
