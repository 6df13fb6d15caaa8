/**
 * Whisper as two graphs made for ONNX Runtime's CPU kernels: the contract is models/whisper/graphs.ts.
 *
 * What makes them fast, by measurement (docs/bench): any length instead of 30 s; int8 weights with float32 sums; all
 * products as large as they can be (query, key and value in one, the keys and values of all decoder layers in one);
 * one decoder graph for the prompt and the steps, its cache appended to in place; the arg-max inside.
 * What is deliberately absent: SkipLayerNormalization (a scalar kernel: Add and LayerNormalization are five times as
 * fast), unsigned int8 weights (half the speed or less), a second decoder graph (the weights would be held twice),
 * attention scales folded into weights (the kernels scale within the product at no cost).
 */
import { type BuiltGraph, GraphBuilder, type Value } from '../graph/builder.ts';
import { fftSize, frequencyBins, hannWindow, hopSamples, melFilters } from '../whisper/mel.ts';
import {
  type Architecture,
  type DecoderLayer,
  type EncoderLayer,
  type Linear,
  layerNormEpsilon,
  type Norm,
  type TokenRules,
} from './architecture.ts';
import { localAttention, type Neighbourhoods, neighbourhoods } from './local-attention.ts';
import {
  applyLinear,
  formatOf,
  multiply,
  placeMatrix,
  placeWeight,
  quantizedRows,
  rowsOf,
  type WeightOptions,
} from './matrix.ts';
import { compilerVersion } from './version.ts';

export type FusedOptions = WeightOptions & {
  /** Also put out `log_mel` and `hidden`: for tests and for looking at a model. */
  readonly inspect: boolean;
  /** Also put out where the decoder looks, `cross_weights_{i}`: for the times of words. */
  readonly alignment?: boolean;
  /** Encoder positions (20 ms) that attend to each other; undefined: all of them (models/compiler/local-attention.ts). */
  readonly attentionWindow?: number | undefined;
};

function normalize(graph: GraphBuilder, name: string, x: Value, norm: Norm): Value {
  return graph.scope(name, () => {
    const scale = placeWeight(graph, 'scale', norm.scale);
    return graph.layerNormalization(x, scale, placeWeight(graph, 'bias', norm.bias), layerNormEpsilon);
  });
}

/** x + down(gelu(up(norm(x)))) */
function feedForward(
  graph: GraphBuilder,
  name: string,
  x: Value,
  layer: EncoderLayer,
  options: WeightOptions,
) {
  const normal = normalize(graph, 'feed_forward_norm', x, layer.feedForwardNorm);
  const wide = graph.gelu(applyLinear(graph, `${name}.up`, normal, [layer.up], options));
  return graph.add(x, applyLinear(graph, `${name}.down`, wide, [layer.down], options));
}

// --- sound to log-mel ---

/**
 * Samples [n] to log-mel [frames, melBins], the same as `logMel` of models/whisper/mel.ts up to float32 rounding.
 *
 * The Fourier sum of 400 points is split by frequency twice (Cooley and Tukey's decimation in frequency), then done as
 * products with matrices of sines and cosines: k = 0 mod 4 and k = 2 mod 4 are sums over 100 points, odd k over 200.
 * Splitting further, or folding the frame around its middle, costs more in copies than it saves in products.
 * Frequencies 0 and 200 have no weight in any mel filter and are not computed.
 */
function logMel(graph: GraphBuilder, pcm: Value, melBins: number): Value {
  const powers = spectrum(graph, windowedFrames(graph, pcm));
  const order = powers.flatMap(({ frequencies }) => frequencies);
  const filters = graph.weight('filters', 'float32', [order.length, melBins], () => {
    const rows = melFilters(melBins);
    const matrix = new Float32Array(order.length * melBins);
    for (const [i, k] of order.entries()) {
      for (let bin = 0; bin < melBins; bin++)
        matrix[i * melBins + bin] = rows[bin * frequencyBins + k] as number;
    }
    return matrix;
  });
  const power = graph.concat(
    powers.map(({ power }) => power),
    1,
  );
  // (max(log10 e, top - 8) + 4) / 4, in natural logarithms
  const energy = graph.max(graph.matMul(power, filters), graph.scalar(1e-10));
  const log = graph.log(energy);
  const floor = graph.sub(graph.reduceMax(log, 'all', false), graph.scalar(8 * Math.LN10));
  return graph.add(graph.mul(graph.max(log, floor), graph.scalar(1 / (4 * Math.LN10))), graph.scalar(1));
}

/** Samples [n] to frames [n / 160, 400], centred, reflected at the ends and windowed. */
function windowedFrames(graph: GraphBuilder, pcm: Value): Value {
  const half = fftSize / 2;
  // half a window before; after the end, the last frame reaches 80 samples far, and whole hops are wanted
  const padded = graph.padReflect(pcm, [half, 2 * hopSamples - half]);
  const hops = graph.reshape(padded, [-1, hopSamples]);
  const third = graph.slice(hops, 0, 2, Number.MAX_SAFE_INTEGER);
  const frames = graph.concat(
    [
      graph.slice(hops, 0, 0, -2),
      graph.slice(hops, 0, 1, -1),
      graph.slice(third, 1, 0, fftSize - 2 * hopSamples),
    ],
    1,
  );
  return graph.mul(
    frames,
    graph.weight('window', 'float32', [fftSize], () => Float32Array.from(hannWindow())),
  );
}

