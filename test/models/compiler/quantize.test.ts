/** The 8 and 4 bit numbers by themselves, and what ONNX Runtime makes of the 4 bit ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { multiply, placeMatrix, rowsOf } from '../../../models/compiler/matrix.ts';
import { quantizeBlocks, quantizeRows } from '../../../models/compiler/quantize.ts';
import { GraphBuilder } from '../../../models/graph/builder.ts';
import { provider } from '../../../providers/cpu.ts';
import { largestDifference } from '../../golden.ts';
import { temporaryDir, writeGraph } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';
import { float32, floats } from '../../whisper-graphs.ts';

const quantize = suite('quantize');
const random = randomFrom(11);
const normal = () => random() + random() + random() + random() - 2;
const matrix = (length: number) => Float32Array.from({ length }, normal);

/** What the numbers stand for, by the definition of the format and nothing of its implementation. */
function unpack(packed: Uint8Array, scales: Float32Array, columns: number, block: number): Float32Array {
  const blocks = Math.ceil(columns / block);
  const rows = scales.length / blocks;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns);
    const column = i % columns;
    const at = (row * blocks * block + column) >> 0;
    const byte = packed[at >> 1] as number;
    const number = at % 2 === 0 ? byte & 15 : byte >> 4;
    return (number - 8) * (scales[row * blocks + Math.floor(column / block)] as number);
  });
}

function relativeError(got: Float32Array, want: Float32Array): number {
  const error = got.reduce((sum, value, i) => sum + (value - (want[i] as number)) ** 2, 0);
  return Math.sqrt(error / want.reduce((sum, value) => sum + value * value, 0));
}

quantize('rows of int8 keep zeros, extremes and signs', () => {
  const { quantized, scales } = quantizeRows(Float32Array.of(1, -2, 0, 0.5, 0, 0, 0, 0), 4);
  assert.equal([...quantized], [64, -127, 0, 32, 0, 0, 0, 0]);
  assert.equal([...scales], [Math.fround(2 / 127), 1]);
});

quantize('values that 4 bits can say are said exactly, whichever sign is the farthest', () => {
  for (const sign of [1, -1]) {
    const values = Float32Array.from({ length: 32 }, (_, i) => sign * 0.25 * ((i % 16) - 8));
    const { packed, scales } = quantizeBlocks(values, 32, 32);
    assert.equal([...unpack(packed, scales, 32, 32)], [...values]);
  }
});

quantize('blocks of zeros stay zeros; a short last block is filled up with them', () => {
  const zeros = quantizeBlocks(new Float32Array(64), 64, 32);
  assert.equal([...unpack(zeros.packed, zeros.scales, 64, 32)], Array(64).fill(0));
  const short = quantizeBlocks(matrix(3 * 40), 40, 32);
  assert.is(short.scales.length, 6);
  assert.is(short.packed.length, 96);
  for (let row = 0; row < 3; row++) {
    // 8 stands for zero, twice in a byte
    assert.equal([...short.packed.subarray(row * 32 + 20, row * 32 + 32)], Array(12).fill(0x88));
  }
});

quantize('the error is below that of the largest value at 7', () => {
  const values = matrix(64 * 384);
  for (const [block, most] of [
    [32, 0.095],
    [128, 0.115],
  ] as const) {
    const { packed, scales } = quantizeBlocks(values, 384, block);
    const error = relativeError(unpack(packed, scales, 384, block), values);
    const usual = Float32Array.from(values);
    for (let at = 0; at < usual.length; at += block) {
      const part = usual.subarray(at, at + block);
      const scale = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 7;
      for (let i = 0; i < block; i++) part[i] = Math.round((part[i] as number) / scale) * scale;
    }
    assert.ok(error < most && error < 0.9 * relativeError(usual, values), `blocks of ${block}: ${error}`);
  }
});

for (const [format, block] of [
  ['int4', 32],
  ['int4-128', 128],
] as const) {
  for (const [outs, ins] of [
    [96, 128],
    [40, 200],
    [1000, 384],
  ] as const) {
    quantize(`${format}: onnxruntime multiplies with the numbers meant, ${outs} x ${ins}`, async () => {
      const values = matrix(outs * ins);
      const bias = matrix(outs);
      const graph = new GraphBuilder('test', 'test.bin');
      const x = graph.input('x', 'float32', [1, 'S', ins]);
      const read = (start = 0, count = values.length) => values.slice(start, start + count);
      const rows = rowsOf([{ dims: [outs, ins], read }]);
      const placed = placeMatrix(graph, 'head', rows, { weights: format, exceptions: {} });
      const y = multiply(
        graph,
        x,
        placed,
        graph.weight('bias', 'float32', [outs], () => bias),
      );
      graph.output('y', y, 'float32', [1, 'S', outs]);
      const session = await provider.open(
        writeGraph(temporaryDir(), 'test', 'test.bin', graph.finish('test')),
      );
      const { packed, scales } = quantizeBlocks(values, ins, block);
      const meant = unpack(packed, scales, ins, block);
      for (const length of [1, 3, 70]) {
        const input = matrix(length * ins);
        const { y: out } = await session.run({ x: float32([1, length, ins], input) }, ['y']);
        const want = Float32Array.from({ length: length * outs }, (_, i) => {
          const row = Math.floor(i / outs);
          const column = i % outs;
          let sum = bias[column] as number;
          for (let k = 0; k < ins; k++)
            sum += (input[row * ins + k] as number) * (meant[column * ins + k] as number);
          return sum;
        });
        // what is left is the input's quantisation to 8 bits
        const error = relativeError(floats(out), want);
        assert.ok(error < 0.01, `${length} rows: ${error}`);
        assert.ok(largestDifference(floats(out), want) < 1);
      }
    });
  }
}

quantize.run();
