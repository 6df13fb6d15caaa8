/**
 * Whisper in the layout of sherpa-onnx (k2-fsa/sherpa-onnx, scripts/whisper/export-onnx.py), from our checkpoint:
 * the encoder answers keys and values of all decoder layers stacked, the decoder has one cache of all layers, as long
 * as the model's text, and appends to it. The encoder takes any length, as their "no 30 seconds" export. The cache is
 * written with two copies a step, fewer than their traced assignments make.
 */
import {
  type Architecture,
  type Attention,
  type EncoderLayer,
  type Linear,
  layerNormEpsilon,
  type Norm,
} from '../../models/compiler/architecture.ts';
import { applyLinear, placeWeight } from '../../models/compiler/matrix.ts';
import { type BuiltGraph, GraphBuilder, type Value } from '../../models/graph/builder.ts';
import type { RandomWhisperShape } from '../fixtures/random-whisper.ts';
import { specialTokens } from './checkpoint.ts';

const float32 = { weights: 'fp32', exceptions: {} } as const;
const linear = (graph: GraphBuilder, name: string, x: Value, part: Linear) =>
  applyLinear(graph, name, x, [part], float32);

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

/** openai/whisper `qkv_attention`: both sides scaled by the fourth root. All [1, S, D]. */
function attend(
  graph: GraphBuilder,
  [q, k, v]: readonly [Value, Value, Value],
  part: Attention,
  heads: number,
  mask?: Value,
): Value {
  const width = part.query.weight.dims[0] as number;
  const scale = graph.scalar((width / heads) ** -0.25);
  const split = (x: Value, perm: readonly number[]) =>
    graph.transpose(graph.reshape(x, [1, -1, heads, width / heads]), perm);
  const scores = graph.matMul(
    graph.mul(split(q, [0, 2, 1, 3]), scale),
    graph.mul(split(k, [0, 2, 3, 1]), scale),
  );
  const weights = graph.softmax(mask === undefined ? scores : graph.add(scores, mask));
  const heard = graph.matMul(weights, split(v, [0, 2, 1, 3]));
  return linear(graph, 'out', graph.reshape(graph.transpose(heard, [0, 2, 1, 3]), [1, -1, width]), part.out);
}

function feedForward(graph: GraphBuilder, x: Value, layer: EncoderLayer): Value {
  const wide = gelu(
    graph,
    linear(graph, 'up', normalize(graph, 'mlp_ln', x, layer.feedForwardNorm), layer.up),
  );
  return graph.add(x, linear(graph, 'down', wide, layer.down));
}

export function buildSherpaEncoder({ encoder, encoderHeads, decoder, shape }: Architecture): BuiltGraph {
  const graph = new GraphBuilder('sherpa-onnx whisper encoder', 'unused.bin');
  const mel = graph.input('mel', 'float32', [1, shape.melBins, 'T']);
  const convolve = (name: string, x: Value, conv: Linear, stride: number) =>
    graph.scope(name, () => {
      const bias = placeWeight(graph, 'bias', conv.bias as NonNullable<Linear['bias']>);
      const weight = placeWeight(graph, 'weight', conv.weight);
      return gelu(graph, graph.conv(x, weight, bias, { kernel: 3, stride, pad: 1 }));
    });
  const narrow = convolve('conv2', convolve('conv1', mel, encoder.conv1, 1), encoder.conv2, 2);
  const frames = graph.transpose(narrow, [0, 2, 1]);
  const positions = placeWeight(graph, 'positions', encoder.positions);
  let x = graph.add(frames, graph.slice(positions, 0, 0, graph.shape(frames, 1)));
  for (const [i, layer] of encoder.layers.entries()) {
    x = graph.scope(`layer${i}`, () => {
      const normal = normalize(graph, 'attn_ln', x, layer.selfNorm);
      const after = graph.scope('attn', () => {
        const q = linear(graph, 'query', normal, layer.self.query);
        const k = linear(graph, 'key', normal, layer.self.key);
        const v = linear(graph, 'value', normal, layer.self.value);
        return graph.add(x, attend(graph, [q, k, v], layer.self, encoderHeads));
      });
      return feedForward(graph, after, layer);
    });
  }
  const hidden = normalize(graph, 'ln_post', x, encoder.norm);
  const stacked = (name: 'key' | 'value') =>
    graph.concat(
      decoder.layers.map(({ cross }, i) =>
        graph.unsqueeze(linear(graph, `cross${i}.${name}`, hidden, cross[name]), 0),
      ),
      0,
    );
  const dims = [shape.decoderLayers, 1, 'T / 2', shape.modelWidth];
  graph.output('n_layer_cross_k', stacked('key'), 'float32', dims);
  graph.output('n_layer_cross_v', stacked('value'), 'float32', dims);
  return graph.finish('1');
}