type Power = { readonly frequencies: readonly number[]; readonly power: Value };

/** Frames [f, 400] to |X_k|^2 [f, frequencies] in three groups of frequencies. */
function spectrum(graph: GraphBuilder, frames: Value): Power[] {
  const halves = (x: Value, points: number): [Value, Value] => {
    const [first, second] = graph.split(x, [points / 2, points / 2], 1) as [Value, Value];
    return [graph.add(first, second), graph.sub(first, second)];
  };
  const [even, odd] = halves(frames, fftSize);
  const [doublyEven, singlyEven] = halves(even, fftSize / 2);
  const every = (step: number, from: number) =>
    Array.from({ length: frequencyBins }, (_, k) => k).filter(
      (k) => k % step === from && k > 0 && k < frequencyBins - 1,
    );
  return [
    fourierSums(graph, doublyEven, fftSize / 4, every(4, 0)),
    fourierSums(graph, singlyEven, fftSize / 4, every(4, 2)),
    fourierSums(graph, odd, fftSize / 2, every(2, 1)),
  ];
}

/** Points [f, n] to the power of their Fourier sums at `frequencies` (of the whole frame's 400). */
function fourierSums(graph: GraphBuilder, x: Value, points: number, frequencies: readonly number[]): Power {
  const component = (name: string, turn: (angle: number) => number) => {
    const matrix = graph.weight(name, 'float32', [points, frequencies.length], () =>
      Float32Array.from({ length: points * frequencies.length }, (_, i) => {
        const n = Math.floor(i / frequencies.length);
        const k = frequencies[i % frequencies.length] as number;
        return turn((2 * Math.PI * ((k * n) % fftSize)) / fftSize);
      }),
    );
    const sums = graph.matMul(x, matrix);
    return graph.mul(sums, sums);
  };
  return { frequencies, power: graph.add(component('cosines', Math.cos), component('sines', Math.sin)) };
}

// --- encoder ---

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

