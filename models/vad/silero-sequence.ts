/**
 * Silero VAD compiled for files: any number of frames, one after another, in one run. What comes before the LSTM
 * knows nothing of earlier frames and becomes one matrix product a layer over all of them; the LSTM steps through
 * the sequence inside its operator. The arithmetic of silero-network.ts, up to the order of sums.
 *
 *   in   input   float32 [frames, 576]   64 samples of context, 512 of the frame
 *        state   float32 [2, 1, 128]     hidden and cell state of the LSTM before the first
 *   out  output  float32 [frames, 1]     probability of speech in each
 *        stateN  float32 [2, 1, 128]     the state behind the last
 *
 * A microphone is not heard with it: one frame at a time it takes two to three times as long.
 */
import { type BuiltGraph, GraphBuilder, type Value } from '../graph/builder.ts';
import { below, beside, type Matrix, matrix, readSilero } from './silero-weights.ts';

const bins = 129;
const width = 128;

/** Builds the graph from the bytes of the published one. Throws `Fault` MODEL_UNSUPPORTED if that is another network. */
export function compileSileroSequence(
  published: Uint8Array,
  weightsFile: string,
  sourceSha256: string,
): BuiltGraph {
  const { tensor, convolution } = readSilero(published);
  const g = new GraphBuilder('silero-vad-16k-sequence', weightsFile);
  const input = g.input('input', 'float32', ['frames', 576]);
  const state = g.input('state', 'float32', [2, 1, width]);
  const dense = (name: string, x: Value, m: Matrix, bias: Float32Array): Value =>
    g.node('Gemm', [
      x,
      g.weight(`${name}.weight`, 'float32', [m.rows, m.columns], () => m.data),
      g.weight(`${name}.bias`, 'float32', [m.columns], () => bias),
    ]);
  const relu = (x: Value): Value => g.node('Relu', [x]);
  const positions = (x: Value, from: number, to: number): Value => g.slice(x, 1, from, to);

  const magnitude = g.scope('stft', () => {
    // five rows of one hop; a window is two of them
    const hops = g.reshape(g.padReflect(input, [0, 0, 0, 64]), [-1, 5, 128]);
    const windows = g.concat([positions(hops, 0, 4), positions(hops, 1, 5)], 2);
    const basis = tensor('stft.forward_basis_buffer', 2 * bins, 1, 256);
    const transposed = matrix(256, 2 * bins, (i, o) => basis[o * 256 + i] ?? 0);
    const parts = g.matMul(
      g.reshape(windows, [-1, 256]),
      g.weight('basis', 'float32', [256, 2 * bins], () => transposed.data),
    );
    const [real, imaginary] = g.split(g.mul(parts, parts), [bins, bins], 1) as [Value, Value];
    return g.sqrt(g.add(real, imaginary));
  });

  const features = g.scope('encoder', () => {
    const nothingAround = g.int64s(0, 1, 0, 0, 1, 0);
    const around = g.node('Pad', [g.reshape(magnitude, [-1, 4, bins]), nothingAround]);
    const threes = g.concat([positions(around, 0, 4), positions(around, 1, 5), positions(around, 2, 6)], 2);
    const first = convolution(0, bins, 128);
    const taps = below([first.tap(0), first.tap(1), first.tap(2)]);
    const x0 = relu(dense('0', g.reshape(threes, [-1, 3 * bins]), taps, first.bias));

    // positions 0-3 of a frame in one row; output 0 sees (-, 0, 1), output 1 sees (1, 2, 3)
    const second = convolution(1, 128, 64);
    const [t0, t1, t2] = [second.tap(0), second.tap(1), second.tap(2)];
    const nothing = matrix(128, 64, () => 0);
    const pairs = below([beside(t1, nothing), beside(t2, t0), beside(nothing, t1), beside(nothing, t2)]);
    const twice = Float32Array.from([...second.bias, ...second.bias]);
    const x1 = relu(dense('1', g.reshape(x0, [-1, 4 * 128]), pairs, twice));

    // one output, at (-, 0, 1)
    const third = convolution(2, 64, 64);
    const x2 = relu(dense('2', x1, below([third.tap(1), third.tap(2)]), third.bias));

    // one position has no neighbours: the middle tap alone
    const fourth = convolution(3, 64, 128);
    return relu(dense('3', x2, fourth.tap(1), fourth.bias));
  });

  const [every, hidden, cell] = g.scope('lstm', () => {
    /** PyTorch's order of gates is input, forget, cell, output; ONNX has input, output, forget, cell. */
    const reordered = (gates: Float32Array): Float32Array => {
      const part = (gate: number) =>
        gates.subarray((gate * gates.length) / 4, ((gate + 1) * gates.length) / 4);
      const ordered = new Float32Array(gates.length);
      for (const [to, from] of [0, 3, 1, 2].entries()) ordered.set(part(from), (to * gates.length) / 4);
      return ordered;
    };
    const named = (name: string, ...dims: readonly number[]) =>
      reordered(tensor(`decoder.rnn.${name}`, ...dims));
    const biases = Float32Array.from([...named('bias_ih', 4 * width), ...named('bias_hh', 4 * width)]);
    const [before, cellBefore] = g.split(state, [1, 1], 0) as [Value, Value];
    return g.nodes(
      'LSTM',
      [
        g.reshape(features, [-1, 1, width]),
        g.weight('W', 'float32', [1, 4 * width, width], () => named('weight_ih', 4 * width, width)),
        g.weight('R', 'float32', [1, 4 * width, width], () => named('weight_hh', 4 * width, width)),
        g.weight('B', 'float32', [1, 8 * width], () => biases),
        undefined,
        before,
        cellBefore,
      ],
      { attributes: { hidden_size: width }, outputs: 3 },
    ) as [Value, Value, Value];
  });

  const last = tensor('decoder.decoder.2.weight', 1, width, 1);
  const column = matrix(width, 1, (i) => last[i] ?? 0);
  const rows = relu(g.reshape(every, [-1, width]));
  const logits = dense('speech', rows, column, tensor('decoder.decoder.2.bias', 1));
  g.output('output', g.node('Sigmoid', [logits]), 'float32', ['frames', 1]);
  g.output('stateN', g.concat([hidden, cell], 0), 'float32', [2, 1, width]);
  return g.finish('1', { source: 'https://github.com/snakers4/silero-vad', licence: 'MIT', sourceSha256 });
}
