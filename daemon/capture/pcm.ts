/** S16_LE to [-1, 1). `bytes` holds whole samples. */
export function samplesOfS16(bytes: Buffer): Float32Array {
  const samples = new Float32Array(bytes.length / 2);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes.readInt16LE(2 * i) / 32768;
  return samples;
}

/** How a sample is written: unsigned, signed or floating point, and its bits. Little-endian. */
export type SampleKind = 'u8' | 's8' | 's16' | 's24' | 's32' | 'f32' | 'f64';

type SampleReader = { readonly bytes: number; readonly at: (bytes: Buffer, at: number) => number };

const readers: Readonly<Record<SampleKind, SampleReader>> = {
  u8: { bytes: 1, at: (bytes, at) => ((bytes[at] as number) - 128) / 128 },
  s8: { bytes: 1, at: (bytes, at) => ((bytes[at] as number) << 24) / 2 ** 31 },
  s16: {
    bytes: 2,
    at: (bytes, at) => (((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) << 16) / 2 ** 31,
  },
  s24: { bytes: 3, at: (bytes, at) => bytes.readIntLE(at, 3) / 2 ** 23 },
  s32: { bytes: 4, at: (bytes, at) => bytes.readInt32LE(at) / 2 ** 31 },
  f32: { bytes: 4, at: (bytes, at) => bytes.readFloatLE(at) },
  f64: { bytes: 8, at: (bytes, at) => bytes.readDoubleLE(at) },
};

/**
 * Interleaved samples as mono in [-1, 1]: the mean of the channels, clipped. `bytes` holds whole frames. `broken`
 * counts what is not a number, which floats can be and which would poison every later filter: it becomes silence.
 */
export function monoOf(
  bytes: Buffer,
  kind: SampleKind,
  channels: number,
): { readonly samples: Float32Array; readonly broken: number } {
  const { bytes: width, at: sampleAt } = readers[kind];
  const samples = new Float32Array(bytes.length / (width * channels));
  let broken = 0;
  for (let frame = 0, at = 0; frame < samples.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, at += width) sum += sampleAt(bytes, at);
    const mean = sum / channels;
    if (mean >= -1 && mean <= 1) samples[frame] = mean;
    else if (mean > 1) samples[frame] = 1;
    else if (mean < -1) samples[frame] = -1;
    else broken += 1;
  }
  return { samples, broken };
}
