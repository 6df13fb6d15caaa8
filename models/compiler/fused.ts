/**
 * Whisper as two graphs made for ONNX Runtime's CPU kernels: the contract is models/whisper/graphs.ts.
 *
 * What makes them fast, by measurement (docs/bench): any length instead of 30 s; int8 weights with float32 sums; all
 * products as large as they can be (query, key and value in one, the keys and values of all decoder layers in one);
 * one decoder graph for the prompt and the steps, which goes on by itself; the choice of the token inside.
 * What is deliberately absent: SkipLayerNormalization (a scalar kernel: Add and LayerNormalization are five times as
 * fast), unsigned int8 weights (half the speed or less) but where signed ones overflow (profiles.ts), a second decoder
 * graph (the weights would be held twice), attention scales folded into weights of the encoder (the kernels scale within
 * products of many rows at no cost).
 *
 * Here is what the encoder (fused-encoder.ts) and the decoder (fused-decoder.ts) have in common.
 */
import type { GraphBuilder, Value } from '../graph/builder.ts';
import { type EncoderLayer, layerNormEpsilon, type Norm } from './architecture.ts';
import { applyLinear, placeWeight, type WeightOptions } from './matrix.ts';

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

export function normalize(graph: GraphBuilder, name: string, x: Value, norm: Norm): Value {
  return graph.scope(name, () => {
    const scale = placeWeight(graph, 'scale', norm.scale);
    return graph.layerNormalization(x, scale, placeWeight(graph, 'bias', norm.bias), layerNormEpsilon);
  });
}

/** x + down(gelu(up(norm(x)))) */
export function feedForward(
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
