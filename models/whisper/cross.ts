/** What the encoder has to say of the sound, as the decoder is fed with it. */
import type { Tensor } from '../../providers/provider.ts';
import type { WhisperShape } from './graphs.ts';

/**
 * `cross` of the encoder, float32 [1, 2 L H, T, W], as `cross_key_{i}` and `cross_value_{i}` of the decoder: views, not
 * copies. Parting them in the graph copied all of it once more, 3 MB for 5 s of sound in whisper-tiny.
 */
export function crossByLayer(
  cross: Tensor | undefined,
  { decoderHeads, decoderLayers, headWidth }: WhisperShape,
): Readonly<Record<string, Tensor<'float32'>>> {
  if (cross?.type !== 'float32') throw new TypeError(`cross is ${cross?.type}, expected float32`);
  const { data, dims } = cross;
  const frames = dims[2] as number;
  const size = decoderHeads * frames * headWidth;
  const parts = Array.from({ length: decoderLayers }, (_, i) => [
    `cross_key_${i}`,
    `cross_value_${i}`,
  ]).flat();
  return Object.fromEntries(
    parts.map((name, at) => [
      name,
      {
        type: 'float32',
        dims: [1, decoderHeads, frames, headWidth],
        data: data.subarray(at * size, (at + 1) * size),
      },
    ]),
  );
}
