/** Leaving layers out: the first step of a distillation, and a way to see what a model's layers are worth. */
import { Fault } from '../../daemon/faults.ts';
import type { Architecture } from './architecture.ts';

export type LayerSelection = {
  /** Layers to keep, from 0, ascending; undefined keeps all. */
  readonly keepEncoderLayers?: readonly number[] | undefined;
  readonly keepDecoderLayers?: readonly number[] | undefined;
};

function select<T>(what: string, layers: readonly T[], keep: readonly number[] | undefined): readonly T[] {
  if (keep === undefined) return layers;
  const fits = keep.every(
    (layer, i) =>
      Number.isInteger(layer) && layer > (i === 0 ? -1 : (keep[i - 1] as number)) && layer < layers.length,
  );
  if (!fits || keep.length === 0) {
    throw new Fault(
      'USAGE_INVALID',
      `${what} layers to keep are [${keep}], expected some of 0 to ${layers.length - 1}, ascending`,
      `the model has ${layers.length} ${what} layers, counted from 0`,
    );
  }
  return keep.map((layer) => layers[layer] as T);
}

/** The same model with some of its layers only. Throws `Fault` USAGE_INVALID for layers it does not have. */
export function selectLayers(
  arch: Architecture,
  { keepEncoderLayers, keepDecoderLayers }: LayerSelection,
): Architecture {
  const encoderLayers = select('encoder', arch.encoder.layers, keepEncoderLayers);
  const decoderLayers = select('decoder', arch.decoder.layers, keepDecoderLayers);
  return {
    ...arch,
    shape: { ...arch.shape, encoderLayers: encoderLayers.length, decoderLayers: decoderLayers.length },
    encoder: { ...arch.encoder, layers: encoderLayers },
    decoder: { ...arch.decoder, layers: decoderLayers },
  };
}
