/**
 * Silero VAD packed for what the daemon feeds it: 16 kHz, one frame of 512 samples at a time. The published graph asks
 * at every frame for the sampling rate, the batch and the rank of its state (If inside If), and convolves stretches
 * of four positions and fewer. Here each layer is one product with the rows it needs laid side by side, and the Fourier
 * transform, which the graph holds as a matrix, is a fast one. Weights and arithmetic are the same, up to the order of
 * sums. silero-network.ts runs it.
 */

import {
  bins,
  type LayerName,
  layers,
  weightAt,
  weightsLength,
  width,
  windowSamples,
} from './silero-layout.ts';
import { below, type Matrix, matrix, readSilero, unknownNetwork } from './silero-weights.ts';

/** The largest difference between a row of the published transform and the one it is replaced by; its values reach 1. */
const basisTolerance = 1e-5;

/**
 * The weights, in the places of silero-layout.ts, from the bytes of the published graph.
 * Throws `Fault` MODEL_UNSUPPORTED if that is another network.
 */
export function packSilero(published: Uint8Array): Float32Array {
  const { tensor, convolution } = readSilero(published);
  const packed = new Float32Array(weightsLength);
  const put = (name: LayerName, weight: Matrix, bias: ArrayLike<number>): void => {
    packed.set(inBlocks(weight, layers[name].blockColumns), weightAt[`${name}.weight`]);
    packed.set(bias, weightAt[`${name}.bias`]);
  };

  packed.set(windowOf(tensor('stft.forward_basis_buffer', 2 * bins, 1, windowSamples)), weightAt.window);
  const first = convolution(0, bins, 128);
  put('convolution0', below([first.tap(0), first.tap(1), first.tap(2)]), first.bias);
  const second = convolution(1, 128, 64);
  put('convolution1', below([second.tap(0), second.tap(1), second.tap(2)]), second.bias);
  const third = convolution(2, 64, 64);
  put('convolution2', below([third.tap(1), third.tap(2)]), third.bias);
  const fourth = convolution(3, 64, 128);
  put('convolution3', fourth.tap(1), fourth.bias);

  const transposed = (w: Float32Array): Matrix => matrix(width, 4 * width, (i, o) => w[o * width + i] ?? 0);
  const ofInput = tensor('decoder.rnn.weight_ih', 4 * width, width);
  const ofHidden = tensor('decoder.rnn.weight_hh', 4 * width, width);
  const biasOfHidden = tensor('decoder.rnn.bias_hh', 4 * width);
  const bias = tensor('decoder.rnn.bias_ih', 4 * width).map((b, i) => b + (biasOfHidden[i] ?? 0));
  put('gates', below([transposed(ofInput), transposed(ofHidden)]), bias);

  packed.set(tensor('decoder.decoder.2.weight', 1, width, 1), weightAt['speech.weight']);
  packed.set(tensor('decoder.decoder.2.bias', 1), weightAt['speech.bias']);
  return packed;
}

/**
 * The window of a transform given as a matrix: rows of window * cos, then rows of window * -sin, one for each bin.
 * The first row is the window itself; that the others follow from it is checked.
 */
function windowOf(basis: Float32Array): Float32Array {
  const window = basis.slice(0, windowSamples);
  for (let bin = 0; bin < bins; bin++) {
    for (let n = 0; n < windowSamples; n++) {
      const angle = (2 * Math.PI * bin * n) / windowSamples;
      const real = basis[bin * windowSamples + n] ?? 0;
      const imaginary = basis[(bins + bin) * windowSamples + n] ?? 0;
      const w = window[n] ?? 0;
      const error = Math.max(Math.abs(real - w * Math.cos(angle)), Math.abs(imaginary + w * Math.sin(angle)));
      if (!(error <= basisTolerance)) {
        throw unknownNetwork(`its transform is no windowed Fourier transform: bin ${bin}, sample ${n}`);
      }
    }
  }
  return window;
}

/** Blocks of columns one after the other, each row by row: the order in which dense.wat reads them. */
function inBlocks({ rows, columns, data }: Matrix, blockColumns: number): Float32Array {
  const packed = new Float32Array(data.length);
  let at = 0;
  for (let block = 0; block < columns; block += blockColumns) {
    for (let row = 0; row < rows; row++) {
      const from = row * columns + block;
      packed.set(data.subarray(from, from + blockColumns), at);
      at += blockColumns;
    }
  }
  return packed;
}
