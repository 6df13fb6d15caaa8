/** Fourier transforms of a power of two, for what hears and for what takes noise away. */

/** One size's transform, with the room it works in: not for two at once. */
export type Fourier = {
  readonly size: number;
  /** Where the value at n goes before `transform`: its bits reversed. */
  readonly place: Uint16Array;
  /** [size] each; in by `place`, out in order. */
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
  /** X[k] = sum of x[n] exp(-2 pi i k n / size), in place. With real and imaginary exchanged: the inverse, times size. */
  readonly transform: () => void;
};

/** Cooley-Tukey, radix 2. `size` is a power of two from 2 to 65536; throws RangeError for another. */
export function fourier(size: number): Fourier {
  const stages = Math.log2(size);
  if (!Number.isInteger(stages) || stages < 1 || stages > 16) {
    throw new RangeError(`size ${size}, expected a power of two from 2 to 65536`);
  }
  /** exp(-2 pi i k / size) for the first half of the circle. */
  const cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sines = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  const place = Uint16Array.from({ length: size }, (_, index) => {
    let bits = 0;
    for (let stage = 0; stage < stages; stage++) bits |= ((index >> stage) & 1) << (stages - 1 - stage);
    return bits;
  });
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);

  const transform = (): void => {
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let j = 0; j < half; j++) {
        const c = cosines[j * step] ?? 0;
        const s = sines[j * step] ?? 0;
        for (let low = j; low < size; low += 2 * half) {
          const high = low + half;
          const re = (real[high] ?? 0) * c - (imaginary[high] ?? 0) * s;
          const im = (real[high] ?? 0) * s + (imaginary[high] ?? 0) * c;
          real[high] = (real[low] ?? 0) - re;
          imaginary[high] = (imaginary[low] ?? 0) - im;
          real[low] = (real[low] ?? 0) + re;
          imaginary[low] = (imaginary[low] ?? 0) + im;
        }
      }
    }
  };
  return { size, place, real, imaginary, transform };
}
