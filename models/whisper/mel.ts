/**
 * Log-mel spectrogram, as Whisper was trained on it (Radford et al. 2022, section 2.2; the filters are those of
 * librosa's `mel(htk=False, norm='slaney')`). Fused graphs compute the same inside; this one serves graphs that
 * take log-mel input.
 */

export const fftSize = 400;
/** 10 ms. */
export const hopSamples = 160;
/** Frequencies of a 400-point real transform: 0 .. 8 kHz in steps of 40 Hz. */
export const frequencyBins = fftSize / 2 + 1;
const sampleRateHz = 16_000;

/** Hann window of 400 points, periodic: w[0] = 0 and w[n] = w[400 - n]. */
export function hannWindow(): Float64Array {
  return Float64Array.from({ length: fftSize }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / fftSize));
}

/** The Slaney mel scale: linear below 1 kHz, logarithmic above (Slaney, Auditory Toolbox, 1998). */
function melToHz(mel: number): number {
  return mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((Math.log(6.4) / 27) * (mel - 15));
}

function hzToMel(hz: number): number {
  return hz < 1000 ? (3 * hz) / 200 : 15 + Math.log(hz / 1000) / (Math.log(6.4) / 27);
}

/**
 * Triangular mel filters with equal area, [melBins, 201] row-major. The first and the last frequency (0 and 8 kHz)
 * lie on the feet of the outermost triangles: their weight is zero in every filter.
 */
export function melFilters(melBins: number): Float32Array {
  const top = hzToMel(sampleRateHz / 2);
  const edgesHz = Array.from({ length: melBins + 2 }, (_, i) => melToHz((top * i) / (melBins + 1)));
  const filters = new Float32Array(melBins * frequencyBins);
  for (let bin = 0; bin < melBins; bin++) {
    const [lowHz = 0, centreHz = 0, highHz = 0] = edgesHz.slice(bin, bin + 3);
    const area = 2 / (highHz - lowHz);
    for (let k = 1; k < frequencyBins - 1; k++) {
      const hz = (k * sampleRateHz) / fftSize;
      const weight = Math.min((hz - lowHz) / (centreHz - lowHz), (highHz - hz) / (highHz - centreHz));
      filters[bin * frequencyBins + k] = Math.max(0, weight) * area;
    }
  }
  return filters;
}

/** A filter touches a handful of neighbouring frequencies: only those are multiplied. */
type Triangle = { readonly first: number; readonly weights: Float64Array };

function triangles(melBins: number): Triangle[] {
  const filters = melFilters(melBins);
  return Array.from({ length: melBins }, (_, bin) => {
    const row = filters.subarray(bin * frequencyBins, (bin + 1) * frequencyBins);
    const first = Math.max(
      0,
      row.findIndex((weight) => weight > 0),
    );
    const last = row.findLastIndex((weight) => weight > 0);
    return { first, weights: Float64Array.from(row.subarray(first, last + 1)) };
  });
}

/**
 * Complex transform of 400 = 4 x 4 x 5 x 5 points, Stockham's self-sorting form (no bit reversal; Van Loan,
 * Computational Frameworks for the FFT, 1992, section 1.7). Works in the two buffers given; the result is in `re`, `im`.
 */
type Transform = { readonly re: Float64Array; readonly im: Float64Array; readonly run: () => void };

