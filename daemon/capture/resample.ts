/**
 * Any integer rate to any other, by windowed-sinc polyphase filtering (Smith, "Digital Audio Resampling",
 * ccrma.stanford.edu/~jos/resample; Kaiser window after Oppenheim & Schafer §7.5.3).
 */
import { highestRateHz, lowestRateHz } from './wav.ts';

/**
 * Zero crossings of the sinc on each side. With `stopbandDb` 80 the transition is 80 - 7.95 / (14.36 · 2 · 40)
 * = 6.3 % of the lower rate: to 16 kHz the pass-band ends at 7.0 kHz, and nothing above 8.0 kHz folds back.
 */
const zeroCrossings = 40;
const stopbandDb = 80;
const kaiserBeta = 0.1102 * (stopbandDb - 8.7);
const transition = (stopbandDb - 7.95) / (14.36 * 2 * zeroCrossings);
/**
 * Rates that share no large factor (44 101 Hz) would want a filter of thousands of phases: above this many, two
 * neighbours are interpolated. The error of that, (1/1024)²/8 · max|sinc''| ≈ -115 dB, is below 16-bit noise.
 */
const mostPhases = 1024;

/**
 * A stream of mono sound at another rate. Linear phase without delay: output sample k is the sound at the instant
 * k / toHz, so n samples in are exactly ceil(n · toHz / fromHz) out, and what comes out does not depend on how the
 * input was cut. Before the first and after the last sample there is silence.
 */
export class Resampler {
  readonly #filter: Filter;
  /** Input not yet passed by every tap; its first sample is input sample `#heldFrom`. */
  #held: Float32Array;
  #heldFrom: number;
  #received = 0;
  /** The next output lies at input sample `#position` + `#remainder` / interpolation. */
  #position = 0;
  #remainder = 0;

  /** @throws RangeError unless both rates are integers of 4 000 to 384 000 Hz. */
  constructor(fromHz: number, toHz: number) {
    for (const rateHz of [fromHz, toHz]) {
      if (!Number.isInteger(rateHz) || rateHz < lowestRateHz || rateHz > highestRateHz) {
        throw new RangeError(
          `rate is ${rateHz} Hz, an integer of ${lowestRateHz} to ${highestRateHz} expected`,
        );
      }
    }
    this.#filter = designFilter(fromHz, toHz);
    this.#held = new Float32Array(this.#filter.half - 1);
    this.#heldFrom = 1 - this.#filter.half;
  }

  /** Takes the next stretch of input. Answers the output that has become certain. */
  push(samples: Float32Array): Float32Array {
    this.#received += samples.length;
    this.#append(samples);
    return this.#produce(Number.POSITIVE_INFINITY);
  }

  /** Says that no more comes. Answers the rest of the output. */
  end(): Float32Array {
    this.#append(new Float32Array(this.#filter.half));
    return this.#produce(this.#received);
  }

  #append(samples: Float32Array): void {
    const { half } = this.#filter;
    const keepFrom = Math.min(this.#held.length, this.#position - half + 1 - this.#heldFrom);
    const kept = this.#held.subarray(keepFrom);
    const joined = new Float32Array(kept.length + samples.length);
    joined.set(kept);
    joined.set(samples, kept.length);
    this.#held = joined;
    this.#heldFrom += keepFrom;
  }

  /** Every output whose taps are all held and whose instant lies before input sample `before`. */
  #produce(before: number): Float32Array {
    const { interpolation, decimation, half, rows, phases } = this.#filter;
    const wholeStep = Math.floor(decimation / interpolation);
    const remainderStep = decimation % interpolation;
    const lastPosition = Math.min(before - 1, this.#heldFrom + this.#held.length - half - 1);
    if (this.#position > lastPosition) return new Float32Array(0);
    const most = Math.ceil(((lastPosition - this.#position + 1) * interpolation) / decimation) + 1;
    const output = new Float32Array(most);
    let count = 0;
    while (this.#position <= lastPosition) {
      const start = this.#position - half + 1 - this.#heldFrom;
      const phase = (this.#remainder * phases) / interpolation;
      const row = Math.floor(phase);
      const share = phase - row;
      let sample = dot(this.#held, start, rows[row] as Float32Array);
      if (share > 0) {
        sample += share * (dot(this.#held, start, rows[row + 1] as Float32Array) - sample);
      }
      output[count++] = sample;
      this.#position += wholeStep;
      this.#remainder += remainderStep;
      if (this.#remainder >= interpolation) {
        this.#remainder -= interpolation;
        this.#position += 1;
      }
    }
    return output.subarray(0, count);
  }
}

type Filter = {
  /** toHz / fromHz = interpolation / decimation in lowest terms. */
  readonly interpolation: number;
  readonly decimation: number;
  /** Taps on each side of an output's instant. */
  readonly half: number;
  readonly phases: number;
  /** phases + 1 rows of 2 · half taps; row p is for an instant p / phases of an input sample late. */
  readonly rows: readonly Float32Array[];
};

function designFilter(fromHz: number, toHz: number): Filter {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const interpolation = toHz / divisor;
  const decimation = fromHz / divisor;
  // in cycles per input sample: the stop-band begins at half of the lower rate, the cut lies mid-transition
  const lowerRate = Math.min(1, toHz / fromHz);
  const cutoff = lowerRate * (0.5 - transition / 2);
  const half = Math.ceil(zeroCrossings / lowerRate);
  const phases = Math.min(interpolation, mostPhases);
  const rows = Array.from({ length: phases + 1 }, (_, phase) => filterRow(half, cutoff, phase / phases));
  return { interpolation, decimation, half, phases, rows };
}

function filterRow(half: number, cutoff: number, late: number): Float32Array {
  const row = new Float64Array(2 * half);
  let sum = 0;
  for (let tap = 0; tap < row.length; tap++) {
    const distance = tap - half + 1 - late;
    const angle = 2 * Math.PI * cutoff * distance;
    const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
    const value = sinc * kaiser(distance / half);
    row[tap] = value;
    sum += value;
  }
  // a constant must come out unchanged in every phase, or it would gain a tone at the phase rate
  return Float32Array.from(row, (value) => value / sum);
}

const kaiserPeak = bessel(kaiserBeta);

/** The Kaiser window at `x` in [-1, 1]. */
function kaiser(x: number): number {
  return Math.abs(x) > 1 ? 0 : bessel(kaiserBeta * Math.sqrt(1 - x * x)) / kaiserPeak;
}

/** Modified Bessel function of the first kind, order zero, by its power series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function dot(samples: Float32Array, start: number, row: Float32Array): number {
  let sum = 0;
  for (let tap = 0; tap < row.length; tap++) {
    sum += (samples[start + tap] as number) * (row[tap] as number);
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** A whole stream resampled; hands it through untouched where the rates agree. Clipped to [-1, 1]: a filter rings. */
export async function* resampled(
  chunks: AsyncIterable<Float32Array>,
  fromHz: number,
  toHz: number,
): AsyncGenerator<Float32Array> {
  if (fromHz === toHz) {
    yield* chunks;
    return;
  }
  const resampler = new Resampler(fromHz, toHz);
  for await (const chunk of chunks) {
    const output = resampler.push(chunk);
    if (output.length > 0) yield clipped(output);
  }
  const rest = resampler.end();
  if (rest.length > 0) yield clipped(rest);
}

function clipped(samples: Float32Array): Float32Array {
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] as number;
    if (sample > 1) samples[i] = 1;
    else if (sample < -1) samples[i] = -1;
  }
  return samples;
}
