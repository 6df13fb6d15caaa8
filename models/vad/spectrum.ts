/** Magnitudes of a windowed Fourier transform of 256 samples, two windows at a time. */
import { fourier } from '../fourier.ts';

const size = 256;
const { imaginary, place, real, transform } = fourier(size);

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
    const to = place[n] ?? 0;
    const w = window[n] ?? 0;
    real[to] = w * (samples[first + n] ?? 0);
    imaginary[to] = w * (samples[second + n] ?? 0);
  }
  transform();
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