function createTransform(): Transform {
  const cos = Float64Array.from({ length: fftSize }, (_, n) => Math.cos((2 * Math.PI * n) / fftSize));
  const sin = Float64Array.from({ length: fftSize }, (_, n) => -Math.sin((2 * Math.PI * n) / fftSize));
  const re = new Float64Array(fftSize);
  const im = new Float64Array(fftSize);
  const otherRe = new Float64Array(fftSize);
  const otherIm = new Float64Array(fftSize);

  /** One stage: `length` points remain in each of `stride` interleaved transforms. */
  function radix4(
    length: number,
    stride: number,
    xr: Float64Array,
    xi: Float64Array,
    yr: Float64Array,
    yi: Float64Array,
  ) {
    const quarter = length / 4;
    for (let p = 0; p < quarter; p++) {
      const w1r = cos[p * stride] as number;
      const w1i = sin[p * stride] as number;
      const w2r = cos[2 * p * stride] as number;
      const w2i = sin[2 * p * stride] as number;
      const w3r = cos[3 * p * stride] as number;
      const w3i = sin[3 * p * stride] as number;
      for (let q = 0; q < stride; q++) {
        const a = q + stride * p;
        const b = a + stride * quarter;
        const c = b + stride * quarter;
        const d = c + stride * quarter;
        const acr = (xr[a] as number) + (xr[c] as number);
        const aci = (xi[a] as number) + (xi[c] as number);
        const amr = (xr[a] as number) - (xr[c] as number);
        const ami = (xi[a] as number) - (xi[c] as number);
        const bdr = (xr[b] as number) + (xr[d] as number);
        const bdi = (xi[b] as number) + (xi[d] as number);
        // -i (b - d)
        const bmr = (xi[b] as number) - (xi[d] as number);
        const bmi = (xr[d] as number) - (xr[b] as number);
        const out = q + stride * 4 * p;
        yr[out] = acr + bdr;
        yi[out] = aci + bdi;
        const y1r = amr + bmr;
        const y1i = ami + bmi;
        yr[out + stride] = y1r * w1r - y1i * w1i;
        yi[out + stride] = y1r * w1i + y1i * w1r;
        const y2r = acr - bdr;
        const y2i = aci - bdi;
        yr[out + 2 * stride] = y2r * w2r - y2i * w2i;
        yi[out + 2 * stride] = y2r * w2i + y2i * w2r;
        const y3r = amr - bmr;
        const y3i = ami - bmi;
        yr[out + 3 * stride] = y3r * w3r - y3i * w3i;
        yi[out + 3 * stride] = y3r * w3i + y3i * w3r;
      }
    }
  }

  const c1 = Math.cos((2 * Math.PI) / 5);
  const c2 = Math.cos((4 * Math.PI) / 5);
  const s1 = Math.sin((2 * Math.PI) / 5);
  const s2 = Math.sin((4 * Math.PI) / 5);

  function radix5(
    length: number,
    stride: number,
    xr: Float64Array,
    xi: Float64Array,
    yr: Float64Array,
    yi: Float64Array,
  ) {
    const fifth = length / 5;
    for (let p = 0; p < fifth; p++) {
      for (let q = 0; q < stride; q++) {
        const a = q + stride * p;
        const b = a + stride * fifth;
        const c = b + stride * fifth;
        const d = c + stride * fifth;
        const e = d + stride * fifth;
        const ar = xr[a] as number;
        const ai = xi[a] as number;
        const ber = (xr[b] as number) + (xr[e] as number);
        const bei = (xi[b] as number) + (xi[e] as number);
        const bmr = (xr[b] as number) - (xr[e] as number);
        const bmi = (xi[b] as number) - (xi[e] as number);
        const cdr = (xr[c] as number) + (xr[d] as number);
        const cdi = (xi[c] as number) + (xi[d] as number);
        const cmr = (xr[c] as number) - (xr[d] as number);
        const cmi = (xi[c] as number) - (xi[d] as number);
        const u1r = ar + c1 * ber + c2 * cdr;
        const u1i = ai + c1 * bei + c2 * cdi;
        const u2r = ar + c2 * ber + c1 * cdr;
        const u2i = ai + c2 * bei + c1 * cdi;
        const v1r = s1 * bmr + s2 * cmr;
        const v1i = s1 * bmi + s2 * cmi;
        const v2r = s2 * bmr - s1 * cmr;
        const v2i = s2 * bmi - s1 * cmi;
        const out = q + stride * 5 * p;
        yr[out] = ar + ber + cdr;
        yi[out] = ai + bei + cdi;
        // outputs 1 and 4 are u1 -/+ i v1, outputs 2 and 3 are u2 -/+ i v2
        store(out + stride, p * stride, u1r + v1i, u1i - v1r, yr, yi);
        store(out + 2 * stride, 2 * p * stride, u2r + v2i, u2i - v2r, yr, yi);
        store(out + 3 * stride, 3 * p * stride, u2r - v2i, u2i + v2r, yr, yi);
        store(out + 4 * stride, 4 * p * stride, u1r - v1i, u1i + v1r, yr, yi);
      }
    }
  }

  function store(at: number, turn: number, r: number, i: number, yr: Float64Array, yi: Float64Array) {
    const wr = cos[turn] as number;
    const wi = sin[turn] as number;
    yr[at] = r * wr - i * wi;
    yi[at] = r * wi + i * wr;
  }

  function run() {
    radix4(400, 1, re, im, otherRe, otherIm);
    radix4(100, 4, otherRe, otherIm, re, im);
    radix5(25, 16, re, im, otherRe, otherIm);
    radix5(5, 80, otherRe, otherIm, re, im);
  }
  return { re, im, run };
}

