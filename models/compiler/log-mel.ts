/** Sound to log-mel, inside the encoder's graph: all of it as products and sums that ONNX Runtime has kernels for. */
import type { GraphBuilder, Value } from '../graph/builder.ts';
import { fftSize, frequencyBins, hannWindow, hopSamples, melFilters } from '../whisper/mel.ts';

/**
 * Samples [n] to log-mel [frames, melBins], the same as `logMel` of models/whisper/mel.ts up to float32 rounding.
 *
 * The Fourier sum of 400 points is split by frequency twice (Cooley and Tukey's decimation in frequency), then done as
 * products with matrices of sines and cosines: k = 0 mod 4 and k = 2 mod 4 are sums over 100 points, odd k over 200.
 * Splitting further, or folding the frame around its middle, costs more in copies than it saves in products.
 * Frequencies 0 and 200 have no weight in any mel filter and are not computed.
 */
export function logMel(graph: GraphBuilder, pcm: Value, melBins: number): Value {
  const powers = spectrum(graph, windowedFrames(graph, pcm));
  const order = powers.flatMap(({ frequencies }) => frequencies);
  const filters = graph.weight('filters', 'float32', [order.length, melBins], () => {
    const rows = melFilters(melBins);
    const matrix = new Float32Array(order.length * melBins);
    for (const [i, k] of order.entries()) {
      for (let bin = 0; bin < melBins; bin++)
        matrix[i * melBins + bin] = rows[bin * frequencyBins + k] as number;
    }
    return matrix;
  });
  const power = graph.concat(
    powers.map(({ power }) => power),
    1,
  );
  // (max(log10 e, top - 8) + 4) / 4, in natural logarithms
  const energy = graph.max(graph.matMul(power, filters), graph.scalar(1e-10));
  const log = graph.log(energy);
  const floor = graph.sub(graph.reduceMax(log, 'all', false), graph.scalar(8 * Math.LN10));
  return graph.add(graph.mul(graph.max(log, floor), graph.scalar(1 / (4 * Math.LN10))), graph.scalar(1));
}

/** Samples [n] to frames [n / 160, 400], centred, reflected at the ends and windowed. */
function windowedFrames(graph: GraphBuilder, pcm: Value): Value {
  const half = fftSize / 2;
  // half a window before; after the end, the last frame reaches 80 samples far, and whole hops are wanted
  const padded = graph.padReflect(pcm, [half, 2 * hopSamples - half]);
  const hops = graph.reshape(padded, [-1, hopSamples]);
  const third = graph.slice(hops, 0, 2, Number.MAX_SAFE_INTEGER);
  const frames = graph.concat(
    [
      graph.slice(hops, 0, 0, -2),
      graph.slice(hops, 0, 1, -1),
      graph.slice(third, 1, 0, fftSize - 2 * hopSamples),
    ],
    1,
  );
  return graph.mul(
    frames,
    graph.weight('window', 'float32', [fftSize], () => Float32Array.from(hannWindow())),
  );
}

type Power = { readonly frequencies: readonly number[]; readonly power: Value };

/** Frames [f, 400] to |X_k|^2 [f, frequencies] in three groups of frequencies. */
function spectrum(graph: GraphBuilder, frames: Value): Power[] {
  const halves = (x: Value, points: number): [Value, Value] => {
    const [first, second] = graph.split(x, [points / 2, points / 2], 1) as [Value, Value];
    return [graph.add(first, second), graph.sub(first, second)];
  };
  const [even, odd] = halves(frames, fftSize);
  const [doublyEven, singlyEven] = halves(even, fftSize / 2);
  const every = (step: number, from: number) =>
    Array.from({ length: frequencyBins }, (_, k) => k).filter(
      (k) => k % step === from && k > 0 && k < frequencyBins - 1,
    );
  return [
    fourierSums(graph, doublyEven, fftSize / 4, every(4, 0)),
    fourierSums(graph, singlyEven, fftSize / 4, every(4, 2)),
    fourierSums(graph, odd, fftSize / 2, every(2, 1)),
  ];
}

/** Points [f, n] to the power of their Fourier sums at `frequencies` (of the whole frame's 400). */
function fourierSums(graph: GraphBuilder, x: Value, points: number, frequencies: readonly number[]): Power {
  const component = (name: string, turn: (angle: number) => number) => {
    const matrix = graph.weight(name, 'float32', [points, frequencies.length], () =>
      Float32Array.from({ length: points * frequencies.length }, (_, i) => {
        const n = Math.floor(i / frequencies.length);
        const k = frequencies[i % frequencies.length] as number;
        return turn((2 * Math.PI * ((k * n) % fftSize)) / fftSize);
      }),
    );
    const sums = graph.matMul(x, matrix);
    return graph.mul(sums, sums);
  };
  return { frequencies, power: graph.add(component('cosines', Math.cos), component('sines', Math.sin)) };
}
