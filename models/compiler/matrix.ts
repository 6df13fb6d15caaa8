/**
 * Every matrix product of a fused graph is made here, so that its number format is one decision. Weights are
 * [out, in] in the checkpoint. They are read and converted some rows at a time, while the graph is written.
 *
 * fp32      [in, out]
 * int8      [in, out], a scale for each output; the input is quantised as a whole. Best for many rows of input
 * int4      [out, in] in blocks of 32 inputs with a scale each; the input is quantised by blocks. Best for one row of
 *           input, where reading the weights is all the work
 * int4-128  the same in blocks of 128: a fifth fewer bytes, more error
 */
import { Fault } from '../../daemon/faults.ts';
import type { GraphBuilder, Value } from '../graph/builder.ts';
import type { Linear, Weight } from './architecture.ts';
import { quantizeBlocks, quantizeRows } from './quantize.ts';

export const weightFormats = ['fp32', 'int8', 'int4', 'int4-128'] as const;
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

/** Half of the model a role belongs to: its matrices are large products, or read for one token at a time. */
export const modelParts = ['encoder', 'decoder'] as const;

/** Of a role; a part is its own. */
export function partOf(role: string): string {
  if (modelParts.some((part) => part === role)) return role;
  return role.startsWith('decoder.') || role === 'head' || role === 'embedding' ? 'decoder' : 'encoder';
}

export type WeightOptions = {
  readonly weights: WeightFormat;
  /** Formats by part, by role, or by layer and role; the more precise name wins. */
  readonly exceptions: Readonly<Record<string, WeightFormat>>;
  /** int8 weights are stored as uint8, 128 more each: the same products. For processors that have no others. */
  readonly unsigned?: boolean;
};

/** Throws `Fault` USAGE_INVALID for a name that no matrix has or a format that does not exist. */
export function checkWeightOptions({ weights, exceptions = {} }: Partial<WeightOptions>): void {
  for (const [name, format] of [['weights', weights], ...Object.entries(exceptions)]) {
    if (format !== undefined && !weightFormats.some((known) => known === format)) {
      throw new Fault(
        'USAGE_INVALID',
        `${name} is '${format}', expected one of ${weightFormats.join(', ')}`,
        'correct the weight format',
      );
    }
  }
  for (const name of Object.keys(exceptions)) {
    const role = name.replace(/\.\d+(?=\.)/, '');
    if (![...modelParts, ...matrixRoles].some((known) => known === role)) {
      throw new Fault(
        'USAGE_INVALID',
        `no matrix is called '${name}', expected one of ${[...modelParts, ...matrixRoles].join(', ')}`,
        'name a single layer as in encoder.0.up',
      );
    }
  }
}

/** The format of the matrix called `name`, with its layer if it is one of many. */
export function formatOf(name: string, { weights, exceptions }: WeightOptions): WeightFormat {
  const role = name.replace(/\.\d+(?=\.)/, '');
  return exceptions[name] ?? exceptions[role] ?? exceptions[partOf(role)] ?? weights;
}

/** Rows [outs, ins], some at a time. */
export type Rows = {
  readonly outs: number;
  readonly ins: number;
  readonly blocks: () => Iterable<{ readonly first: number; readonly values: Float32Array }>;
};

/** 1 MB of float32: enough to keep the disk busy, and what waits to be collected is little. */
const valuesAtOnce = 1 << 18;

/** The rows of several [outs, ...ins], one after the other; `arrange` changes the order of values within each row. */
export function rowsOf(
  parts: readonly Weight[],
  arrange: (rows: Float32Array) => Float32Array = (rows) => rows,
): Rows {
  const outs = parts.reduce((sum, { dims }) => sum + (dims[0] as number), 0);
  const ins = (parts[0] as Weight).dims.slice(1).reduce((product, dim) => product * dim, 1);
  const rowsAtOnce = Math.max(1, Math.floor(valuesAtOnce / ins));
  function* blocks() {
    let before = 0;
    for (const { dims, read } of parts) {
      const rows = dims[0] as number;
      for (let row = 0; row < rows; row += rowsAtOnce) {
        const count = Math.min(rowsAtOnce, rows - row);
        yield { first: before + row, values: arrange(read(row * ins, count * ins)) };
      }
      before += rows;
    }
  }
  return { outs, ins, blocks };
}

/** Writes [rows, columns] row-major to the columns from `at` on of `into` [columns, stride], in blocks that stay in the cache. */
function transpose<T extends Float32Array | Int8Array>(
  matrix: T,
  columns: number,
  into: T,
  stride: number,
  at: number,
): void {
  const rows = matrix.length / columns;
  const block = 32;
  for (let r0 = 0; r0 < rows; r0 += block) {
    for (let c0 = 0; c0 < columns; c0 += block) {
      for (let r = r0; r < Math.min(r0 + block, rows); r++) {
        for (let c = c0; c < Math.min(c0 + block, columns); c++) {
          into[c * stride + at + r] = matrix[r * columns + c] as number;
        }
      }
    }
  }
}

type Quantized = {
  /** The numbers, in the order they are written. */
  readonly numbers: () => Generator<Int8Array | Uint8Array>;
  readonly scales: () => Float32Array;
};

/**
 * Scales fall off while the numbers are made and are written after them: they are kept, the numbers are not.
 * `convert` answers what to write now, or nothing where it collects.
 */
