/**
 * Whisper as the usual PyTorch exporters write it: log-mel input of 30 s, float32, operators of ai.onnx only, layer
 * normalisation and Gelu in their parts, the cache concatenated at every step, logits for the whole vocabulary. It is
 * what the fused graphs are measured against, and what vendors' compilers for NPUs understand. Names of inputs and
 * outputs are those of Hugging Face Optimum.
 */
import { type BuiltGraph, GraphBuilder, type Value } from '../graph/builder.ts';
import {
  type Architecture,
  type Attention,
  type EncoderLayer,
  type Linear,
  layerNormEpsilon,
  type Norm,
} from './architecture.ts';
import { applyLinear, placeWeight } from './matrix.ts';
import { compilerVersion } from './version.ts';

export type PlainEncoderOptions = {
  /** Frames of 10 ms the encoder takes; default 30 s (twice `maxAudioFrames`). A static length is what NPUs need. */
  readonly melFrames?: number | 'dynamic';
};

export type PlainDecoderOptions = {
  /** Optimum writes two decoders: one for the prompt, which also makes the cross keys, and one for each step after. */
  readonly past?: boolean;
};

const float32 = { weights: 'fp32', exceptions: {} } as const;

function linear(graph: GraphBuilder, name: string, x: Value, part: Linear): Value {
  return applyLinear(graph, name, x, [part], float32);
}

/** x * (erf(x / sqrt 2) + 1) / 2 */
function gelu(graph: GraphBuilder, x: Value): Value {
  const error = graph.erf(graph.div(x, graph.scalar(Math.SQRT2)));
  return graph.mul(graph.mul(x, graph.add(error, graph.scalar(1))), graph.scalar(0.5));
}

function normalize(graph: GraphBuilder, name: string, x: Value, norm: Norm): Value {
  return graph.scope(name, () => {
    const centred = graph.sub(x, graph.reduceMean(x, -1));
    const variance = graph.reduceMean(graph.pow(centred, graph.scalar(2)), -1);
    const normal = graph.div(centred, graph.sqrt(graph.add(variance, graph.scalar(layerNormEpsilon))));
    const scaled = graph.mul(normal, placeWeight(graph, 'scale', norm.scale));
    return graph.add(scaled, placeWeight(graph, 'bias', norm.bias));
  });
}

/** [1, S, D] to [1, heads, S, D / heads] */
function splitHeads(graph: GraphBuilder, x: Value, heads: number, width: number): Value {
  return graph.transpose(graph.reshape(x, [1, -1, heads, width / heads]), [0, 2, 1, 3]);
}

function query(graph: GraphBuilder, x: Value, part: Attention, heads: number): Value {
  const width = part.query.weight.dims[0] as number;
  const scaled = graph.mul(linear(graph, 'query', x, part.query), graph.scalar((width / heads) ** -0.5));
  return splitHeads(graph, scaled, heads, width);
}

function keyValue(graph: GraphBuilder, x: Value, part: Attention, heads: number): [Value, Value] {
  const width = part.query.weight.dims[0] as number;
  const key = splitHeads(graph, linear(graph, 'key', x, part.key), heads, width);
  return [key, splitHeads(graph, linear(graph, 'value', x, part.value), heads, width)];
}

function attend(graph: GraphBuilder, q: Value, k: Value, v: Value, part: Attention, mask?: Value): Value {
  const width = part.query.weight.dims[0] as number;
  const scores = graph.matMul(q, graph.transpose(k, [0, 1, 3, 2]));
  const weights = graph.softmax(mask === undefined ? scores : graph.add(scores, mask));
  const merged = graph.reshape(graph.transpose(graph.matMul(weights, v), [0, 2, 1, 3]), [1, -1, width]);
  return linear(graph, 'out', merged, part.out);
}

function feedForward(graph: GraphBuilder, x: Value, layer: EncoderLayer): Value {
  const normal = normalize(graph, 'feed_forward_norm', x, layer.feedForwardNorm);
  const wide = gelu(graph, linear(graph, 'up', normal, layer.up));
  return graph.add(x, linear(graph, 'down', wide, layer.down));
}

/**
 * in   input_features [1, mels, melFrames]      out  last_hidden_state [1, melFrames / 2, D]
 */
export function buildPlainEncoder(
  { encoder, encoderHeads, shape }: Architecture,
  weightsFile: string,
  options: PlainEncoderOptions = {},
): BuiltGraph {
  const graph = new GraphBuilder('whisper encoder, plain', weightsFile);
  const melFrames = options.melFrames ?? 2 * shape.maxAudioFrames;
  const dynamic = melFrames === 'dynamic';
  const mel = graph.input('input_features', 'float32', [
    1,
    shape.melBins,
    dynamic ? 'mel_frames' : melFrames,
  ]);
  const convolve = (name: string, x: Value, conv: Linear, stride: number) =>
    graph.scope(name, () => {
      const bias = placeWeight(graph, 'bias', conv.bias as NonNullable<Linear['bias']>);
      const weight = placeWeight(graph, 'weight', conv.weight);
      return gelu(graph, graph.conv(x, weight, bias, { kernel: 3, stride, pad: 1 }));
    });
  const narrow = convolve('conv2', convolve('conv1', mel, encoder.conv1, 1), encoder.conv2, 2);
  const frames = graph.transpose(narrow, [0, 2, 1]);
  const positions = placeWeight(graph, 'positions', encoder.positions);
  const end = dynamic ? graph.shape(frames, 1) : melFrames / 2;
  let x = graph.add(frames, graph.slice(positions, 0, 0, end));
  for (const [i, layer] of encoder.layers.entries()) {
    x = graph.scope(`layer${i}`, () => {
      const normal = normalize(graph, 'self_norm', x, layer.selfNorm);
      const after = graph.scope('self', () => {
        const [k, v] = keyValue(graph, normal, layer.self, encoderHeads);
        const q = query(graph, normal, layer.self, encoderHeads);
        return graph.add(x, attend(graph, q, k, v, layer.self));
      });
      return feedForward(graph, after, layer);
    });
  }
  const frameCount = dynamic ? 'frames' : melFrames / 2;
  const hidden = normalize(graph, 'norm', x, encoder.norm);
  graph.output('last_hidden_state', hidden, 'float32', [1, frameCount, shape.modelWidth]);
  return graph.finish(compilerVersion);
}

