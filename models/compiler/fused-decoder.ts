/** The decoder of the fused graphs (fused.ts): one graph for the prompt and the steps, which chooses the tokens too. */
import { type BuiltGraph, type Carried, GraphBuilder, type Value } from '../graph/builder.ts';
import type { Architecture, DecoderLayer, Linear, Weight } from './architecture.ts';
import { type FusedOptions, feedForward, normalize } from './fused.ts';
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
  /** [B, S, 3D] of the tokens: what self-attention takes, which looks at each text apart. */
  readonly apart: Value;
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
    apart,
    cache,
    cross,
    lastPosition,
    totalTokens,
  }: Omit<DecoderInputs, 'caches' | 'cross'> & { readonly cache: Cache; readonly cross: Cache },
  { decoderHeads: heads, headWidth, modelWidth }: Architecture['shape'],
  options: FusedOptions,
): { readonly x: Value; readonly cache: Cache; readonly asked: Value } {
  return graph.scope(`layer${i}`, () => {
    const { query, key, value, out } = layer.self;
    const normal = normalize(graph, 'self_norm', x, layer.selfNorm);
    const packed = applyLinear(graph, `decoder.${i}.qkv`, normal, [query, key, value], options);
    const [attended, newKey, newValue] = graph.groupQueryAttention(
      graph.node('Reshape', [packed, apart]),
      cache,
      lastPosition,
      totalTokens,
      heads,
    );
    const together = graph.reshape(attended, [1, -1, modelWidth]);
    const afterSelf = graph.add(x, applyLinear(graph, `decoder.${i}.out`, together, [out], options));

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

/**
 * The decoder once over: all layers, from tokens [B, S] to what each layer has to say of them. Between the layers texts
 * lie behind each other, [1, B * S, D]: all but self-attention treats them alike, and the sound they ask is the same.
 */
function decoderLayers(
  graph: GraphBuilder,
  tokens: Value,
  { apart, lastPosition, totalTokens, caches, cross }: DecoderInputs,
  arch: Architecture,
  options: FusedOptions,
): { readonly x: Value; readonly caches: readonly Cache[]; readonly looked: readonly Value[] } {
  let x = graph.scope('embedding', () => {
    const end = graph.reshape(totalTokens, [1]);
    const start = graph.sub(end, graph.cast(graph.shape(tokens, 1), 'int32'));
    const table = placeWeight(graph, 'positions', arch.decoder.positions);
    const axes = [graph.constant(Int32Array.of(0)), graph.constant(Int32Array.of(1))];
    const positions = graph.node('Slice', [table, start, end, ...axes]);
    const embedded = graph.add(embed(graph, tokens, arch, options), positions);
    return graph.reshape(embedded, [1, -1, arch.shape.modelWidth]);
  });
  const nextCaches: Cache[] = [];
  const looked: Value[] = [];
  for (const [i, layer] of arch.decoder.layers.entries()) {
    const inputs = { apart, cache: caches[i] as Cache, cross: cross[i] as Cache, lastPosition, totalTokens };
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
  const tokens = graph.input('tokens', 'int64', ['B', 'S']);
  const lastPosition = graph.input('last_position', 'int32', ['B']);
  const totalTokens = graph.input('total_tokens', 'int32', []);
  const logitRows = graph.input('logit_rows', 'int64', ['R']);
  const phase = graph.input('phase', 'int64', [1]);
  const writesTimestamps = rules.timestamps !== undefined;
  const timestampRules = writesTimestamps ? [graph.input('timestamp_rules', 'int64', [4])] : [];
  const cachesOf = (name: string, texts: number | string, length: string): Cache[] =>
    decoder.layers.map((_, i) => ({
      key: graph.input(`${name}_key_${i}`, 'float32', [texts, heads, length, headWidth]),
      value: graph.input(`${name}_value_${i}`, 'float32', [texts, heads, length, headWidth]),
    }));
  const self = cachesOf('self', 'B', 'C');
  const cross = cachesOf('cross', 1, 'T');
  // the same in every round: where there is a second one, the first was fed as many tokens as it
  const apart = graph.concat([graph.node('Shape', [tokens]), graph.int64s(3 * modelWidth)], 0);
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
    { value: tokens, type: 'int64', dims: [undefined, undefined] },
    { value: lastPosition, type: 'int32', dims: [undefined] },
    { value: totalTokens, type: 'int32', dims: [] },
    nothing(undefined, vocabularySize),
    nothing(undefined, modelWidth),
    ...timestampRules.map((value): Carried => ({ value, type: 'int64', dims: [4] })),
    ...self
      .flatMap(({ key, value }) => [key, value])
      .map((value): Carried => ({ value, type: 'float32', dims: [undefined, heads, undefined, headWidth] })),
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
      const inputs = { apart, lastPosition, totalTokens, caches, cross };
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
    graph.output(name, cache, 'float32', ['B', heads, 'C', headWidth]);
  }
  for (const [i, looked] of carried.slice(cachesTo).entries()) {
    graph.output(`cross_weights_${i}`, looked, 'float32', [1, heads, 'S', 'T']);
  }
  return graph.finish(compilerVersion);
}
