/**
 * Two decoders as one file, the way Hugging Face Optimum merges them (optimum/onnx/graph_transformations.py,
 * `merge_decoders`): an If on `use_cache_branch`, weights that both branches use outside it, and, where the branch with
 * the cache has no output to match the other's, a constant of no elements.
 */
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../../models/graph/onnx.ts';

/** Smaller constants stay with their branch: their names are numbers, and mean different things in each. */
const sharedFromBytes = 1024;

const byteLength = ({ data }: OnnxTensor): number =>
  data.kind === 'inline' ? data.bytes.length : data.byteLength;

const noElements = (output: OnnxValue): OnnxNode => ({
  name: `${output.name}/Constant`,
  operator: 'Constant',
  domain: '',
  inputs: [],
  outputs: [output.name],
  attributes: {
    value: {
      kind: 'tensor',
      value: {
        name: '',
        type: 'float32',
        dims: output.dims.map((dim, axis) => (axis === 0 ? 0 : typeof dim === 'number' ? dim : 1)),
        data: { kind: 'inline', bytes: new Uint8Array(0) },
      },
    },
  },
});

/** The branch's graph, its outputs renamed: an inner name may not be one of the outer graph's. */
function branch(graph: OnnxGraph, outputs: readonly OnnxValue[], suffix: string, shared: Set<string>) {
  const has = new Set(graph.outputs.map(({ name }) => name));
  const missing = outputs.filter(({ name }) => !has.has(name));
  const rename = (name: string) => (outputs.some((output) => output.name === name) ? name + suffix : name);
  const nodes = [...graph.nodes, ...missing.map(noElements)].map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  return {
    ...graph,
    name: graph.name + suffix,
    nodes,
    initializers: graph.initializers.filter(({ name }) => !shared.has(name)),
    inputs: [],
    outputs: outputs.map((output) => ({
      ...output,
      name: output.name + suffix,
      dims: output.dims.map(() => undefined),
    })),
  };
}

export function mergeDecoders(first: OnnxModel, withPast: OnnxModel): OnnxModel {
  const inSecond = new Map(withPast.graph.initializers.map((tensor) => [tensor.name, byteLength(tensor)]));
  const sharedTensors = first.graph.initializers.filter(
    (tensor) => byteLength(tensor) >= sharedFromBytes && inSecond.get(tensor.name) === byteLength(tensor),
  );
  const shared = new Set(sharedTensors.map(({ name }) => name));
  const inputs = new Map(
    [...first.graph.inputs, ...withPast.graph.inputs].map((input) => [input.name, input]),
  );
  const ids = inputs.get('input_ids') as OnnxValue;
  inputs.set('input_ids', { ...ids, dims: [1, 'S'] });
  inputs.set('use_cache_branch', { name: 'use_cache_branch', type: 'bool', dims: [1] });
  const outputs = first.graph.outputs.map((output) => ({
    ...output,
    // an encoder's keys and values are absent, of no elements, from the second step on
    dims: output.dims.map((dim, axis) => (typeof dim === 'number' && axis > 0 ? dim : undefined)),
  }));
  const node: OnnxNode = {
    name: 'use_cache',
    operator: 'If',
    domain: '',
    inputs: ['use_cache_branch'],
    outputs: outputs.map(({ name }) => name),
    attributes: {
      then_branch: { kind: 'graph', value: branch(withPast.graph, outputs, '_with_past', shared) },
      else_branch: { kind: 'graph', value: branch(first.graph, outputs, '_first', shared) },
    },
  };
  return {
    ...first,
    graph: {
      ...first.graph,
      name: 'decoder merged',
      nodes: [node],
      initializers: sharedTensors,
      inputs: [...inputs.values()],
      outputs,
    },
  };
}
