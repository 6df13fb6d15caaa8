/**
 * The weights of Silero VAD v6 for 16 kHz, read from the published graph, and the matrices they are laid out in.
 */
import { Fault } from '../../daemon/faults.ts';
import { decodeModel, type OnnxGraph, type OnnxModel, type OnnxTensor } from '../graph/onnx.ts';

/** A matrix, row-major. */
export type Matrix = { readonly rows: number; readonly columns: number; readonly data: Float32Array };

export type SileroWeights = {
  /** The weight of that name, which must have these dimensions. */
  readonly tensor: (name: string, ...dims: readonly number[]) => Float32Array;
  /** A convolution of width 3: `tap(k)` maps the inputs at position k - 1 to the outputs. */
  readonly convolution: (
    layer: number,
    inputs: number,
    outputs: number,
  ) => { readonly tap: (k: number) => Matrix; readonly bias: Float32Array };
};

/** Reads the published graph. Throws `Fault` MODEL_UNSUPPORTED, here or when asked, if that is another network. */
export function readSilero(published: Uint8Array): SileroWeights {
  const weights = namedConstants(branchFor16k(decodeModel(published)));
  const tensor = (name: string, ...dims: number[]): Float32Array => {
    const found = weights.get(name);
    if (found === undefined || found.dims.join() !== dims.join() || found.data.kind !== 'inline') {
      throw unknownNetwork(`${name} is [${found?.dims ?? ''}], expected [${dims}]`);
    }
    // a copy, because the bytes lie anywhere in the file and floats must be aligned
    return new Float32Array(new Uint8Array(found.data.bytes).buffer);
  };
  const convolution = (layer: number, inputs: number, outputs: number) => {
    const name = `encoder.${layer}.reparam_conv`;
    const weight = tensor(`${name}.weight`, outputs, inputs, 3);
    return {
      tap: (k: number): Matrix => matrix(inputs, outputs, (i, o) => weight[(o * inputs + i) * 3 + k] ?? 0),
      bias: tensor(`${name}.bias`, outputs),
    };
  };
  return { tensor, convolution };
}

export function unknownNetwork(what: string): Fault {
  return new Fault(
    'MODEL_UNSUPPORTED',
    `the graph is not Silero VAD v6: ${what}`,
    'models/vad/ is written for this one version: keep to the pinned package',
  );
}

/** The network for 16 kHz: what the outermost If does when the rate is the constant it compares with. */
function branchFor16k(model: OnnxModel): OnnxGraph {
  const branch = model.graph.nodes.find((node) => node.operator === 'If')?.attributes['then_branch'];
  if (branch?.kind !== 'graph') throw unknownNetwork('it has no If with a then_branch');
  return branch.value;
}

/** Constants by the name they had before they were put into the branch. */
function namedConstants(graph: OnnxGraph): Map<string, OnnxTensor> {
  const constants = new Map<string, OnnxTensor>();
  for (const node of graph.nodes) {
    const value = node.attributes['value'];
    const name = node.outputs[0]?.split('Inline_0__').at(-1);
    if (node.operator === 'Constant' && value?.kind === 'tensor' && name !== undefined) {
      constants.set(name, value.value);
    }
  }
  return constants;
}

export function matrix(rows: number, columns: number, at: (row: number, column: number) => number): Matrix {
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) data[row * columns + column] = at(row, column);
  }
  return { rows, columns, data };
}

/** Matrices of equal width, one below the other. */
export function below(parts: readonly Matrix[]): Matrix {
  const columns = parts[0]?.columns ?? 0;
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { rows: data.length / columns, columns, data };
}

export function beside(left: Matrix, right: Matrix): Matrix {
  const columns = left.columns + right.columns;
  return matrix(left.rows, columns, (row, column) =>
    column < left.columns
      ? (left.data[row * left.columns + column] ?? 0)
      : (right.data[row * right.columns + column - left.columns] ?? 0),
  );
}