function quantized(
  rows: Rows,
  scalesPerRow: number,
  convert: (
    values: Float32Array,
    first: number,
  ) => { readonly numbers?: Int8Array | Uint8Array; readonly scales: Float32Array },
): Quantized {
  let kept: Float32Array | undefined;
  function* numbers() {
    const scales = new Float32Array(rows.outs * scalesPerRow);
    for (const { first, values } of rows.blocks()) {
      const made = convert(values, first);
      scales.set(made.scales, first * scalesPerRow);
      if (made.numbers !== undefined) yield made.numbers;
    }
    kept = scales;
  }
  return {
    numbers,
    scales: () => {
      // asked for before the numbers were written: made for their sake
      if (kept === undefined) for (const _ of numbers());
      return kept as Float32Array;
    },
  };
}

/** int8 rows in their order, for looking up. */
export function quantizedRows(rows: Rows): Quantized {
  return quantized(rows, 1, (values) => {
    const { quantized, scales } = quantizeRows(values, rows.ins);
    return { numbers: quantized, scales };
  });
}

/** The zero of numbers that are stored as unsigned ones. */
const unsignedZero = 128;

/** int8 as columns [ins, outs], for multiplying with; as uint8 if `unsigned`. */
function quantizedColumns(rows: Rows, unsigned: boolean): Quantized {
  let columns: Int8Array | undefined;
  const collected = quantized(rows, 1, (values, first) => {
    columns ??= new Int8Array(rows.ins * rows.outs);
    const { quantized, scales } = quantizeRows(values, rows.ins);
    transpose(quantized, rows.ins, columns, rows.outs, first);
    return { scales };
  });
  function* numbers() {
    yield* collected.numbers();
    const made = columns as Int8Array;
    columns = undefined;
    if (unsigned) for (let i = 0; i < made.length; i++) made[i] = (made[i] as number) ^ unsignedZero;
    yield made;
  }
  return { numbers, scales: collected.scales };
}

/** A matrix laid down in a graph, ready to be multiplied with. */
export type PlacedMatrix =
  | { readonly format: 'fp32'; readonly columns: Value }
  | {
      readonly format: 'int8';
      readonly columns: Value;
      readonly scales: Value;
      /** Of unsigned numbers. */
      readonly zero?: Value;
    }
  | {
      readonly format: 'int4';
      readonly packed: Value;
      readonly scales: Value;
      readonly dims: { readonly ins: number; readonly outs: number; readonly block: number };
    };

/** Lays `rows` down in the format that `name` has. Nothing is read before the graph is written. */
export function placeMatrix(
  graph: GraphBuilder,
  name: string,
  rows: Rows,
  options: WeightOptions,
): PlacedMatrix {
  const { outs, ins } = rows;
  const format = formatOf(name, options);
  if (format === 'fp32') {
    const source = () => {
      const columns = new Float32Array(ins * outs);
      for (const { first, values } of rows.blocks()) transpose(values, ins, columns, outs, first);
      return columns;
    };
    return { format, columns: graph.weight('weight', 'float32', [ins, outs], source) };
  }
  if (format === 'int8') {
    const unsigned = options.unsigned === true;
    const { numbers, scales } = quantizedColumns(rows, unsigned);
    return {
      format,
      columns: graph.weight('weight', unsigned ? 'uint8' : 'int8', [ins, outs], numbers),
      scales: graph.weight('scales', 'float32', [outs], scales),
      ...(unsigned ? { zero: graph.constant(Uint8Array.of(unsignedZero), []) } : {}),
    };
  }
  const block = format === 'int4' ? 32 : 128;
  const blocks = Math.ceil(ins / block);
  const { numbers, scales } = quantized(rows, blocks, (values) => {
    const made = quantizeBlocks(values, ins, block);
    return { numbers: made.packed, scales: made.scales };
  });
  return {
    format: 'int4',
    packed: graph.weight('weight', 'uint8', [outs, blocks, block / 2], numbers),
    scales: graph.weight('scales', 'float32', [outs, blocks], scales),
    dims: { ins, outs, block },
  };
}

/** x [.., ins] times a placed matrix, plus `bias` [outs]. */
export function multiply(graph: GraphBuilder, x: Value, matrix: PlacedMatrix, bias?: Value): Value {
  if (matrix.format === 'int8') return graph.dynamicQuantizeMatMul(x, matrix, bias);
  if (matrix.format === 'int4') return graph.matMulFourBits(x, matrix, matrix.dims, bias);
  const product = graph.matMul(x, matrix.columns);
  return bias === undefined ? product : graph.add(product, bias);
}

/**
 * The linear layers `parts` as one product: x [.., ins] to [.., sum of outs]. A part without a bias has zeros there.
 * `arrange` rearranges rows (convolutions, which are [outs, ins / 3, 3] in the checkpoint).
 */
export function applyLinear(
  graph: GraphBuilder,
  name: string,
  x: Value,
  parts: readonly Linear[],
  options: WeightOptions,
  arrange?: (rows: Float32Array) => Float32Array,
): Value {
  return graph.scope(name, () => {
    const weights = parts.map(({ weight }) => weight);
    const rows = rowsOf(weights, arrange);
    const matrix = placeMatrix(graph, name, rows, options);
    const biases = parts.map(
      ({ bias, weight }) =>
        () =>
          bias?.read() ?? new Float32Array(weight.dims[0] ?? 0),
    );
    const bias = parts.some((part) => part.bias !== undefined)
      ? graph.weight('bias', 'float32', [rows.outs], () => biases.map((read) => read()))
      : undefined;
    return multiply(graph, x, matrix, bias);
  });
}

/** A weight as it is in the checkpoint, in float32. */
export function placeWeight(graph: GraphBuilder, name: string, weight: Weight): Value {
  return graph.weight(name, 'float32', weight.dims, function* () {
    for (const { values } of rowsOf([weight]).blocks()) yield values;
  });
}
