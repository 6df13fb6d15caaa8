/**
 * Every matrix product of a fused graph is made here, so that its number format is one decision: float32, or int8
 * with a scale for each column. Weights are [out, in] in the checkpoint and [in, out] in the graph.
 */
import { Fault } from '../../daemon/faults.ts';
import type { GraphBuilder, Value } from '../graph/builder.ts';
import type { Linear, Weight } from './architecture.ts';

export const weightFormats = ['fp32', 'int8'] as const;
export type WeightFormat = (typeof weightFormats)[number];

/** Matrices by the part they play; that of one layer is `encoder.3.up`, those of all layers `encoder.up`. */
export const matrixRoles = [
  'conv1',
  'conv2',
  'encoder.qkv',
  'encoder.out',
  'encoder.up',
  'encoder.down',
  'cross.keys_values',
  'decoder.qkv',
  'decoder.out',
  'decoder.cross_query',
  'decoder.cross_out',
  'decoder.up',
  'decoder.down',
  'embedding',
  'head',
] as const;

export type WeightOptions = {
  readonly weights: WeightFormat;
  /** Formats of single matrices, by role or by layer and role; the more precise name wins. */
  readonly exceptions: Readonly<Record<string, WeightFormat>>;
};

/** Throws `Fault` USAGE_INVALID for a name that no matrix has or a format that does not exist. */
export function checkWeightOptions({ weights, exceptions }: WeightOptions): void {
  for (const [name, format] of [['weights', weights], ...Object.entries(exceptions)]) {
    if (!weightFormats.some((known) => known === format)) {
      throw new Fault(
        'USAGE_INVALID',
        `${name} is '${format}', expected one of ${weightFormats.join(', ')}`,
        'correct the weight format',
      );
    }
  }
  for (const name of Object.keys(exceptions)) {
    const role = name.replace(/\.\d+(?=\.)/, '');
    if (!matrixRoles.some((known) => known === role)) {
      throw new Fault(
        'USAGE_INVALID',
        `no matrix is called '${name}', expected one of ${matrixRoles.join(', ')}`,
        'name a single layer as in encoder.0.up',
      );
    }
  }
}

/** The format of the matrix called `name`, with its layer if it is one of many. */
export function formatOf(name: string, { weights, exceptions }: WeightOptions): WeightFormat {
  return exceptions[name] ?? exceptions[name.replace(/\.\d+(?=\.)/, '')] ?? weights;
}

/** Reads and converts a weight once, for a graph that lays its parts down separately. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** [rows, columns] row-major to [columns, rows], in blocks that stay in the cache. */
function transpose<T extends Float32Array | Int8Array>(matrix: T, rows: number, columns: number, into: T): T {
  const block = 32;
  for (let r0 = 0; r0 < rows; r0 += block) {
    for (let c0 = 0; c0 < columns; c0 += block) {
      for (let r = r0; r < Math.min(r0 + block, rows); r++) {
        for (let c = c0; c < Math.min(c0 + block, columns); c++) {
          into[c * rows + r] = matrix[r * columns + c] as number;
        }
      }
    }
  }
  return into;
}

/** int8 rows with a scale each: row = scale * quantised, symmetric, the largest value becoming 127. */
export function quantizeRows(
  matrix: Float32Array,
  columns: number,
): { readonly quantized: Int8Array; readonly scales: Float32Array } {
  const rows = matrix.length / columns;
  const quantized = new Int8Array(matrix.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * columns;
    let largest = 0;
    for (let i = row * columns; i < end; i++) {
      const value = matrix[i] as number;
      if (value > largest) largest = value;
      else if (-value > largest) largest = -value;
    }
    // a row of zeros keeps a usable scale
    scales[row] = largest === 0 ? 1 : largest / 127;
    const steps = largest === 0 ? 0 : 127 / largest;
    for (let i = row * columns; i < end; i++) quantized[i] = Math.round((matrix[i] as number) * steps);
  }
  return { quantized, scales };
}

/** The rows of several [out, in] matrices, one after the other. */
function stack(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0] as Float32Array;
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A matrix laid down in a graph, ready to be multiplied with. */
export type PlacedMatrix =
  | { readonly format: 'fp32'; readonly columns: Value }
  | { readonly format: 'int8'; readonly columns: Value; readonly scales: Value };

/**
 * Lays `rows()` [outs, ins] down as [ins, outs]. Nothing is read before the graph is written.
 */
export function placeMatrix(
  graph: GraphBuilder,
  name: string,
  dims: { readonly outs: number; readonly ins: number },
  rows: () => Float32Array,
  options: WeightOptions,
): PlacedMatrix {
  const { outs, ins } = dims;
  const format = formatOf(name, options);
  if (format === 'fp32') {
    const source = () => {
      const matrix = rows();
      return transpose(matrix, outs, ins, new Float32Array(matrix.length));
    };
    return { format, columns: graph.weight('weight', 'float32', [ins, outs], source) };
  }
  const quantize = once(() => {
    const { quantized, scales } = quantizeRows(rows(), ins);
    return { columns: transpose(quantized, outs, ins, new Int8Array(quantized.length)), scales };
  });
  return {
    format,
    columns: graph.weight('weight', 'int8', [ins, outs], () => quantize().columns),
    scales: graph.weight('scales', 'float32', [outs], () => quantize().scales),
  };
}

/** x [.., ins] times a placed matrix, plus `bias` [outs]. */
export function multiply(graph: GraphBuilder, x: Value, matrix: PlacedMatrix, bias?: Value): Value {
  if (matrix.format === 'int8') return graph.dynamicQuantizeMatMul(x, matrix.columns, matrix.scales, bias);
  const product = graph.matMul(x, matrix.columns);
  return bias === undefined ? product : graph.add(product, bias);
}

/**
 * The linear layers `parts` as one product: x [.., ins] to [.., sum of outs]. A part without a bias has zeros there.
 * `arrange` rearranges the stacked rows [outs, ins] (convolutions, which are [outs, ins / 3, 3] in the checkpoint).
 */
export function applyLinear(
  graph: GraphBuilder,
  name: string,
  x: Value,
  parts: readonly Linear[],
  options: WeightOptions,
  arrange: (rows: Float32Array) => Float32Array = (rows) => rows,
): Value {
  return graph.scope(name, () => {
    const outs = parts.reduce((sum, { weight }) => sum + (weight.dims[0] as number), 0);
    const ins = (parts[0] as Linear).weight.dims.slice(1).reduce((product, dim) => product * dim, 1);
    const rows = () => arrange(stack(parts.map(({ weight }) => weight.read())));
    const matrix = placeMatrix(graph, name, { outs, ins }, rows, options);
    const biasOf = ({ bias, weight }: Linear) => bias?.read() ?? new Float32Array(weight.dims[0] as number);
    const bias = parts.some((part) => part.bias !== undefined)
      ? graph.weight('bias', 'float32', [outs], () => stack(parts.map(biasOf)))
      : undefined;
    return multiply(graph, x, matrix, bias);
  });
}

export function placeWeight(graph: GraphBuilder, name: string, weight: Weight): Value {
  return graph.weight(name, 'float32', weight.dims, weight.read);
}
