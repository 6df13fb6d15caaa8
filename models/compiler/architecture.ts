/**
 * What a model directory holds, as the compiler wants it: the shape, the tokens the graphs must know, and every weight
 * by role. Read from config.json, generation_config.json, tokenizer.json and the tensors of a Hugging Face
 * `WhisperForConditionalGeneration`; nothing is assumed that these do not say.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import type { WhisperShape } from '../whisper/graphs.ts';
import { readTokenizer } from '../whisper/tokenizer.ts';
import { openSafetensors } from './safetensors.ts';

/**
 * A tensor of the checkpoint. `read` goes to the file each time, for all values or `count` from `start` on, and throws
 * `Fault` MODEL_INVALID where one is NaN or infinite: it would silence the whole model.
 */
export type Weight = {
  readonly dims: readonly number[];
  readonly read: (start?: number, count?: number) => Float32Array;
};

/** y = x w^T + b, w [out, in] as PyTorch keeps it. Keys have no bias in Whisper. */
export type Linear = { readonly weight: Weight; readonly bias: Weight | undefined };
export type Norm = { readonly scale: Weight; readonly bias: Weight };
export type Attention = {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly out: Linear;
};
export type EncoderLayer = {
  readonly selfNorm: Norm;
  readonly self: Attention;
  readonly feedForwardNorm: Norm;
  readonly up: Linear;
  readonly down: Linear;
};
export type DecoderLayer = EncoderLayer & { readonly crossNorm: Norm; readonly cross: Attention };

export type Architecture = {
  readonly shape: WhisperShape;
  readonly encoderHeads: number;
  readonly encoder: {
    /** [D, mels, 3] and [D, D, 3] */
    readonly conv1: Linear;
    readonly conv2: Linear;
    /** [maxAudioFrames, D] */
    readonly positions: Weight;
    readonly layers: readonly EncoderLayer[];
    readonly norm: Norm;
  };
  readonly decoder: {
    /** [V, D] */
    readonly embedding: Weight;
    /** [maxTextTokens, D] */
    readonly positions: Weight;
    readonly layers: readonly DecoderLayer[];
    readonly norm: Norm;
    /** [V, D]; undefined where the embedding serves as the head too. */
    readonly head: Weight | undefined;
  };
  readonly tokens: TokenRules;
  /** Files that determine the graphs, to be hashed. */
  readonly sourceFiles: readonly string[];
};

/** What the graphs know of tokens. */
export type TokenRules = {
  /** Never written. */
  readonly suppress: readonly number[];
  /** Not written first. */
  readonly beginSuppress: readonly number[];
  readonly noSpeech: number | undefined;
  readonly endOfText: number;
  /** The first of them, and the token that says there will be none; undefined where the model writes none. */
  readonly timestamps: { readonly first: number; readonly none: number | undefined } | undefined;
};

/** PyTorch's default, which Whisper uses throughout; config.json has no field for it. */
export const layerNormEpsilon = 1e-5;

type Json = Readonly<Record<string, unknown>>;

function unsupported(message: string): Fault {
  return new Fault(
    'MODEL_UNSUPPORTED',
    message,
    'harkd runs Whisper and its distillations in Hugging Face layout (WhisperForConditionalGeneration)',
  );
}

function invalid(message: string, cause?: unknown): Fault {
  return new Fault(
    'MODEL_INVALID',
    message,
    'the files may be incomplete or of different models: download the model again',
    cause === undefined ? undefined : { cause },
  );
}

function readJson(modelDir: string, file: string): Json {
  const full = path.join(modelDir, file);
  let text: string;
  try {
    text = readFileSync(full, 'utf8');
  } catch (cause) {
    throw new Fault(
      'MODEL_MISSING',
      `cannot read ${full}`,
      'expected a Whisper in Hugging Face layout: config.json, tokenizer.json, model.safetensors',
      { cause },
    );
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch (cause) {
    throw invalid(`${full} is not JSON`, cause);
  }
  throw invalid(`${full} is not a JSON object`);
}

/** A whole number from config.json within what any Whisper has had with room to spare: large has 32 layers, D 1280. */
function count(config: Json, name: string, most: number): number {
  const value = config[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) {
    throw invalid(
      `config.json: ${name} is ${JSON.stringify(value)}, expected a whole number from 1 to ${most}`,
    );
  }
  return value;
}

function require(config: Json, name: string, expected: unknown, missing: unknown = expected): void {
  const value = config[name] ?? missing;
  if (value !== expected) {
    throw unsupported(
      `config.json: ${name} is ${JSON.stringify(value)}, the compiler knows ${JSON.stringify(expected)} only`,
    );
  }
}

function readTokenIds(name: string, value: unknown, vocabularySize: number): number[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize)) {
    return value as number[];
  }
  throw invalid(`${name} is ${JSON.stringify(value)}, expected a list of token ids below ${vocabularySize}`);
}

