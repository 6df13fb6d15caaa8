/** Writes random Whisper checkpoints of any shape, for what the one embedded model does not cover. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedModelDir } from './golden.ts';
import { randomFrom } from './random.ts';

/** The vocabulary of the embedded model's tokenizer, which is lent to them. */
const vocabularySize = 1000;

export type SmallWhisper = {
  readonly width: number;
  readonly encoderHeads: number;
  readonly decoderHeads: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly feedForward: number;
  readonly mels: number;
  readonly audioFrames: number;
  readonly textTokens: number;
  readonly tied: boolean;
  readonly precision: 'F32' | 'F16' | 'BF16';
};

/** As unlike the embedded model as can be: other heads in encoder and decoder, 128 mels, an untied head. */
export const unlike: SmallWhisper = {
  width: 48,
  encoderHeads: 3,
  decoderHeads: 2,
  encoderLayers: 1,
  decoderLayers: 3,
  feedForward: 80,
  mels: 128,
  audioFrames: 200,
  textTokens: 20,
  tied: false,
  precision: 'F16',
};

type Shapes = Record<string, readonly number[]>;

function shapesOf(model: SmallWhisper): Shapes {
  const { width: d, feedForward: f, mels } = model;
  const shapes: Shapes = {
    'model.encoder.conv1.weight': [d, mels, 3],
    'model.encoder.conv1.bias': [d],
    'model.encoder.conv2.weight': [d, d, 3],
    'model.encoder.conv2.bias': [d],
    'model.encoder.embed_positions.weight': [model.audioFrames, d],
    'model.decoder.embed_tokens.weight': [vocabularySize, d],
    'model.decoder.embed_positions.weight': [model.textTokens, d],
  };
  const linear = (name: string, outs: number, ins: number, bias = true) => {
    shapes[`${name}.weight`] = [outs, ins];
    if (bias) shapes[`${name}.bias`] = [outs];
  };
  const norm = (name: string) => {
    shapes[`${name}.weight`] = [d];
    shapes[`${name}.bias`] = [d];
  };
  const attention = (name: string) => {
    for (const part of ['q_proj', 'v_proj', 'out_proj']) linear(`${name}.${part}`, d, d);
    linear(`${name}.k_proj`, d, d, false);
    norm(`${name}_layer_norm`);
  };
  for (const [half, layers] of [
    ['encoder', model.encoderLayers],
    ['decoder', model.decoderLayers],
  ] as const) {
    norm(`model.${half}.layer_norm`);
    for (let i = 0; i < layers; i++) {
      const layer = `model.${half}.layers.${i}`;
      attention(`${layer}.self_attn`);
      if (half === 'decoder') attention(`${layer}.encoder_attn`);
      norm(`${layer}.final_layer_norm`);
      linear(`${layer}.fc1`, f, d);
      linear(`${layer}.fc2`, d, f);
    }
  }
  if (!model.tied) shapes['proj_out.weight'] = [vocabularySize, d];
  return shapes;
}

/** float32 bits to half precision, truncated; subnormals become zero, which weights do not miss. */
function toHalf(bits: number): number {
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

function encode(values: Float32Array, precision: SmallWhisper['precision']): Uint8Array {
  if (precision === 'F32') return new Uint8Array(values.buffer);
  const bits = new Uint32Array(values.buffer);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    halves[i] = precision === 'F16' ? toHalf(bits[i] as number) : (bits[i] as number) >>> 16;
  }
  return new Uint8Array(halves.buffer);
}

/** `change` edits config.json and the shapes before the weights are made: for models that are wrong on purpose. */
export function writeSmallWhisper(
  dir: string,
  model: SmallWhisper,
  change: (config: Record<string, unknown>, shapes: Shapes) => void = () => undefined,
): string {
  const config: Record<string, unknown> = {
    model_type: 'whisper',
    activation_function: 'gelu',
    vocab_size: vocabularySize,
    num_mel_bins: model.mels,
    d_model: model.width,
    encoder_layers: model.encoderLayers,
    encoder_attention_heads: model.encoderHeads,
    encoder_ffn_dim: model.feedForward,
    decoder_layers: model.decoderLayers,
    decoder_attention_heads: model.decoderHeads,
    decoder_ffn_dim: model.feedForward,
    max_source_positions: model.audioFrames,
    max_target_positions: model.textTokens,
    tie_word_embeddings: model.tied,
    suppress_tokens: [1, 2],
    begin_suppress_tokens: [7, 0],
  };
  const shapes = shapesOf(model);
  change(config, shapes);
  const random = randomFrom(model.width);
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, dims] of Object.entries(shapes)) {
    const count = dims.reduce((product, dim) => product * dim, 1);
    const spread = dims.length > 1 ? 2 / Math.sqrt(count / (dims[0] as number)) : 0.5;
    const centre = /norm\.weight$/.test(name) ? 1 : 0;
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = centre + (random() - 0.5) * spread * 1.7;
    const bytes = encode(values, model.precision);
    header[name] = { dtype: model.precision, shape: dims, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  mkdirSync(dir, { recursive: true });
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path.join(dir, 'model.safetensors'), Buffer.concat([length, json, ...parts]));
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify(config));
  copyFileSync(path.join(embeddedModelDir, 'tokenizer.json'), path.join(dir, 'tokenizer.json'));
  return dir;
}
