/** What the encoder has to say of the sound, by the names under which it writes and the decoder reads it. */
import type { WhisperShape } from './graphs.ts';

/** `cross_key_{i}` and `cross_value_{i}`: outputs of the encoder graph, inputs of the decoder graph. */
export function crossNames({ decoderLayers }: Pick<WhisperShape, 'decoderLayers'>): readonly string[] {
  return Array.from({ length: decoderLayers }, (_, i) => [`cross_key_${i}`, `cross_value_${i}`]).flat();
}