/** [S, S]: 0 where a token may look, -infinity where it would look ahead. */
function causalMask(graph: GraphBuilder, tokens: Value): Value {
  const length = graph.squeeze(graph.shape(tokens, 1), 0);
  const zero = graph.constant(BigInt64Array.of(0n), []);
  const positions = graph.node('Range', [zero, length, graph.constant(BigInt64Array.of(1n), [])]);
  const mayLook = graph.node('LessOrEqual', [graph.unsqueeze(positions, 0), graph.unsqueeze(positions, 1)]);
  return graph.node('Where', [mayLook, graph.scalar(0), graph.scalar(Number.NEGATIVE_INFINITY)]);
}

/**
 * Without `past`:
 * in   input_ids int64 [1, S], encoder_hidden_states [1, T, D]
 * out  logits [1, S, V], present.{i}.{decoder,encoder}.{key,value} [1, H, S or T, W]
 * With `past`:
 * in   input_ids int64 [1, 1], past_key_values.{i}.{decoder,encoder}.{key,value} [1, H, P or T, W]
 * out  logits [1, 1, V], present.{i}.decoder.{key,value} [1, H, P + 1, W]
 */
export function buildPlainDecoder(
  { decoder, shape }: Architecture,
  weightsFile: string,
  { past = false }: PlainDecoderOptions = {},
): BuiltGraph {
  const { decoderHeads: heads, headWidth, modelWidth, vocabularySize } = shape;
  const graph = new GraphBuilder(`whisper decoder, plain${past ? ', with past' : ''}`, weightsFile);
  const steps = past ? 1 : 'S';
  const tokens = graph.input('input_ids', 'int64', [1, steps]);
  const sound = past ? undefined : graph.input('encoder_hidden_states', 'float32', [1, 'T', modelWidth]);
  const cache = (name: string, length: string) => graph.input(name, 'float32', [1, heads, length, headWidth]);
  const pasts = decoder.layers.map((_, i) => {
    if (!past) return undefined;
    const named = (kind: string, length: string) => cache(`past_key_values.${i}.${kind}`, length);
    return {
      key: named('decoder.key', 'P'),
      value: named('decoder.value', 'P'),
      crossKey: named('encoder.key', 'T'),
      crossValue: named('encoder.value', 'T'),
    };
  });

  const embedding = placeWeight(graph, 'embedding', decoder.embedding);
  const positions = placeWeight(graph, 'positions', decoder.positions);
  const start = pasts[0] === undefined ? graph.int64s(0) : graph.shape(pasts[0].key, 2);
  const end = graph.add(start, graph.shape(tokens, 1));
  let x = graph.add(graph.gather(embedding, tokens, 0), graph.slice(positions, 0, start, end));
  const mask = past ? undefined : causalMask(graph, tokens);

  for (const [i, layer] of decoder.layers.entries()) {
    const present = (kind: string, value: Value, length: string) =>
      graph.output(`present.${i}.${kind}`, value, 'float32', [1, heads, length, headWidth]);
    x = graph.scope(`layer${i}`, () => {
      const normal = normalize(graph, 'self_norm', x, layer.selfNorm);
      const afterSelf = graph.scope('self', () => {
        const [newKey, newValue] = keyValue(graph, normal, layer.self, heads);
        const before = pasts[i];
        const k = before === undefined ? newKey : graph.concat([before.key, newKey], 2);
        const v = before === undefined ? newValue : graph.concat([before.value, newValue], 2);
        const out = attend(graph, query(graph, normal, layer.self, heads), k, v, layer.self, mask);
        present('decoder.key', k, past ? 'P + 1' : 'S');
        present('decoder.value', v, past ? 'P + 1' : 'S');
        return graph.add(x, out);
      });
      const crossNormal = normalize(graph, 'cross_norm', afterSelf, layer.crossNorm);
      const afterCross = graph.scope('cross', () => {
        const before = pasts[i];
        const [k, v] =
          before === undefined
            ? keyValue(graph, sound as Value, layer.cross, heads)
            : [before.crossKey, before.crossValue];
        const out = attend(graph, query(graph, crossNormal, layer.cross, heads), k, v, layer.cross);
        if (before === undefined) {
          present('encoder.key', k, 'T');
          present('encoder.value', v, 'T');
        }
        return graph.add(afterSelf, out);
      });
      return feedForward(graph, afterCross, layer);
    });
  }
  const hidden = normalize(graph, 'norm', x, decoder.norm);
  const head = decoder.head === undefined ? embedding : placeWeight(graph, 'head', decoder.head);
  // as exported: the tied embedding is transposed in the graph, at every run unless the runtime folds it
  const logits = graph.matMul(hidden, graph.transpose(head, [1, 0]));
  graph.output('logits', logits, 'float32', [1, steps, vocabularySize]);
  return graph.finish(compilerVersion);
}
