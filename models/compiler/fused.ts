/**
 * Whisper as two graphs made for ONNX Runtime's CPU kernels: the contract is models/whisper/graphs.ts.
 *
 * What makes them fast, by measurement (docs/bench): any length instead of 30 s; int8 weights with float32 sums; all
 * products as large as they can be (query, key and value in one, the keys and values of all decoder layers in one);
 * one decoder graph for the prompt and the steps, which goes on by itself; the choice of the token inside.
 * What is deliberately absent: SkipLayerNormalization (a scalar kernel: Add and LayerNormalization are five times as
 * fast), unsigned int8 weights (half the speed or less), a second decoder graph (the weights would be held twice),
 * attention scales folded into weights of the encoder (the kernels scale within products of many rows at no cost).
 */
import { type BuiltGraph, type Carried, GraphBuilder, type Value } from '../graph/builder.ts';
import { fftSize, frequencyBins, hannWindow, hopSamples, melFilters } from '../whisper/mel.ts';
import {
  type Architecture,
  type DecoderLayer,
  type EncoderLayer,
  type Linear,
  layerNormEpsilon,
  type Norm,
  type Weight,
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
import { chooseToken, noSpeechProbability, suppression } from './token-choice.ts';
import { compilerVersion } from './version.ts';

export type FusedOptions = WeightOptions & {
  /** Also put out `log_mel` and `hidden`: for tests and for looking at a model. */
  readonly inspect: boolean;
  /** Also put out where the decoder looks, `cross_weights_{i}`: for the times of words. */
  readonly alignment?: boolean;
  /** The decoder's weights lie where ONNX Runtime can rewrite them, and take more memory (GraphBuilder.loop). */
  readonly rewritable?: boolean;
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

type Cache = { readonly key: Value; readonly value: Value };

type DecoderInputs = {
  readonly lastPosition: Value;
  readonly totalTokens: Value;
  /** One a layer: of the text so far, and of the sound. */
  readonly caches: readonly Cache[];
  readonly cross: readonly Cache[];
};

/** `linear` with all it gives times `factor`. */
function scaled({ weight, bias }: Linear, factor: number): Linear {
  const times = ({ dims, read }: Weight): Weight => ({
    dims,
    read: (start, count) => read(start, count).map((value) => factor * value),
  });
  return { weight: times(weight), bias: bias === undefined ? undefined : times(bias) };
}

/**
 * What attention scales its queries with, where that is a power of two: in the weights of the query it then costs no
 * accuracy in any format, and the kernel for products with one row, which knows no scale, is used for a step (x86:
 * a fifth off cross attention).
 */
function scaleOf(headWidth: number): number | undefined {
  return Number.isInteger(Math.log2(headWidth) / 2) ? headWidth ** -0.5 : undefined;
}

function decoderLayer(
  graph: GraphBuilder,
  i: number,
  x: Value,
  layer: DecoderLayer,
  {
    cache,
    cross,
    lastPosition,
    totalTokens,
  }: Omit<DecoderInputs, 'caches' | 'cross'> & { readonly cache: Cache; readonly cross: Cache },
  { decoderHeads: heads, headWidth }: Architecture['shape'],
  options: FusedOptions,
): { readonly x: Value; readonly cache: Cache; readonly asked: Value } {
  return graph.scope(`layer${i}`, () => {
    const { query, key, value, out } = layer.self;
    const normal = normalize(graph, 'self_norm', x, layer.selfNorm);
    const packed = applyLinear(graph, `decoder.${i}.qkv`, normal, [query, key, value], options);
    const [attended, newKey, newValue] = graph.groupQueryAttention(
      packed,
      cache,
      lastPosition,
      totalTokens,
      heads,
    );
    const afterSelf = graph.add(x, applyLinear(graph, `decoder.${i}.out`, attended, [out], options));

    const crossNormal = normalize(graph, 'cross_norm', afterSelf, layer.crossNorm);
    const scale = scaleOf(headWidth);
    const asks = scale === undefined ? layer.cross.query : scaled(layer.cross.query, scale);
    const asked = applyLinear(graph, `decoder.${i}.cross_query`, crossNormal, [asks], options);
    const heard = graph.multiHeadAttention(
      asked,
      cross.key,
      cross.value,
      heads,
      scale === undefined ? undefined : 1,
    );
    const crossOut = applyLinear(graph, `decoder.${i}.cross_out`, heard, [layer.cross.out], options);
    const after = feedForward(graph, `decoder.${i}`, graph.add(afterSelf, crossOut), layer, options);
    return { x: after, cache: { key: newKey, value: newValue }, asked };
  });
}

/** Where `asked` [1, S, D] looks among `keys`: [1, H, S, T]. Once more what is inside the kernel, which does not tell. */
function attention(
  graph: GraphBuilder,
  asked: Value,
  keys: Value,
  { decoderHeads: heads, headWidth }: Architecture['shape'],
): Value {
  const parted = graph.transpose(graph.reshape(asked, [1, -1, heads, headWidth]), [0, 2, 1, 3]);
  const scale = scaleOf(headWidth) === undefined ? headWidth ** -0.5 : 1;
  const query = graph.mul(parted, graph.scalar(scale));
  return graph.softmax(graph.matMul(query, graph.transpose(keys, [0, 1, 3, 2])));
}

/** The decoder once over: all layers, from tokens to what each layer has to say of them. */
function decoderLayers(
  graph: GraphBuilder,
  tokens: Value,
  { lastPosition, totalTokens, caches, cross }: DecoderInputs,
  arch: Architecture,
  options: FusedOptions,
): { readonly x: Value; readonly caches: readonly Cache[]; readonly looked: readonly Value[] } {
  let x = graph.scope('embedding', () => {
    const end = graph.add(lastPosition, graph.constant(Int32Array.of(1)));
    const start = graph.sub(end, graph.cast(graph.shape(tokens, 1), 'int32'));
    const table = placeWeight(graph, 'positions', arch.decoder.positions);
    const axes = [graph.constant(Int32Array.of(0)), graph.constant(Int32Array.of(1))];
    const positions = graph.node('Slice', [table, start, end, ...axes]);
    return graph.add(embed(graph, tokens, arch, options), positions);
  });
  const nextCaches: Cache[] = [];
  const looked: Value[] = [];
  for (const [i, layer] of arch.decoder.layers.entries()) {
    const inputs = { cache: caches[i] as Cache, cross: cross[i] as Cache, lastPosition, totalTokens };
    const made = decoderLayer(graph, i, x, layer, inputs, arch.shape, options);
    x = made.x;
    nextCaches.push(made.cache);
    if (options.alignment === true) looked.push(attention(graph, made.asked, inputs.cross.key, arch.shape));
  }
  return { x, caches: nextCaches, looked };
}

/** One graph for the prompt and every step, or several steps at once. `weightsFile` will lie beside the graph. */
export function buildDecoder(arch: Architecture, weightsFile: string, options: FusedOptions): BuiltGraph {
  const { decoder, shape, tokens: rules } = arch;
  const { decoderHeads: heads, headWidth, modelWidth, vocabularySize } = shape;
  const graph = new GraphBuilder('whisper decoder', weightsFile);
  const steps = graph.input('steps', 'int64', []);
  const tokens = graph.input('tokens', 'int64', [1, 'S']);
  const lastPosition = graph.input('last_position', 'int32', [1]);
  const totalTokens = graph.input('total_tokens', 'int32', []);
  const logitRows = graph.input('logit_rows', 'int64', ['R']);
  const phase = graph.input('phase', 'int64', [1]);
  const writesTimestamps = rules.timestamps !== undefined;
  const timestampRules = writesTimestamps ? [graph.input('timestamp_rules', 'int64', [4])] : [];
  const cachesOf = (name: string, length: string): Cache[] =>
    decoder.layers.map((_, i) => ({
      key: graph.input(`${name}_key_${i}`, 'float32', [1, heads, length, headWidth]),
      value: graph.input(`${name}_value_${i}`, 'float32', [1, heads, length, headWidth]),
    }));
  const self = cachesOf('self', 'C');
  const cross = cachesOf('cross', 'T');
  // the same in every round, and a copy of all vocabulary: made once
  const penalty = graph.gather(suppression(graph, arch), phase, 0);
  const bias = graph.reshape(penalty, [vocabularySize]);

  /** What only the last round is asked for. */
  const nothing = (...dims: (number | undefined)[]): Carried => ({
    value: graph.constant(
      new Float32Array(1),
      dims.map(() => 1),
    ),
    type: 'float32',
    dims,
  });
  const first: Carried[] = [
    { value: tokens, type: 'int64', dims: [1, undefined] },
    { value: lastPosition, type: 'int32', dims: [1] },
    { value: totalTokens, type: 'int32', dims: [] },
    nothing(undefined, vocabularySize),
    nothing(undefined, modelWidth),
    ...timestampRules.map((value): Carried => ({ value, type: 'int64', dims: [4] })),
    ...self
      .flatMap(({ key, value }) => [key, value])
      .map((value): Carried => ({ value, type: 'float32', dims: [1, heads, undefined, headWidth] })),
    ...(options.alignment === true ? decoder.layers.map(() => nothing(1, heads, undefined, undefined)) : []),
  ];
  const cachesFrom = 5 + timestampRules.length;
  const cachesTo = cachesFrom + 2 * decoder.layers.length;
  const { carried, collected } = graph.loop(
    steps,
    first,
    options.rewritable === true ? 'inside' : 'outside',
    (values) => {
      const [tokens, lastPosition, totalTokens] = values as [Value, Value, Value];
      const caches = decoder.layers.map((_, i): Cache => {
        const [key, value] = values.slice(cachesFrom + 2 * i) as [Value, Value];
        return { key, value };
      });
      const inputs = { lastPosition, totalTokens, caches, cross };
      const made = decoderLayers(graph, tokens, inputs, arch, options);
      return graph.scope('head', () => {
        const wanted = graph.squeeze(graph.gather(made.x, logitRows, 1), 0);
        const rows = normalize(graph, 'norm', wanted, decoder.norm);
        const head = placeMatrix(graph, 'head', rowsOf([decoder.head ?? decoder.embedding]), options);
        const logits = multiply(graph, rows, head, bias);
        const [token, logProb, ...nextRules] = chooseToken(
          graph,
          logits,
          writesTimestamps ? values[5] : undefined,
          { vocabularySize, tokens: rules },
        );
        const isEnd = graph.node('Equal', [token, graph.int64s(rules.endOfText)]);
        return {
          goesOn: graph.squeeze(graph.node('Not', [isEnd]), 0),
          carried: [
            graph.unsqueeze(token, 0),
            graph.add(lastPosition, graph.constant(Int32Array.of(1))),
            graph.add(totalTokens, graph.constant(Int32Array.of(1), [])),
            logits,
            rows,
            ...nextRules,
            ...made.caches.flatMap(({ key, value }) => [key, value]),
            ...made.looked,
          ],
          collected: [
            { value: graph.squeeze(token, 0), type: 'int64' },
            { value: graph.squeeze(logProb, 0), type: 'float32' },
          ],
        };
      });
    },
  );

  const [token, logProb] = collected as [Value, Value];
  graph.output('token', token, 'int64', ['N']);
  graph.output('log_prob', logProb, 'float32', ['N']);
  const [, , , logits, rows] = carried as [Value, Value, Value, Value, Value];
  if (rules.noSpeech !== undefined) {
    const probability = graph.scope('no_speech', () => noSpeechProbability(graph, logits, rows, phase, arch));
    graph.output('no_speech_prob', probability, 'float32', ['R']);
  }
  graph.output('logits', logits, 'float32', ['R', vocabularySize]);
  for (const [i, cache] of carried.slice(cachesFrom, cachesTo).entries()) {
    const name = `present_self_${i % 2 === 0 ? 'key' : 'value'}_${i >> 1}`;
    graph.output(name, cache, 'float32', [1, heads, 'C', headWidth]);
  }
  for (const [i, looked] of carried.slice(cachesTo).entries()) {
    graph.output(`cross_weights_${i}`, looked, 'float32', [1, heads, 'S', 'T']);
  }
  return graph.finish(compilerVersion);
}