function readTokenRules(modelDir: string, config: Json, vocabularySize: number): TokenRules {
  const generation = existsSync(path.join(modelDir, 'generation_config.json'))
    ? readJson(modelDir, 'generation_config.json')
    : {};
  const ids = (name: string) => readTokenIds(name, generation[name] ?? config[name], vocabularySize);
  const tokenizerPath = path.join(modelDir, 'tokenizer.json');
  if (!existsSync(tokenizerPath)) {
    throw new Fault(
      'MODEL_MISSING',
      `there is no ${tokenizerPath}`,
      'download tokenizer.json beside the weights',
    );
  }
  const { special } = readTokenizer(readFileSync(tokenizerPath, 'utf8'), vocabularySize);
  return {
    suppress: ids('suppress_tokens'),
    beginSuppress: ids('begin_suppress_tokens'),
    noSpeech: special.noSpeech,
    endOfText: special.endOfText,
    timestamps:
      special.firstTimestamp === undefined
        ? undefined
        : { first: special.firstTimestamp, none: special.noTimestamps },
  };
}

function readShape(config: Json): { readonly shape: WhisperShape; readonly encoderHeads: number } {
  if (config['model_type'] !== 'whisper') {
    throw unsupported(
      `config.json: model_type is ${JSON.stringify(config['model_type'])}, expected "whisper"`,
    );
  }
  require(config, 'activation_function', 'gelu');
  require(config, 'scale_embedding', false);
  const modelWidth = count(config, 'd_model', 8192);
  const decoderHeads = count(config, 'decoder_attention_heads', 256);
  const encoderHeads = count(config, 'encoder_attention_heads', 256);
  for (const heads of [decoderHeads, encoderHeads]) {
    // the in-place attention kernel takes heads in steps of eight
    if (modelWidth % (8 * heads) !== 0) {
      throw unsupported(
        `config.json: d_model ${modelWidth} in ${heads} heads, expected heads of a multiple of 8`,
      );
    }
  }
  const shape: WhisperShape = {
    melBins: count(config, 'num_mel_bins', 512),
    modelWidth,
    encoderLayers: count(config, 'encoder_layers', 128),
    decoderLayers: count(config, 'decoder_layers', 128),
    decoderHeads,
    headWidth: modelWidth / decoderHeads,
    vocabularySize: count(config, 'vocab_size', 1_000_000),
    maxTextTokens: count(config, 'max_target_positions', 65_536),
    maxAudioFrames: count(config, 'max_source_positions', 65_536),
  };
  return { shape, encoderHeads };
}

function requireFinite(name: string, start: number, values: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    // NaN and infinities only
    if (value - value !== 0) {
      throw new Fault(
        'MODEL_INVALID',
        `tensor ${name} holds ${value} (value ${start + i})`,
        'the model was damaged in training or conversion: take another',
      );
    }
  }
  return values;
}

/**
 * Checks the small files of a model directory alone: is it a Whisper the compiler knows, and do its tokenizer and its
 * vocabulary fit? For who has not got the weights yet. Throws `Fault`: MODEL_MISSING, MODEL_UNSUPPORTED, MODEL_INVALID.
 */
export function checkDescription(modelDir: string): void {
  const config = readJson(modelDir, 'config.json');
  readTokenRules(modelDir, config, readShape(config).shape.vocabularySize);
}

/**
 * Reads and checks a model directory. Throws `Fault`: MODEL_MISSING (a file), MODEL_UNSUPPORTED (another architecture),
 * MODEL_INVALID (naming the tensor or field that is missing or has the wrong shape).
 */
