/**
 * What exporters and quantisers do to a graph after it is built: weights into the file, transposed weights folded,
 * products in integers. Done here on plain data, so that peers get the graphs their own tools would have made.
 */
import { writeFileSync } from 'node:fs';
import type { BuiltGraph } from '../../models/graph/builder.ts';
import {
  encodeModel,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../../models/graph/onnx.ts';

/** The model with its weights inside, as exporters write what is below 2 GB. */
export function withWeightsInside({ model, weights, weightsByteLength }: BuiltGraph): OnnxModel {
  const all = new Uint8Array(weightsByteLength);
  let at = 0;
  for (const chunk of weights()) {
    all.set(chunk, at);
    at += chunk.length;
  }
  const initializers = model.graph.initializers.map((tensor): OnnxTensor => {
    if (tensor.data.kind === 'inline') return tensor;
    const { offset, byteLength } = tensor.data;
    return { ...tensor, data: { kind: 'inline', bytes: all.subarray(offset, offset + byteLength) } };
  });
  return { ...model, graph: { ...model.graph, initializers } };
}

export function writeModel(file: string, model: OnnxModel): void {
  writeFileSync(file, encodeModel(model));
}

function bytesOf(tensor: OnnxTensor): Uint8Array {
  if (tensor.data.kind !== 'inline') throw new Error(`${tensor.name} lies in a file of its own`);
  return tensor.data.bytes;
}

function floatsOf(tensor: OnnxTensor): Float32Array {
  return new Float32Array(bytesOf(tensor).slice().buffer);
}

const inline = (name: string, type: OnnxTensor['type'], dims: readonly number[], data: ArrayBufferView) =>
  ({
    name,
    type,
    dims,
    data: { kind: 'inline', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
  }) as const satisfies OnnxTensor;

/** A matrix that a graph transposes at every run becomes a transposed matrix (torch.onnx: constant folding). */
export function foldTransposed(graph: OnnxGraph): OnnxGraph {
  const known = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const added: OnnxTensor[] = [];
  const nodes = graph.nodes.filter((node) => {
    const matrix = known.get(node.inputs[0] ?? '');
    if (node.operator !== 'Transpose' || matrix?.dims.length !== 2) return true;
    const [rows = 0, columns = 0] = matrix.dims;
    const from = floatsOf(matrix);
    const to = new Float32Array(from.length);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c] as number;
    }
    added.push(inline(node.outputs[0] ?? '', 'float32', [columns, rows], to));
    return false;
  });
  return { ...graph, nodes, initializers: [...graph.initializers, ...added] };
}

export type QuantizeOptions = {
  readonly operators: readonly ('MatMul' | 'Gather' | 'Conv')[];
  readonly weights: 'int8' | 'uint8';
};

type Quantized = { readonly value: string; readonly scale: string; readonly zeroPoint: string };

/** One scale for the whole tensor: int8 symmetric, uint8 from the least to the largest value, zero included. */
function quantizeTensor(tensor: OnnxTensor, type: 'int8' | 'uint8') {
  const values = floatsOf(tensor);
  let [least, largest] = [0, 0];
  for (const value of values) {
    if (value < least) least = value;
    if (value > largest) largest = value;
  }
  const signed = type === 'int8';
  const scale = (signed ? Math.max(-least, largest) / 127 : (largest - least) / 255) || 1;
  const zeroPoint = signed ? 0 : Math.round(-least / scale);
  const data = signed ? new Int8Array(values.length) : new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    data[i] = Math.min(signed ? 127 : 255, Math.round((values[i] as number) / scale) + zeroPoint);
  }
  return { data, scale, zeroPoint };
}

/**
 * onnxruntime's `quantize_dynamic`: weights quantised per tensor, activations as they come, sums scaled back.
 * Source: onnxruntime/python/tools/quantization/operators/{matmul,conv,gather}.py, `IntegerOps`.
 */
export function quantizeDynamic(graph: OnnxGraph, options: QuantizeOptions): OnnxGraph {
  const known = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const added = new Map<string, OnnxTensor>();
  const replaced = new Set<string>();
  const activations = new Map<string, Quantized>();
  const nodes: OnnxNode[] = [];
  const emit = (
    operator: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: OnnxNode['attributes'] = {},
  ) => nodes.push({ name: `${outputs[0]}/${operator}`, operator, domain: '', inputs, outputs, attributes });

  const weight = (tensor: OnnxTensor): Quantized => {
    const names = {
      value: `${tensor.name}_quantized`,
      scale: `${tensor.name}_scale`,
      zeroPoint: `${tensor.name}_zero_point`,
    };
    replaced.add(tensor.name);
    if (added.has(names.value)) return names;
    const { data, scale, zeroPoint } = quantizeTensor(tensor, options.weights);
    const zero = options.weights === 'int8' ? Int8Array.of(zeroPoint) : Uint8Array.of(zeroPoint);
    added.set(names.value, inline(names.value, options.weights, tensor.dims, data));
    added.set(names.scale, inline(names.scale, 'float32', [], Float32Array.of(scale)));
    added.set(names.zeroPoint, inline(names.zeroPoint, options.weights, [], zero));
    return names;
  };
  const activation = (name: string): Quantized => {
    let names = activations.get(name);
    if (names === undefined) {
      names = { value: `${name}_quantized`, scale: `${name}_scale`, zeroPoint: `${name}_zero_point` };
      emit('DynamicQuantizeLinear', [name], [names.value, names.scale, names.zeroPoint]);
      activations.set(name, names);
    }
    return names;
  };
  /** Sums in int32 to float32. */
  const rescale = (sums: string, x: Quantized, w: Quantized, output: string) => {
    emit('Cast', [sums], [`${sums}_float`], { to: { kind: 'int', value: 1n } });
    emit('Mul', [x.scale, w.scale], [`${sums}_scale`]);
    emit('Mul', [`${sums}_float`, `${sums}_scale`], [output]);
  };

  for (const node of graph.nodes) {
    const [first = '', second = '', third] = node.inputs;
    const [output = ''] = node.outputs;
    const tensor = known.get(node.operator === 'Gather' ? first : second);
    const wanted = options.operators.some((operator) => operator === node.operator);
    if (!wanted || tensor?.type !== 'float32') {
      nodes.push(node);
      continue;
    }
    const w = weight(tensor);
    if (node.operator === 'Gather') {
      nodes.push({ ...node, inputs: [w.value, second], outputs: [`${output}_quantized`] });
      emit('DequantizeLinear', [`${output}_quantized`, w.scale, w.zeroPoint], [output]);
      continue;
    }
    const x = activation(first);
    const sums = `${output}_sums`;
    const inputs = [x.value, w.value, x.zeroPoint, w.zeroPoint];
    nodes.push({ ...node, operator: `${node.operator}Integer`, inputs, outputs: [sums] });
    if (third === undefined) {
      rescale(sums, x, w, output);
      continue;
    }
    rescale(sums, x, w, `${output}_unbiased`);
    const bias = known.get(third);
    if (bias === undefined) throw new Error(`${third} is no weight`);
    // broadcast over time
    added.set(`${third}_column`, { ...bias, name: `${third}_column`, dims: [1, ...bias.dims, 1] });
    emit('Add', [`${output}_unbiased`, `${third}_column`], [output]);
  }
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const initializers = [...graph.initializers, ...added.values()].filter(
    ({ name }) => used.has(name) || !replaced.has(name),
  );
  return { ...graph, nodes, initializers };
}
