/**
 * Steady noise taken out of a sound, as a recognizer wants it: half of it stays, for what is lost with the rest are words.
 *
 * A Wiener filter in short-time spectra, by the estimates it is known with: the noise of each frequency is what is
 * there in its quietest quarter, for nobody speaks at all frequencies all of the time (Stahl, Fischer and Bippus,
 * ICASSP 2000); how far speech stands out of it is told by the frame before and, a little, by this one, which keeps
 * what is left of the noise from chirping (Ephraim and Malah 1984; Scalart and Vieira Filho 1996).
 */
import { fourier } from '../fourier.ts';

const size = 512;
/** 8 ms; four windows overlap everywhere. */
const hop = size / 4;
const bins = size / 2 + 1;
/** What no frequency is turned down below: -10 dB. Lower, more words were lost than found. */
const leastGain = 0.3;
/** How much of what stands out is told by the frame before. */
const memory = 0.9;
/** Power is averaged over so many frames, 64 ms, before its quiet quarter is looked for; every half of that. */
const blockFrames = 8;
const quantile = 0.25;
/** The mean of a steady noise over that quantile, and a little more (chosen on noisy commands, adr/0012). */
const noiseOverQuantile = 1.7;
/** Power of a block below what one bit of 16 makes: files have silence of zeros, which says nothing of the noise. */
const digitalSilence = 1e-9;

const { imaginary, place, real, transform } = fourier(size);
const window = Float64Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
/** Four windows, each applied twice, add up to this at every sample: hop times it is the sum of their squares. */
const overlapping = window.reduce((sum, w) => sum + w * w, 0) / hop;

/**
 * `samples` (16 kHz, mono) with its steady noise 10 dB quieter: as many, and none moved. Undefined where there is too
 * little sound to tell what the noise is (about a tenth of a second), or nothing but silence.
 */
export function denoised(samples: Float32Array): Float32Array | undefined {
  // frames begin one window before the sound, so that all of it lies under four; two of them go through one transform
  const frames = 2 * Math.ceil((Math.ceil(samples.length / hop) + 3) / 2);
  const padded = new Float32Array((frames - 1) * hop + size);
  const before = size - hop;
  padded.set(samples, before);
  const spectra = new Float32Array(2 * frames * bins);
  for (let frame = 0; frame < frames; frame += 2) spectraOfTwo(padded, frame, spectra);

  const firstWhole = before / hop;
  const noise = noiseOf(spectra, firstWhole, firstWhole + 1 + Math.floor((samples.length - size) / hop));
  if (noise === undefined) return undefined;

  const out = new Float32Array(padded.length);
  const gains = [new Float64Array(bins).fill(1), new Float64Array(bins)] as const;
  const standing = new Float64Array(bins).fill(1);
  for (let frame = 0; frame < frames; frame += 2) {
    gainsOf(spectra, frame, noise, standing, gains[0]);
    gainsOf(spectra, frame + 1, noise, standing, gains[1]);
    addTwo(spectra, frame, gains, out);
  }
  return out.slice(before, before + samples.length);
}

/** Spectra of `frame` and the next into `spectra` [frames, bins, 2]. */
function spectraOfTwo(padded: Float32Array, frame: number, spectra: Float32Array): void {
  const first = frame * hop;
  for (let n = 0; n < size; n++) {
    const to = place[n] ?? 0;
    const w = window[n] ?? 0;
    real[to] = w * (padded[first + n] ?? 0);
    imaginary[to] = w * (padded[first + hop + n] ?? 0);
  }
  transform();
  const next = 2 * bins;
  for (let k = 0, at = frame * next; k < bins; k++, at += 2) {
    const mirror = (size - k) % size;
    const re = real[k] ?? 0;
    const im = imaginary[k] ?? 0;
    const mirrorRe = real[mirror] ?? 0;
    const mirrorIm = imaginary[mirror] ?? 0;
    spectra[at] = (re + mirrorRe) / 2;
    spectra[at + 1] = (im - mirrorIm) / 2;
    spectra[at + next] = (im + mirrorIm) / 2;
    spectra[at + next + 1] = (mirrorRe - re) / 2;
  }
}