export function readArchitecture(modelDir: string): Architecture {
  const config = readJson(modelDir, 'config.json');
  const { shape, encoderHeads } = readShape(config);
  const encoderWidth = count(config, 'encoder_ffn_dim', 65_536);
  const decoderWidth = count(config, 'decoder_ffn_dim', 65_536);
  const tokens = readTokenRules(modelDir, config, shape.vocabularySize);
  const tensors = openSafetensors(modelDir);
  const known = new Set<string>();
  const width = shape.modelWidth;

  const weight = (name: string, ...dims: readonly number[]): Weight => {
    const got = tensors.dims(name);
    if (got === undefined) throw invalid(`tensor ${name} is missing, config.json asks for it`);
    if (got.join() !== dims.join()) {
      throw invalid(
        `tensor ${name} has shape [${got.join(', ')}], config.json asks for [${dims.join(', ')}]`,
      );
    }
    known.add(name);
    const read = (start = 0, count?: number) => requireFinite(name, start, tensors.read(name, start, count));
    return { dims, read };
  };
  const linear = (name: string, outs: number, ins: number, bias = true): Linear => ({
    weight: weight(`${name}.weight`, outs, ins),
    bias: bias ? weight(`${name}.bias`, outs) : undefined,
  });
  const convolution = (name: string, ins: number): Linear => ({
    weight: weight(`${name}.weight`, width, ins, 3),
    bias: weight(`${name}.bias`, width),
  });
  const norm = (name: string): Norm => ({
    scale: weight(`${name}.weight`, width),
    bias: weight(`${name}.bias`, width),
  });
  const attention = (name: string): Attention => ({
    query: linear(`${name}.q_proj`, width, width),
    key: linear(`${name}.k_proj`, width, width, false),
    value: linear(`${name}.v_proj`, width, width),
    out: linear(`${name}.out_proj`, width, width),
  });
  const encoderLayer = (name: string, feedForward: number): EncoderLayer => ({
    selfNorm: norm(`${name}.self_attn_layer_norm`),
    self: attention(`${name}.self_attn`),
    feedForwardNorm: norm(`${name}.final_layer_norm`),
    up: linear(`${name}.fc1`, feedForward, width),
    down: linear(`${name}.fc2`, width, feedForward),
  });
  const decoderLayer = (name: string): DecoderLayer => ({
    ...encoderLayer(name, decoderWidth),
    crossNorm: norm(`${name}.encoder_attn_layer_norm`),
    cross: attention(`${name}.encoder_attn`),
  });
  const times = <T>(layers: number, make: (i: number) => T) =>
    Array.from({ length: layers }, (_, i) => make(i));

  const encoder = {
    conv1: convolution('model.encoder.conv1', shape.melBins),
    conv2: convolution('model.encoder.conv2', width),
    positions: weight('model.encoder.embed_positions.weight', shape.maxAudioFrames, width),
    layers: times(shape.encoderLayers, (i) => encoderLayer(`model.encoder.layers.${i}`, encoderWidth)),
    norm: norm('model.encoder.layer_norm'),
  };
  const decoder = {
    embedding: weight('model.decoder.embed_tokens.weight', shape.vocabularySize, width),
    positions: weight('model.decoder.embed_positions.weight', shape.maxTextTokens, width),
    layers: times(shape.decoderLayers, (i) => decoderLayer(`model.decoder.layers.${i}`)),
    norm: norm('model.decoder.layer_norm'),
    // transformers ties unless told otherwise
    head:
      config['tie_word_embeddings'] === false
        ? weight('proj_out.weight', shape.vocabularySize, width)
        : undefined,
  };
  // a tied head may be written out all the same
  known.add('proj_out.weight');
  const unknown = tensors.names.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw unsupported(`tensor ${unknown} has no place in the Whisper that config.json describes`);
  }
  const json = ['config.json', 'generation_config.json', 'tokenizer.json'].map((file) =>
    path.join(modelDir, file),
  );
  return {
    shape,
    encoderHeads,
    encoder,
    decoder,
    tokens,
    sourceFiles: [...json.filter((file) => existsSync(file)), ...tensors.files],
  };
}