/** The sound with half a window reflected at each end, without repeating the edge sample. */
function reflected(samples: Float32Array): Float64Array {
  const half = fftSize / 2;
  const padded = new Float64Array(samples.length + fftSize);
  padded.set(samples, half);
  for (let i = 1; i <= half; i++) {
    padded[half - i] = samples[i] as number;
    padded[half + samples.length - 1 + i] = samples[samples.length - 1 - i] as number;
  }
  return padded;
}

/**
 * Log-mel spectrogram of `samples`, mono [-1, 1] at 16 kHz: float32 [melBins, frames], row-major, one frame each
 * 10 ms, frames = floor(samples / 160). Centred windows, the sound reflected at its ends; power, log10, floored at
 * 1e-10 and at 80 dB below the loudest value, then (x + 4) / 4.
 * Throws RangeError below 201 samples: there is nothing to reflect.
 */
export function logMel(samples: Float32Array, melBins: number): Float32Array {
  if (samples.length <= fftSize / 2) {
    throw new RangeError(`expected more than ${fftSize / 2} samples, got ${samples.length}`);
  }
  const frames = Math.floor(samples.length / hopSamples);
  const padded = reflected(samples);
  const window = hannWindow();
  const filters = triangles(melBins);
  const { re, im, run } = createTransform();
  const powers = [new Float64Array(frequencyBins), new Float64Array(frequencyBins)] as const;
  const logs = new Float32Array(melBins * frames);
  let loudest = -10;

  // two real frames make one complex transform
  for (let frame = 0; frame < frames; frame += 2) {
    const start = frame * hopSamples;
    const nextStart = Math.min(frame + 1, frames - 1) * hopSamples;
    for (let n = 0; n < fftSize; n++) {
      const w = window[n] as number;
      re[n] = w * (padded[start + n] as number);
      im[n] = w * (padded[nextStart + n] as number);
    }
    run();
    for (let k = 1; k < frequencyBins - 1; k++) {
      const zr = re[k] as number;
      const zi = im[k] as number;
      const mr = re[fftSize - k] as number;
      const mi = im[fftSize - k] as number;
      const ar = zr + mr;
      const ai = zi - mi;
      const br = zi + mi;
      const bi = mr - zr;
      powers[0][k] = (ar * ar + ai * ai) / 4;
      powers[1][k] = (br * br + bi * bi) / 4;
    }
    for (let half = 0; half < 2 && frame + half < frames; half++) {
      const power = powers[half as 0 | 1];
      for (let bin = 0; bin < melBins; bin++) {
        const { first, weights } = filters[bin] as Triangle;
        let energy = 0;
        for (let i = 0; i < weights.length; i++)
          energy += (weights[i] as number) * (power[first + i] as number);
        const log = Math.log10(Math.max(energy, 1e-10));
        if (log > loudest) loudest = log;
        logs[bin * frames + frame + half] = log;
      }
    }
  }
  const floor = loudest - 8;
  for (let i = 0; i < logs.length; i++) logs[i] = (Math.max(logs[i] as number, floor) + 4) / 4;
  return logs;
}
