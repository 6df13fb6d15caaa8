/** The encoder of the fused graphs (fused.ts): sound in, keys and values for the decoder out. */
import { type BuiltGraph, GraphBuilder, type Value } from '../graph/builder.ts';
import type { Architecture, EncoderLayer, Linear } from './architecture.ts';
import { type FusedOptions, feedForward, normalize } from './fused.ts';
import { localAttention, type Neighbourhoods, neighbourhoods } from './local-attention.ts';
import { logMel } from './log-mel.ts';
import { applyLinear, placeWeight, type WeightOptions } from './matrix.ts';
import { compilerVersion } from './version.ts';

/** [outs, ins, 3] of a convolution to [outs, 3 ins]: the taps side by side, as its neighbours are laid. */
function tapsFirst(ins: number): (rows: Float32Array) => Float32Array {
  return (rows) => {
    const arranged = new Float32Array(rows.length);
    for (let at = 0; at < rows.length; at += 3 * ins) {
      for (let i = 0; i < ins; i++) {
        for (let tap = 0; tap < 3; tap++) arranged[at + tap * ins + i] = rows[at + 3 * i + tap] as number;
      }
    }
    return arranged;
  };
}

function convolve(
  graph: GraphBuilder,
  name: string,
  neighbours: readonly Value[],
  conv: Linear,
  options: WeightOptions,
) {
  const ins = conv.weight.dims[1] as number;
  const x = graph.concat(neighbours, 1);
  return graph.gelu(applyLinear(graph, name, x, [conv], options, tapsFirst(ins)));
}

/** Both convolutions as products over three neighbours: [2T, mels] to [T, D]. */
function stem(
  graph: GraphBuilder,
  mel: Value,
  { encoder, shape }: Architecture,
  options: WeightOptions,
): Value {
  const width = shape.modelWidth;
  const end = Number.MAX_SAFE_INTEGER;
  const zeros = (columns: number) =>
    graph.weight('zeros', 'float32', [1, columns], () => new Float32Array(columns));
  const edge = zeros(shape.melBins);
  const padded = graph.concat([edge, mel, edge], 0);
  const taps = [graph.slice(padded, 0, 0, -2), graph.slice(padded, 0, 1, -1), graph.slice(padded, 0, 2, end)];
  const narrow = convolve(graph, 'conv1', taps, encoder.conv1, options);
  // stride 2: output t sees 2t - 1, 2t and 2t + 1; rows of two put the last two side by side already
  const pairs = graph.reshape(narrow, [-1, 2 * width]);
  const odd = graph.slice(graph.slice(pairs, 0, 0, -1), 1, width, 2 * width);
  const before = graph.concat([zeros(width), odd], 0);
  return convolve(graph, 'conv2', [before, pairs], encoder.conv2, options);
}

function encoderLayer(
  graph: GraphBuilder,
  i: number,
  x: Value,
  layer: EncoderLayer,
  arch: Architecture,
  near: Neighbourhoods | undefined,
  options: WeightOptions,
): Value {
  const width = arch.shape.modelWidth;
  return graph.scope(`layer${i}`, () => {
    const { query, key, value, out } = layer.self;
    const normal = normalize(graph, 'self_norm', x, layer.selfNorm);
    const packed = applyLinear(graph, `encoder.${i}.qkv`, normal, [query, key, value], options);
    const [q, k, v] = graph.split(packed, [width, width, width], 2) as [Value, Value, Value];
    const attended =
      near === undefined
        ? graph.multiHeadAttention(q, k, v, arch.encoderHeads)
        : localAttention(graph, { query: q, key: k, value: v }, arch.encoderHeads, width, near);
    const after = graph.add(x, applyLinear(graph, `encoder.${i}.out`, attended, [out], options));
    return feedForward(graph, `encoder.${i}`, after, layer, options);
  });
}

/**
 * Keys and values of the sound for every decoder layer, one product after the other: in one product for all, its answer
 * and the same laid out by heads are the most memory the encoder needs at once, 6 MB in whisper-tiny for 5 s of sound.
 */
function crossKeysValues(
  graph: GraphBuilder,
  hidden: Value,
  { decoder, shape }: Architecture,
  options: WeightOptions,
): void {
  const { decoderHeads: heads, headWidth } = shape;
  for (const [i, { cross }] of decoder.layers.entries()) {
    for (const [part, linear] of [
      ['key', cross.key],
      ['value', cross.value],
    ] as const) {
      const rows = graph.scope(`layer${i}.${part}`, () =>
        applyLinear(graph, 'cross.keys_values', hidden, [linear], options),
      );
      const byHead = graph.transpose(graph.reshape(rows, [1, -1, heads, headWidth]), [0, 2, 1, 3]);
      graph.output(`cross_${part}_${i}`, byHead, 'float32', [1, heads, 'T', headWidth]);
    }
  }
}

/** Sound in, keys and values for the decoder out. `weightsFile` will lie beside the graph. */
export function buildEncoder(arch: Architecture, weightsFile: string, options: FusedOptions): BuiltGraph {
  const { encoder, shape } = arch;
  const graph = new GraphBuilder('whisper encoder', weightsFile);
  const pcm = graph.input('pcm', 'float32', ['samples']);
  const mel = graph.scope('log_mel', () => logMel(graph, pcm, shape.melBins));
  if (options.inspect) {
    const inspected = graph.unsqueeze(graph.transpose(mel, [1, 0]), 0);
    graph.output('log_mel', inspected, 'float32', [1, shape.melBins, 'mel_frames']);
  }
  let x = graph.scope('stem', () => {
    const frames = stem(graph, mel, arch, options);
    const positions = placeWeight(graph, 'positions', encoder.positions);
    return graph.unsqueeze(graph.add(frames, graph.slice(positions, 0, 0, graph.shape(frames, 0))), 0);
  });
  const { attentionWindow } = options;
  const near =
    attentionWindow === undefined
      ? undefined
      : graph.scope('near', () => neighbourhoods(graph, graph.shape(x, 1), attentionWindow));
  for (const [i, layer] of encoder.layers.entries())
    x = encoderLayer(graph, i, x, layer, arch, near, options);
  const hidden = normalize(graph, 'norm', x, encoder.norm);
  crossKeysValues(graph, hidden, arch, options);
  if (options.inspect) graph.output('hidden', hidden, 'float32', [1, 'T', shape.modelWidth]);
  return graph.finish(compilerVersion);
}
