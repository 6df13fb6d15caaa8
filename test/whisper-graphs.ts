/** Builds the fused graphs of a model directory and runs them token by token, for tests. */

import { type Architecture, readArchitecture } from '../models/compiler/architecture.ts';
import type { FusedOptions } from '../models/compiler/fused.ts';
import { buildDecoder } from '../models/compiler/fused-decoder.ts';
import { buildEncoder } from '../models/compiler/fused-encoder.ts';
import { crossNames } from '../models/whisper/cross.ts';
import { provider } from '../providers/cpu.ts';
import type { Session, Tensor } from '../providers/provider.ts';
import { writeGraph } from './graph-files.ts';

export type FusedSessions = {
  readonly arch: Architecture;
  readonly encoder: Session;
  readonly decoder: Session;
};

export async function openFused(
  modelDir: string,
  dir: string,
  options: Partial<FusedOptions>,
): Promise<FusedSessions> {
  const arch = readArchitecture(modelDir);
  // sums of int8 are then exact on any x86, as in models that are compiled for all of them
  const all: FusedOptions = { weights: 'fp32', exceptions: {}, inspect: false, rewritable: true, ...options };
  const encoder = writeGraph(dir, 'encoder', 'encoder.bin', buildEncoder(arch, 'encoder.bin', all));
  const decoder = writeGraph(dir, 'decoder', 'decoder.bin', buildDecoder(arch, 'decoder.bin', all));
  return { arch, encoder: await provider.open(encoder), decoder: await provider.open(decoder) };
}

export const float32 = (dims: readonly number[], data?: Float32Array): Tensor<'float32'> => ({
  type: 'float32',
  dims,
  data: data ?? new Float32Array(dims.reduce((product, dim) => product * dim, 1)),
});
/** The values of a float32 output; throws if it is not there. */
export function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.type !== 'float32') throw new Error(`expected a float32 tensor, got ${tensor?.type}`);
  return tensor.data;
}
export const int64 = (...values: readonly number[]): Tensor<'int64'> => ({
  type: 'int64',
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

/** What a decoder graph is fed to do one step, by no rules. */
export function oneStep({ inputNames }: Session): Record<string, Tensor> {
  const steps: Tensor = { type: 'int64', dims: [], data: BigInt64Array.of(1n) };
  return { steps, ...(inputNames.includes('timestamp_rules') ? { timestamp_rules: int64(0, 0, 0, 0) } : {}) };
}

export type StepOutput = {
  /** After the last row. */
  readonly token: number;
  readonly logProb: number;
  readonly noSpeech: number[];
  /** [rows, V] */
  readonly logits: Float32Array;
};

/** A decoder over one utterance with its caches; `step` feeds tokens and answers for the rows asked for. */
export class TeacherForced {
  readonly #sessions: FusedSessions;
  readonly #cross: Readonly<Record<string, Tensor>>;
  readonly #caches: Record<string, Tensor> = {};
  #total = 0;

  constructor(sessions: FusedSessions, cross: Readonly<Record<string, Tensor>>, capacity: number) {
    this.#sessions = sessions;
    this.#cross = cross;
    const { decoderHeads, decoderLayers, headWidth } = sessions.arch.shape;
    for (let i = 0; i < decoderLayers; i++) {
      this.#caches[`self_key_${i}`] = float32([1, decoderHeads, capacity, headWidth]);
      this.#caches[`self_value_${i}`] = float32([1, decoderHeads, capacity, headWidth]);
    }
  }

  get caches(): Readonly<Record<string, Tensor>> {
    return this.#caches;
  }

  async step(tokens: readonly number[], rows: readonly number[], phase: 0 | 1): Promise<StepOutput> {
    const { tokens: known } = this.#sessions.arch;
    const outputs = await this.#run(tokens, rows, phase, [
      ...['token', 'log_prob', 'logits'],
      ...(known.noSpeech === undefined ? [] : ['no_speech_prob']),
    ]);
    return {
      token: Number(outputs['token']?.data[0]),
      logProb: Number(outputs['log_prob']?.data[0]),
      noSpeech: Array.from(outputs['no_speech_prob']?.data ?? [], Number),
      logits: floats(outputs['logits']),
    };
  }

  /** Feeds `token` and what the graph chooses after it, in one run of `most` steps or fewer. */
  async steps(token: number, most: number) {
    const steps: Tensor = { type: 'int64', dims: [], data: BigInt64Array.of(BigInt(most)) };
    const outputs = await this.#run([token], [0], 1, ['token', 'log_prob'], { steps });
    const tokens = Array.from(outputs['token']?.data ?? [], Number);
    // the last one was not fed
    this.#total += tokens.length - 1;
    return { tokens, logProbs: Array.from(outputs['log_prob']?.data ?? [], Number) };
  }

  #run(
    tokens: readonly number[],
    rows: readonly number[],
    phase: 0 | 1,
    fetches: readonly string[],
    feeds: Readonly<Record<string, Tensor>> = {},
  ): Promise<Record<string, Tensor>> {
    this.#total += tokens.length;
    const into = Object.fromEntries(
      Object.entries(this.#caches).map(([name, cache]) => [`present_${name}`, cache]),
    );
    const { decoder } = this.#sessions;
    return decoder.run(
      {
        tokens: { type: 'int64', dims: [1, tokens.length], data: BigInt64Array.from(tokens, BigInt) },
        last_position: { type: 'int32', dims: [1], data: Int32Array.of(this.#total - 1) },
        total_tokens: { type: 'int32', dims: [], data: Int32Array.of(this.#total) },
        logit_rows: int64(...rows),
        phase: int64(phase),
        ...oneStep(decoder),
        ...this.#caches,
        ...this.#cross,
        ...feeds,
      },
      [...fetches, ...Object.keys(into)],
      into,
    );
  }
}

/** Runs the encoder on all outputs: `cross_*`, and `log_mel` and `hidden` where the graph has them. */
export async function encode({ arch, encoder }: FusedSessions, samples: Float32Array) {
  const outputs = await encoder.run({ pcm: float32([samples.length], samples) }, encoder.outputNames);
  const cross = Object.fromEntries(crossNames(arch.shape).map((name) => [name, outputs[name] as Tensor]));
  return { outputs, cross };
}
