/** Magnitudes of a windowed Fourier transform of 256 samples, two windows at a time. */

const size = 256;
const stages = 8;

/** exp(-2 pi i k / 256) for the first half of the circle. */
const cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
const sines = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
const reversed = Uint8Array.from({ length: size }, (_, index) => {
  let bits = 0;
  for (let stage = 0; stage < stages; stage++) bits |= ((index >> stage) & 1) << (stages - 1 - stage);
  return bits;
});
const real = new Float64Array(size);
const imaginary = new Float64Array(size);

/**
 * Magnitudes of bins 0 to 128 of the 256 samples at `first` and at `second`, each times `window`. Both go through
 * one complex transform, as its real and imaginary part, and are told apart by their symmetry.
 */
export function magnitudesOfTwo(
  samples: Float32Array,
  first: number,
  second: number,
  window: Float32Array,
  ofFirst: Float32Array,
  ofSecond: Float32Array,
): void {
  for (let n = 0; n < size; n++) {
    const to = reversed[n] ?? 0;
    const w = window[n] ?? 0;
    real[to] = w * (samples[first + n] ?? 0);
    imaginary[to] = w * (samples[second + n] ?? 0);
  }
  transformInPlace();
  for (let k = 0; k <= size / 2; k++) {
    const mirror = (size - k) % size;
    const re = real[k] ?? 0;
    const im = imaginary[k] ?? 0;
    const mirrorRe = real[mirror] ?? 0;
    const mirrorIm = imaginary[mirror] ?? 0;
    ofFirst[k] = Math.sqrt((re + mirrorRe) ** 2 + (im - mirrorIm) ** 2) / 2;
    ofSecond[k] = Math.sqrt((im + mirrorIm) ** 2 + (mirrorRe - re) ** 2) / 2;
  }
}

/** Cooley-Tukey, radix 2, on values that lie in bit-reversed order. */
function transformInPlace(): void {
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
}
