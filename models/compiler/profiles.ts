/**
 * Weight formats for kinds of processors. Which kind a machine is, is found out elsewhere (providers/cpu.ts); here is
 * what each is good at.
 *
 * Encoder products have many rows of input, and int8 with one scale a column is the fastest there is for them, on every
 * processor. In a decoder step each product has one row, so that reading the weights is the work, and 4 bits are half
 * of it. That takes kernels for 4 bits, which on Arm exist only for the dot product instructions: without them ONNX
 * Runtime converts the weights to float32 at every step.
 */
import type { WeightOptions } from './matrix.ts';

export const cpuProfiles = [
  /** Arm before 8.2, as the Raspberry Pi 4: and what is safe everywhere. */
  'no-dot-product',
  /** Arm with `asimddp`, as the Raspberry Pi 5. */
  'dot-product',
  'i8mm',
  'avx2',
  'avx-vnni',
  'avx512-vnni',
] as const;
export type CpuProfile = (typeof cpuProfiles)[number];

const int8: WeightOptions = { weights: 'int8', exceptions: {} };

/**
 * Models narrower than this stay in int8: their steps are not bound by memory (docs/bench/weight-formats.md), and they
 * have the least to spare in quality.
 */
const fourBitsFromWidth = 384;

/**
 * A step spends two fifths of its time on the head. Blocks of 128 take 11 % off the decoding of whisper-tiny; the
 * embedded model's logits, with a decoder in 4 bits, then err by 0.20 in the mean square instead of 0.19, and the same
 * tokens are chosen (docs/bench/weight-formats.md).
 */
const headFormat = 'int4-128';

/** The formats for a model of this width on a processor of this kind. */
export function weightsFor(profile: CpuProfile, modelWidth: number): WeightOptions {
  if (profile === 'no-dot-product' || modelWidth < fourBitsFromWidth) return int8;
  return { weights: 'int8', exceptions: { decoder: 'int4', head: headFormat } };
}

/**
 * On x86 without VNNI sums of unsigned inputs and signed weights overflow in 16 bits; those of unsigned weights do not.
 * Models compiled for it have them. Narrow models are compiled once for all processors: ONNX Runtime rewrites their
 * weights where it has to as it loads them, which takes memory and time in wide ones (docs/bench/footprint.md).
 */
export function overflowCare(
  profile: CpuProfile,
  modelWidth: number,
): { readonly rewritable?: true; readonly unsigned?: true } {
  if (modelWidth < fourBitsFromWidth) return { rewritable: true };
  return profile === 'avx2' ? { unsigned: true } : {};
}