export function buildSherpaDecoder({ decoder, shape }: Architecture): BuiltGraph {
  const { decoderHeads: heads, decoderLayers, maxTextTokens, modelWidth, vocabularySize } = shape;
  const graph = new GraphBuilder('sherpa-onnx whisper decoder', 'unused.bin');
  const tokens = graph.input('tokens', 'int64', [1, 'S']);
  const cacheDims = [decoderLayers, 1, maxTextTokens, modelWidth];
  const caches = {
    key: graph.input('in_n_layer_self_k_cache', 'float32', cacheDims),
    value: graph.input('in_n_layer_self_v_cache', 'float32', cacheDims),
  };
  const crossDims = [decoderLayers, 1, 'T', modelWidth];
  const crossKeys = graph.input('n_layer_cross_k', 'float32', crossDims);
  const crossValues = graph.input('n_layer_cross_v', 'float32', crossDims);
  const offset = graph.input('offset', 'int64', [1]);

  const embedding = placeWeight(graph, 'embedding', decoder.embedding);
  const positions = placeWeight(graph, 'positions', decoder.positions);
  const end = graph.add(offset, graph.shape(tokens, 1));
  let x = graph.add(graph.gather(embedding, tokens, 0), graph.slice(positions, 0, offset, end));
  const causal = graph.weight('mask', 'float32', [maxTextTokens, maxTextTokens], () =>
    Float32Array.from({ length: maxTextTokens ** 2 }, (_, i) =>
      i % maxTextTokens > Math.floor(i / maxTextTokens) ? Number.NEGATIVE_INFINITY : 0,
    ),
  );
  const count = graph.shape(tokens, 1);
  const mask = graph.slice(graph.slice(causal, 0, 0, count), 1, 0, count);
  const written: { key: Value[]; value: Value[] } = { key: [], value: [] };

  for (const [i, layer] of decoder.layers.entries()) {
    const ofLayer = (all: Value) => graph.squeeze(graph.slice(all, 0, i, i + 1), 0);
    x = graph.scope(`layer${i}`, () => {
      const normal = normalize(graph, 'attn_ln', x, layer.selfNorm);
      const afterSelf = graph.scope('attn', () => {
        const append = (kind: 'key' | 'value') => {
          const cache = ofLayer(caches[kind]);
          const added = linear(graph, kind, normal, layer.self[kind]);
          const present = graph.concat([graph.slice(cache, 1, 0, offset), added], 1);
          const rest = graph.slice(cache, 1, end, Number.MAX_SAFE_INTEGER);
          written[kind].push(graph.unsqueeze(graph.concat([present, rest], 1), 0));
          return present;
        };
        const q = linear(graph, 'query', normal, layer.self.query);
        return graph.add(x, attend(graph, [q, append('key'), append('value')], layer.self, heads, mask));
      });
      const crossNormal = normalize(graph, 'cross_attn_ln', afterSelf, layer.crossNorm);
      const afterCross = graph.scope('cross_attn', () => {
        const q = linear(graph, 'query', crossNormal, layer.cross.query);
        const heard = attend(graph, [q, ofLayer(crossKeys), ofLayer(crossValues)], layer.cross, heads);
        return graph.add(afterSelf, heard);
      });
      return feedForward(graph, afterCross, layer);
    });
  }
  const hidden = normalize(graph, 'ln', x, decoder.norm);
  // as exported: the weights are on the left, where quantize_dynamic leaves them in float32
  const logits = graph.transpose(graph.matMul(embedding, graph.transpose(hidden, [0, 2, 1])), [0, 2, 1]);
  graph.output('logits', logits, 'float32', [1, 'S', vocabularySize]);
  graph.output('out_n_layer_self_k_cache', graph.concat(written.key, 0), 'float32', cacheDims);
  graph.output('out_n_layer_self_v_cache', graph.concat(written.value, 0), 'float32', cacheDims);
  return graph.finish('1');
}

/** What sherpa-onnx reads from the encoder's file instead of from a configuration. */
export function sherpaMetadata(shape: RandomWhisperShape): Record<string, string> {
  const special = specialTokens(shape);
  const values: Record<string, number | string> = {
    model_type: 'whisper-random',
    version: 1,
    maintainer: 'k2-fsa',
    n_mels: shape.melBins,
    n_audio_ctx: shape.audioFrames,
    n_audio_state: shape.width,
    n_audio_head: shape.heads,
    n_audio_layer: shape.encoderLayers,
    n_vocab: shape.vocabularySize,
    n_text_ctx: shape.textTokens,
    n_text_state: shape.width,
    n_text_head: shape.heads,
    n_text_layer: shape.decoderLayers,
    sot_sequence: special.startOfTranscript,
    all_language_tokens: special.firstLanguage,
    all_language_codes: 'en',
    sot: special.startOfTranscript,
    sot_index: 0,
    eot: special.endOfText,
    blank_id: 32,
    is_multilingual: 0,
    no_speech: special.noSpeech,
    non_speech_tokens: 1,
    transcribe: special.transcribe,
    translate: special.translate,
    sot_prev: special.noSpeech - 1,
    sot_lm: special.noSpeech - 2,
    no_timestamps: special.noTimestamps,
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}