/** Keys and values of the sound for every decoder layer, in one product. */
function crossKeysValues(
  graph: GraphBuilder,
  hidden: Value,
  { decoder, shape }: Architecture,
  options: WeightOptions,
): void {
  const { decoderHeads: heads, headWidth } = shape;
  const parts = decoder.layers.flatMap(({ cross }) => [cross.key, cross.value]);
  const packed = applyLinear(graph, 'cross.keys_values', hidden, parts, options);
  const split = graph.transpose(
    graph.reshape(packed, [1, -1, parts.length * heads, headWidth]),
    [0, 2, 1, 3],
  );
  const outputs = graph.split(split, Array(parts.length).fill(heads), 1);
  for (const [i, output] of outputs.entries()) {
    const name = i % 2 === 0 ? 'cross_key' : 'cross_value';
    graph.output(`${name}_${Math.floor(i / 2)}`, output, 'float32', [1, heads, 'T', headWidth]);
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

// --- decoder ---

/**
 * Embeddings [1, S, D] of `tokens`, from rows that are mapped and looked up one by one; in int8 no float32 copy of the
 * table exists. A tied head has columns of its own: looking tokens up in those touches a page for every dimension.
 */
function embed(
  graph: GraphBuilder,
  tokens: Value,
  { decoder, shape }: Architecture,
  options: WeightOptions,
): Value {
  const { embedding } = decoder;
  if (formatOf('embedding', options) === 'fp32') {
    return graph.gather(placeWeight(graph, 'rows', embedding), tokens, 0);
  }
  // 4 bits would gain nothing here: one row is read for each token
  const quantized = quantizedRows(rowsOf([embedding]));
  const rows = graph.weight('rows', 'int8', embedding.dims, quantized.numbers);
  const scales = graph.weight('scales', 'float32', [shape.vocabularySize, 1], quantized.scales);
  return graph.mul(graph.cast(graph.gather(rows, tokens, 0), 'float32'), graph.gather(scales, tokens, 0));
}

function decoderLayer(
  graph: GraphBuilder,
  i: number,
  x: Value,
  layer: DecoderLayer,
  inputs: {
    readonly lastPosition: Value;
    readonly totalTokens: Value;
    readonly shape: Architecture['shape'];
  },
  options: FusedOptions,
): Value {
  const { decoderHeads: heads, headWidth } = inputs.shape;
  const cacheDims = (length: string) => [1, heads, length, headWidth];
  const cache = {
    key: graph.input(`self_key_${i}`, 'float32', cacheDims('C')),
    value: graph.input(`self_value_${i}`, 'float32', cacheDims('C')),
  };
  const crossKey = graph.input(`cross_key_${i}`, 'float32', cacheDims('T'));
  const crossValue = graph.input(`cross_value_${i}`, 'float32', cacheDims('T'));
  return graph.scope(`layer${i}`, () => {
    const { query, key, value, out } = layer.self;
    const normal = normalize(graph, 'self_norm', x, layer.selfNorm);
    const packed = applyLinear(graph, `decoder.${i}.qkv`, normal, [query, key, value], options);
    const [attended, newKey, newValue] = graph.groupQueryAttention(
      packed,
      cache,
      inputs.lastPosition,
      inputs.totalTokens,
      heads,
    );
    graph.output(`present_self_key_${i}`, newKey, 'float32', cacheDims('C'));
    graph.output(`present_self_value_${i}`, newValue, 'float32', cacheDims('C'));
    const afterSelf = graph.add(x, applyLinear(graph, `decoder.${i}.out`, attended, [out], options));

    const crossNormal = normalize(graph, 'cross_norm', afterSelf, layer.crossNorm);
    const asked = applyLinear(graph, `decoder.${i}.cross_query`, crossNormal, [layer.cross.query], options);
    if (options.alignment === true) {
      // once more what is inside the kernel below, which does not tell
      const parted = graph.reshape(asked, [1, -1, heads, headWidth]);
      const scaled = graph.mul(graph.transpose(parted, [0, 2, 1, 3]), graph.scalar(headWidth ** -0.5));
      const looked = graph.softmax(graph.matMul(scaled, graph.transpose(crossKey, [0, 1, 3, 2])));
      graph.output(`cross_weights_${i}`, looked, 'float32', [1, heads, 'S', 'T']);
    }
    const heard = graph.multiHeadAttention(asked, crossKey, crossValue, heads);
    const crossOut = applyLinear(graph, `decoder.${i}.cross_out`, heard, [layer.cross.out], options);
    return feedForward(graph, `decoder.${i}`, graph.add(afterSelf, crossOut), layer, options);
  });
}

/** [2, V] added to the logits: -infinity at what may not be written, in the first row also at what may not be first. */
function suppression({ suppress, beginSuppress }: TokenRules, vocabularySize: number): Float32Array {
  const table = new Float32Array(2 * vocabularySize);
  for (const id of [...suppress, ...beginSuppress]) table[id] = Number.NEGATIVE_INFINITY;
  for (const id of suppress) table[vocabularySize + id] = Number.NEGATIVE_INFINITY;
  return table;
}

function choose(graph: GraphBuilder, raw: Value, phase: Value, { shape, tokens }: Architecture): void {
  const { vocabularySize } = shape;
  const table = graph.weight('suppression', 'float32', [2, vocabularySize], () =>
    suppression(tokens, vocabularySize),
  );
  const logits = graph.add(raw, graph.gather(table, phase, 0));
  const likeliest = graph.reduceMax(graph.softmax(logits), 'last', false);
  graph.output('token', graph.argMax(logits, -1), 'int64', ['R']);
  graph.output('log_prob', graph.log(likeliest), 'float32', ['R']);
  if (tokens.noSpeech !== undefined) {
    const id = graph.constant(BigInt64Array.of(BigInt(tokens.noSpeech)), []);
    graph.output('no_speech_prob', graph.gather(graph.softmax(raw), id, 1), 'float32', ['R']);
  }
  graph.output('logits', logits, 'float32', ['R', vocabularySize]);
}

/** One graph for the prompt and every step. `weightsFile` will lie beside the graph. */
export function buildDecoder(arch: Architecture, weightsFile: string, options: FusedOptions): BuiltGraph {
  const { decoder, shape } = arch;
  const graph = new GraphBuilder('whisper decoder', weightsFile);
  const tokens = graph.input('tokens', 'int64', [1, 'S']);
  const lastPosition = graph.input('last_position', 'int32', [1]);
  const totalTokens = graph.input('total_tokens', 'int32', []);
  const logitRows = graph.input('logit_rows', 'int64', ['R']);
  const phase = graph.input('phase', 'int64', [1]);

  let x = graph.scope('embedding', () => {
    const end = graph.add(lastPosition, graph.constant(Int32Array.of(1)));
    const start = graph.sub(end, graph.cast(graph.shape(tokens, 1), 'int32'));
    const table = placeWeight(graph, 'positions', decoder.positions);
    const axes = [graph.constant(Int32Array.of(0)), graph.constant(Int32Array.of(1))];
    const positions = graph.node('Slice', [table, start, end, ...axes]);
    return graph.add(embed(graph, tokens, arch, options), positions);
  });
  const inputs = { lastPosition, totalTokens, shape };
  for (const [i, layer] of decoder.layers.entries()) x = decoderLayer(graph, i, x, layer, inputs, options);
  graph.scope('head', () => {
    const rows = normalize(graph, 'norm', graph.gather(x, logitRows, 1), decoder.norm);
    const head = placeMatrix(graph, 'head', rowsOf([decoder.head ?? decoder.embedding]), options);
    choose(graph, graph.squeeze(multiply(graph, rows, head), 0), phase, arch);
  });
  return graph.finish(compilerVersion);
}