/** Power of the noise at each frequency, told by the frames from `from` to before `to`, which hold nothing but sound. */
function noiseOf(spectra: Float32Array, from: number, to: number): Float64Array | undefined {
  const half = blockFrames / 2;
  const halves = Math.floor((to - from) / half);
  const powers = Array.from({ length: Math.max(halves, 0) }, (_, at) =>
    powerOf(spectra, from + at * half, half),
  );
  const blocks = powers.slice(1).map((power, at) => power.map((p, k) => (p + (powers[at]?.[k] ?? 0)) / 2));
  const heard = blocks.filter((block) => block.reduce((sum, p) => sum + p, 0) > digitalSilence);
  if (heard.length < 2) return undefined;
  const ofBin = new Float64Array(heard.length);
  return Float64Array.from({ length: bins }, (_, k) => {
    for (const [at, block] of heard.entries()) ofBin[at] = block[k] ?? 0;
    ofBin.sort();
    return (ofBin[Math.floor(quantile * (heard.length - 1))] ?? 0) * noiseOverQuantile;
  });
}

/** Mean power of `count` frames from `frame` on at each frequency. */
function powerOf(spectra: Float32Array, frame: number, count: number): Float64Array {
  const power = new Float64Array(bins);
  for (let at = frame; at < frame + count; at++) {
    for (let k = 0, from = 2 * at * bins; k < bins; k++, from += 2) {
      power[k] = (power[k] ?? 0) + ((spectra[from] ?? 0) ** 2 + (spectra[from + 1] ?? 0) ** 2) / count;
    }
  }
  return power;
}

/** What each frequency of `frame` is multiplied by; `standing` is what stood out of the noise in the frame before. */
function gainsOf(
  spectra: Float32Array,
  frame: number,
  noise: Float64Array,
  standing: Float64Array,
  gains: Float64Array,
): void {
  for (let k = 0, at = 2 * frame * bins; k < bins; k++, at += 2) {
    const power = (spectra[at] ?? 0) ** 2 + (spectra[at + 1] ?? 0) ** 2;
    const over = power / Math.max(noise[k] ?? 0, Number.MIN_VALUE);
    const ratio = memory * (standing[k] ?? 0) + (1 - memory) * Math.max(over - 1, 0);
    // noise of nothing has a ratio of infinity, or of 0 over 0 where nothing is heard either
    const gain = ratio < 1e12 ? ratio / (1 + ratio) : 1;
    standing[k] = Math.min(gain * gain * over, 1e12);
    gains[k] = Math.max(gain, leastGain);
  }
}

/** Adds frames `frame` and the next, turned down by `gains`, where they came from. */
function addTwo(
  spectra: Float32Array,
  frame: number,
  [ofFirst, ofSecond]: readonly [Float64Array, Float64Array],
  out: Float32Array,
): void {
  const next = 2 * bins;
  for (let k = 0, at = frame * next; k < bins; k++, at += 2) {
    const a = ofFirst[k] ?? 0;
    const b = ofSecond[k] ?? 0;
    const firstRe = a * (spectra[at] ?? 0);
    const firstIm = a * (spectra[at + 1] ?? 0);
    const secondRe = b * (spectra[at + next] ?? 0);
    const secondIm = b * (spectra[at + next + 1] ?? 0);
    // first + i second, and its inverse: real and imaginary exchanged on the way in and out
    const to = place[k] ?? 0;
    imaginary[to] = firstRe - secondIm;
    real[to] = firstIm + secondRe;
    const mirror = place[(size - k) % size] ?? 0;
    imaginary[mirror] = firstRe + secondIm;
    real[mirror] = secondRe - firstIm;
  }
  transform();
  const first = frame * hop;
  for (let n = 0; n < size; n++) {
    const w = (window[n] ?? 0) / (size * overlapping);
    out[first + n] = (out[first + n] ?? 0) + w * (imaginary[n] ?? 0);
    out[first + hop + n] = (out[first + hop + n] ?? 0) + w * (real[n] ?? 0);
  }
}
