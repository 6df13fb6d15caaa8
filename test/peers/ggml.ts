/**
 * A checkpoint as whisper.cpp's "ggml" file, weights in q8_0: blocks of 32 int8 values and a binary16 scale.
 * Sources: ggml-org/whisper.cpp models/convert-h5-to-ggml.py, examples/common-ggml.cpp (which tensors are quantised),
 * ggml/src/ggml-quants.c `quantize_row_q8_0_ref`.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { openSafetensors } from '../../models/compiler/safetensors.ts';
import { frequencyBins, melFilters } from '../../models/whisper/mel.ts';
import { specialTokens } from './checkpoint.ts';

const magic = 0x67676d6c;
/** GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0 */
const types = { float32: 0, float16: 1, q8: 8 } as const;
/** GGML_FTYPE_MOSTLY_Q8_0, and version 2 of the quantised formats times a thousand */
const fileType = 7 + 2 * 1000;
const blockValues = 32;

const layerParts: Readonly<Record<string, string>> = {
  'self_attn.k_proj': 'attn.key',
  'self_attn.q_proj': 'attn.query',
  'self_attn.v_proj': 'attn.value',
  'self_attn.out_proj': 'attn.out',
  self_attn_layer_norm: 'attn_ln',
  'encoder_attn.k_proj': 'cross_attn.key',
  'encoder_attn.q_proj': 'cross_attn.query',
  'encoder_attn.v_proj': 'cross_attn.value',
  'encoder_attn.out_proj': 'cross_attn.out',
  encoder_attn_layer_norm: 'cross_attn_ln',
  fc1: 'mlp.0',
  fc2: 'mlp.2',
  final_layer_norm: 'mlp_ln',
};

const wholeNames: Readonly<Record<string, string>> = {
  'encoder.layer_norm.weight': 'encoder.ln_post.weight',
  'encoder.layer_norm.bias': 'encoder.ln_post.bias',
  'encoder.embed_positions.weight': 'encoder.positional_embedding',
  'decoder.layer_norm.weight': 'decoder.ln.weight',
  'decoder.layer_norm.bias': 'decoder.ln.bias',
  'decoder.embed_positions.weight': 'decoder.positional_embedding',
  'decoder.embed_tokens.weight': 'decoder.token_embedding.weight',
};

function nameOf(hubName: string): string {
  const name = hubName.replace(/^model\./, '');
  const layer = /^(encoder|decoder)\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  if (layer === null) return wholeNames[name] ?? name;
  const [, side, index, part = '', kind] = layer;
  return `${side}.blocks.${index}.${layerParts[part] ?? part}.${kind}`;
}

const view = new DataView(new ArrayBuffer(4));

/** To the nearest binary16, halves to even; what is too small for a normal number becomes zero. */
function toHalf(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude < 0x3880_0000) return sign;
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x3800_0000) >>> 13);
}

function quantizeQ8(values: Float32Array): Buffer {
  const bytes = Buffer.alloc((values.length / blockValues) * (2 + blockValues));
  for (let block = 0; block < values.length / blockValues; block++) {
    const from = block * blockValues;
    let largest = 0;
    for (let i = from; i < from + blockValues; i++) {
      largest = Math.max(largest, Math.abs(values[i] as number));
    }
    const steps = largest === 0 ? 0 : 127 / largest;
    const at = block * (2 + blockValues);
    bytes.writeUInt16LE(toHalf(largest / 127), at);
    for (let i = 0; i < blockValues; i++) {
      bytes.writeInt8(Math.round((values[from + i] as number) * steps), at + 2 + i);
    }
  }
  return bytes;
}

function encode(name: string, dims: readonly number[], values: Float32Array) {
  const matrix = dims.length === 2 && !name.endsWith('positional_embedding') && !name.includes('conv');
  if (matrix) return { type: types.q8, bytes: quantizeQ8(values) };
  if (dims.length === 3) {
    return { type: types.float16, bytes: Buffer.from(Uint16Array.from(values, toHalf).buffer) };
  }
  return { type: types.float32, bytes: Buffer.from(values.buffer, values.byteOffset, values.byteLength) };
}

const int32s = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);

/** Writes the model in `modelDir`, which has bytes as its first 256 tokens, to `file`. */
export function writeGgml(modelDir: string, file: string): void {
  const { shape, encoderHeads } = readArchitecture(modelDir);
  const tensors = openSafetensors(modelDir);
  const fd = openSync(file, 'w');
  const put = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += writeSync(fd, bytes, at));
  };
  try {
    const encoder = [shape.maxAudioFrames, shape.modelWidth, encoderHeads, shape.encoderLayers];
    const decoder = [shape.maxTextTokens, shape.modelWidth, shape.decoderHeads, shape.decoderLayers];
    put(int32s(magic, shape.vocabularySize, ...encoder, ...decoder, shape.melBins, fileType));
    put(int32s(shape.melBins, frequencyBins));
    put(Buffer.from(Float32Array.from(melFilters(shape.melBins)).buffer));
    const { endOfText } = specialTokens({ vocabularySize: shape.vocabularySize });
    put(int32s(endOfText));
    const words = Array.from({ length: endOfText }, (_, id) => {
      const bytes = id < 256 ? Buffer.of(id) : Buffer.from(`<${id}>`);
      return Buffer.concat([int32s(bytes.length), bytes]);
    });
    put(Buffer.concat(words));
    for (const hubName of tensors.names) {
      const name = nameOf(hubName);
      const dims = tensors.dims(hubName) as readonly number[];
      // a bias is added to all frames of a convolution
      const written = /^encoder\.conv\d\.bias$/.test(name) ? [...dims, 1] : dims;
      const { type, bytes } = encode(name, dims, tensors.read(hubName));
      put(int32s(written.length, Buffer.byteLength(name), type, ...written.toReversed()));
      put(Buffer.from(name));
      put(bytes);
    }
  } finally {
    closeSync(fd);
  }
}
