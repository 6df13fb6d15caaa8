/**
 * Builds an ONNX graph node by node. A helper for each operator in use: its name and attributes are those of the
 * operator (https://onnx.ai/onnx/operators/, and com.microsoft's in onnxruntime's docs/ContribOperators.md), its
 * answer the value to go on with. Weights go to one file beside the graph, so that they are mapped, not copied.
 */
import {
  type ElementType,
  encodeModel,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
  tensorByteLength,
} from './onnx.ts';

/** An output of a node, an input of the graph, or a constant. */
export type Value = { readonly name: string };

export type ConstantArray = Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;

/** A weight, whole or part by part, made when it is written: a model is not held in memory twice, or even once. */
export type WeightSource = () => ConstantArray | Iterable<ConstantArray>;

type AttributeValue = OnnxAttribute | number | string;

export type NodeOptions = {
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
};

/** What a round of a loop hands to the next. Its shape may change on the way: unknown dimensions are undefined. */
export type Carried = { readonly value: Value; readonly type: ElementType; readonly dims: OnnxValue['dims'] };

/** What a round of a loop comes to. */
export type Round = {
  /** bool []: whether there is another round. */
  readonly goesOn: Value;
  /** As many as were carried in, in their order. */
  readonly carried: readonly Value[];
  /** Of every round, side by side in the end. */
  readonly collected: readonly Omit<Carried, 'dims'>[];
};

export type BuiltGraph = {
  readonly model: OnnxModel;
  /** The .onnx file. */
  readonly bytes: Uint8Array;
  /** The file of weights, chunk by chunk, in the order and at the offsets the graph names. */
  readonly weights: () => Generator<Uint8Array>;
  readonly weightsByteLength: number;
};

const microsoft = 'com.microsoft';
/** Operator set 20 brought Gelu; IR 10 is what ONNX Runtime has read since 1.18. */
const opsetVersion = 20;
const irVersion = 10;
/** A cache line, and the widest vector: kernels read mapped weights where they lie. */
const weightAlignment = 64;
/** Smaller constants stay in the graph, where shape inference sees them. */
const externalFromBytes = 1024;

export const ints = (value: readonly number[]): OnnxAttribute => ({ kind: 'ints', value: value.map(BigInt) });
const float = (value: number): OnnxAttribute => ({ kind: 'float', value });

function toAttribute(value: AttributeValue): OnnxAttribute {
  if (typeof value === 'number') return { kind: 'int', value: BigInt(value) };
  if (typeof value === 'string') return { kind: 'string', value };
  return value;
}

function typeOf(data: ConstantArray): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof Int8Array ? 'int8' : 'uint8';
}

function bytesOf(data: ConstantArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function* partsOf(source: WeightSource): Generator<Uint8Array> {
  const made = source();
  if (ArrayBuffer.isView(made)) yield bytesOf(made);
  else for (const part of made as Iterable<ConstantArray>) yield bytesOf(part);
}

/** The node with another name for a value, in the graphs inside of it too. */
function renamed(node: OnnxNode, from: string, to: string): OnnxNode {
  const rename = (name: string) => (name === from ? to : name);
  const attributes = Object.entries(node.attributes).map(([key, attribute]): [string, OnnxAttribute] => {
    if (attribute.kind !== 'graph') return [key, attribute];
    const nodes = attribute.value.nodes.map((inner) => renamed(inner, from, to));
    return [key, { kind: 'graph', value: { ...attribute.value, nodes } }];
  });
  return {
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: Object.fromEntries(attributes),
  };
}

type PendingWeight = { readonly offset: number; readonly byteLength: number; readonly source: WeightSource };

export class GraphBuilder {
  readonly #name: string;
  readonly #weightsFile: string;
  #nodes: OnnxNode[] = [];
  #initializers: OnnxTensor[] = [];
  /** Where weights go: into the graph being built, or one around it. */
  #weightHome = this.#initializers;
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  readonly #weights: PendingWeight[] = [];
  #constants = new Map<string, Value>();
  readonly #names = new Map<string, number>();
  #weightsByteLength = 0;
  #constantCount = 0;
  #scope = '';

  /** `name` names the graph; its weights go to `weightsFile`, in the directory of the .onnx file. */
  constructor(name: string, weightsFile: string) {
    this.#name = name;
    this.#weightsFile = weightsFile;
  }

  #unique(base: string): string {
    const full = this.#scope === '' ? base : `${this.#scope}/${base}`;
    const used = this.#names.get(full) ?? 0;
    this.#names.set(full, used + 1);
    return used === 0 ? full : `${full}_${used}`;
  }

  /** Names made inside `build` begin with `name/`: profiles and errors then say where they are. */
  scope<T>(name: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = outer === '' ? name : `${outer}/${name}`;
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }

  input(name: string, type: ElementType, dims: OnnxValue['dims']): Value {
    this.#names.set(name, 1);
    this.#inputs.push({ name, type, dims });
    return { name };
  }

  /** Makes `value` an output called `name`, by renaming what the node that produces it calls it. */
  output(name: string, value: Value, type: ElementType, dims: OnnxValue['dims']): void {
    const producer = this.#nodes.findIndex((node) => node.outputs.includes(value.name));
    if (producer < 0)
      throw new Error(`${value.name} is no output of a node, so it cannot be the output ${name}`);
    if (this.#outputs.some((output) => output.name === value.name)) {
      throw new Error(`${value.name} is an output already and cannot be called ${name} too`);
    }
    for (let i = producer; i < this.#nodes.length; i++) {
      this.#nodes[i] = renamed(this.#nodes[i] as OnnxNode, value.name, name);
    }
    this.#outputs.push({ name, type, dims });
  }

  /** A weight of `dims`, made by `source` when the graph is written; it lies in the weights file. */
  weight(name: string, type: ElementType, dims: readonly number[], source: WeightSource): Value {
    const byteLength = tensorByteLength(type, dims);
    const unique = this.#unique(name);
    if (byteLength < externalFromBytes) {
      const bytes = Buffer.concat([...partsOf(source)]);
      this.#weightHome.push({ name: unique, type, dims, data: { kind: 'inline', bytes } });
      return { name: unique };
    }
    const offset = Math.ceil(this.#weightsByteLength / weightAlignment) * weightAlignment;
    this.#weightsByteLength = offset + byteLength;
    this.#weights.push({ offset, byteLength, source });
    const data = { kind: 'external', location: this.#weightsFile, offset, byteLength } as const;
    this.#weightHome.push({ name: unique, type, dims, data });
    return { name: unique };
  }

  /** A small constant inside the graph; equal ones are one. */
  constant(data: ConstantArray, dims: readonly number[] = [data.length]): Value {
    const type = typeOf(data);
    const key = `${type}[${dims}] ${Buffer.from(bytesOf(data)).toString('base64')}`;
    let value = this.#constants.get(key);
    if (value === undefined) {
      // outside any scope: it is shared
      const name = `const_${this.#constantCount++}`;
      this.#initializers.push({ name, type, dims, data: { kind: 'inline', bytes: bytesOf(data).slice() } });
      value = { name };
      this.#constants.set(key, value);
    }
    return value;
  }

  int64s(...values: readonly number[]): Value {
    return this.constant(BigInt64Array.from(values, BigInt));
  }

  scalar(value: number): Value {
    return this.constant(Float32Array.of(value), []);
  }

  nodes(operator: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value[] {
    const name = this.#unique(operator);
    const count = options.outputs ?? 1;
    const outputs = Array.from({ length: count }, (_, i) => (count === 1 ? `${name}:0` : `${name}:${i}`));
    const attributes = Object.entries(options.attributes ?? {}).map(
      ([key, v]) => [key, toAttribute(v)] as const,
    );
    this.#nodes.push({
      name,
      operator,
      domain: options.domain ?? '',
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs,
      attributes: Object.fromEntries(attributes),
    });
    return outputs.map((output) => ({ name: output }));
  }

  node(operator: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value {
    return this.nodes(operator, inputs, options)[0] as Value;
  }

  // --- flow ---

  /** What `build` makes as a graph of its own, which sees the values of the outer one. */
  #inner(
    name: string,
    inputs: readonly OnnxValue[],
    weights: 'inside' | 'outside',
    build: () => readonly OnnxValue[],
  ): OnnxAttribute & { readonly kind: 'graph' } {
    const outer = {
      nodes: this.#nodes,
      initializers: this.#initializers,
      weightHome: this.#weightHome,
      constants: this.#constants,
    };
    this.#nodes = [];
    this.#initializers = [];
    if (weights === 'inside') this.#weightHome = this.#initializers;
    this.#constants = new Map();
    try {
      const outputs = build();
      const [nodes, initializers] = [this.#nodes, this.#initializers];
      const value: OnnxGraph = { name, nodes, initializers, inputs, outputs, values: [] };
      return { kind: 'graph', value };
    } finally {
      this.#nodes = outer.nodes;
      this.#initializers = outer.initializers;
      this.#weightHome = outer.weightHome;
      this.#constants = outer.constants;
    }
  }

  /**
   * Rounds of `round`, `most` (int64 []) at most. Answers what the last round carried, and what all collected,
   * [rounds, ..]. Weights that are used in rounds lie inside or outside of the loop: ONNX Runtime (1.30) lets go of the
   * file's copy of what it has packed only outside, and rewrites weights for a processor only inside.
   */
  loop(
    most: Value,
    carried: readonly Carried[],
    weights: 'inside' | 'outside',
    round: (carried: readonly Value[]) => Round,
  ): { readonly carried: Value[]; readonly collected: Value[] } {
    const named = (what: string): Value => ({ name: this.#unique(what) });
    const inside = carried.map(() => named('carried'));
    const typed = (values: readonly Value[]): OnnxValue[] =>
      carried.map(({ type, dims }, i) => ({ name: (values[i] as Value).name, type, dims }));
    let collects = 0;
    const body = this.#inner(
      'round',
      [
        { name: named('count').name, type: 'int64', dims: [] },
        { name: named('going').name, type: 'bool', dims: [] },
        ...typed(inside),
      ],
      weights,
      () => {
        const { goesOn, carried: out, collected } = round(inside);
        collects = collected.length;
        const kept = collected.map(({ value, type }): OnnxValue => ({ name: value.name, type, dims: [] }));
        return [{ name: goesOn.name, type: 'bool', dims: [] }, ...typed(out), ...kept];
      },
    );
    const outputs = this.nodes('Loop', [most, undefined, ...carried.map(({ value }) => value)], {
      attributes: { body },
      outputs: carried.length + collects,
    });
    return { carried: outputs.slice(0, carried.length), collected: outputs.slice(carried.length) };
  }

  /** `yes` or `no`, by `condition` (bool []): both answer as many values, made inside. */
  either(condition: Value, yes: () => readonly Value[], no: () => readonly Value[]): Value[] {
    const branch = (name: string, build: () => readonly Value[]) =>
      this.#inner(name, [], 'outside', () =>
        build().map(({ name }) => ({ name, type: undefined, dims: [] })),
      );
    const branches = { then_branch: branch('yes', yes), else_branch: branch('no', no) };
    const outputs = branches.then_branch.value.outputs.length;
    return this.nodes('If', [condition], { attributes: branches, outputs });
  }

  identity(x: Value): Value {
    return this.node('Identity', [x]);
  }

  // --- arithmetic ---

  add(a: Value, b: Value): Value {
    return this.node('Add', [a, b]);
  }
  sub(a: Value, b: Value): Value {
    return this.node('Sub', [a, b]);
  }
  mul(a: Value, b: Value): Value {
    return this.node('Mul', [a, b]);
  }
  div(a: Value, b: Value): Value {
    return this.node('Div', [a, b]);
  }
  pow(a: Value, b: Value): Value {
    return this.node('Pow', [a, b]);
  }
  sqrt(x: Value): Value {
    return this.node('Sqrt', [x]);
  }
  erf(x: Value): Value {
    return this.node('Erf', [x]);
  }
  log(x: Value): Value {
    return this.node('Log', [x]);
  }
  max(a: Value, b: Value): Value {
    return this.node('Max', [a, b]);
  }
  min(a: Value, b: Value): Value {
    return this.node('Min', [a, b]);
  }
  /** int64 [count]: 0, 1, 2 … `count` has no dimensions. */
  range(count: Value): Value {
    const [zero, one] = [0n, 1n].map((value) => this.constant(BigInt64Array.of(value), []));
    return this.node('Range', [zero, count, one]);
  }
  matMul(a: Value, b: Value): Value {
    return this.node('MatMul', [a, b]);
  }
  softmax(x: Value, axis = -1): Value {
    return this.node('Softmax', [x], { attributes: { axis } });
  }
  /** Over all axes, or the last one. `keep`: reduced axes stay as 1. */
  reduceMax(x: Value, axes: 'all' | 'last', keep: boolean): Value {
    const inputs = axes === 'all' ? [x] : [x, this.int64s(-1)];
    return this.node('ReduceMax', inputs, { attributes: { keepdims: keep ? 1 : 0 } });
  }
  reduceMean(x: Value, axis: number): Value {
    return this.node('ReduceMean', [x, this.int64s(axis)], { attributes: { keepdims: 1 } });
  }
  argMax(x: Value, axis: number): Value {
    return this.node('ArgMax', [x], { attributes: { axis, keepdims: 0 } });
  }
  /** The exact one, with the error function. */
  gelu(x: Value): Value {
    return this.node('Gelu', [x], { attributes: { approximate: 'none' } });
  }
  layerNormalization(x: Value, scale: Value, bias: Value, epsilon: number): Value {
    return this.node('LayerNormalization', [x, scale, bias], {
      attributes: { axis: -1, epsilon: float(epsilon) },
    });
  }
  conv(
    x: Value,
    weight: Value,
    bias: Value,
    options: { kernel: number; stride: number; pad: number },
  ): Value {
    return this.node('Conv', [x, weight, bias], {
      attributes: {
        kernel_shape: ints([options.kernel]),
        strides: ints([options.stride]),
        pads: ints([options.pad, options.pad]),
      },
    });
  }

  // --- shape ---

  shape(x: Value, axis: number): Value {
    return this.node('Shape', [x], { attributes: { start: axis, end: axis + 1 } });
  }
  cast(x: Value, to: 'float32' | 'int32' | 'int64'): Value {
    return this.node('Cast', [x], { attributes: { to: { float32: 1, int32: 6, int64: 7 }[to] } });
  }
  /** 0 keeps a dimension, -1 is what is left. */
  reshape(x: Value, dims: readonly number[]): Value {
    return this.node('Reshape', [x, this.int64s(...dims)]);
  }
  transpose(x: Value, perm: readonly number[]): Value {
    return this.node('Transpose', [x], { attributes: { perm: ints(perm) } });
  }
  concat(xs: readonly Value[], axis: number): Value {
    return this.node('Concat', xs, { attributes: { axis } });
  }
  split(x: Value, sizes: readonly number[], axis: number): Value[] {
    return this.nodes('Split', [x, this.int64s(...sizes)], { attributes: { axis }, outputs: sizes.length });
  }
  /** x[start:end:step] along `axis`; the ends may be values of the graph. */
  slice(x: Value, axis: number, start: number | Value, end: number | Value, step = 1): Value {
    const bound = (at: number | Value) => (typeof at === 'number' ? this.int64s(at) : at);
    return this.node('Slice', [x, bound(start), bound(end), this.int64s(axis), this.int64s(step)]);
  }
  gather(x: Value, indices: Value, axis: number): Value {
    return this.node('Gather', [x, indices], { attributes: { axis } });
  }
  unsqueeze(x: Value, axis: number): Value {
    return this.node('Unsqueeze', [x, this.int64s(axis)]);
  }
  squeeze(x: Value, axis: number): Value {
    return this.node('Squeeze', [x, this.int64s(axis)]);
  }
  /** `pads`: before each axis, then after each axis. */
  padReflect(x: Value, pads: readonly number[]): Value {
    return this.node('Pad', [x, this.int64s(...pads)], { attributes: { mode: 'reflect' } });
  }

  // --- com.microsoft ---

  /**
   * a [.., K] float32 times int8 columns [K, N], each with its own scale [N], or uint8 columns with a zero [] as well;
   * `a` is quantised to uint8 as it comes, over the whole tensor. Signed columns, where their sums are exact: the kernels
   * for unsigned ones take twice as long (x86 with VNNI) or are slower than float32 (Cortex-A72).
   */
  dynamicQuantizeMatMul(
    a: Value,
    b: { readonly columns: Value; readonly scales: Value; readonly zero?: Value },
    bias: Value | undefined,
  ): Value {
    const inputs = [a, b.columns, b.scales, b.zero, bias];
    while (inputs.at(-1) === undefined) inputs.pop();
    return this.node('DynamicQuantizeMatMul', inputs, { domain: microsoft });
  }
  /**
   * a [.., K] float32 times a matrix [K, N] of 4-bit numbers, as `quantizeBlocks` lays down its N rows; `a` is
   * quantised to int8 as it comes, each row by blocks. Accuracy level 4 is what the kernels exist for: level 0 takes
   * twenty times as long.
   */
  matMulFourBits(
    a: Value,
    b: { readonly packed: Value; readonly scales: Value },
    dims: { readonly ins: number; readonly outs: number; readonly block: number },
    bias: Value | undefined,
  ): Value {
    const inputs = [a, b.packed, b.scales];
    return this.node('MatMulNBits', bias === undefined ? inputs : [...inputs, undefined, undefined, bias], {
      domain: microsoft,
      attributes: { K: dims.ins, N: dims.outs, bits: 4, block_size: dims.block, accuracy_level: 4 },
    });
  }
  /**
   * Keys and values as [1, S, D], or as [1, H, S, W] when they were split into heads before (cross attention). Queries
   * are scaled by `scale`; left out, by 1 / sqrt(W).
   */
  multiHeadAttention(query: Value, key: Value, value: Value, heads: number, scale?: number): Value {
    return this.node('MultiHeadAttention', [query, key, value], {
      domain: microsoft,
      attributes: { num_heads: heads, ...(scale === undefined ? {} : { scale: float(scale) }) },
    });
  }
  /**
   * Causal attention of B texts over their caches [B, H, capacity, W]. `packed` holds query, key and value, [B, S, 3D],
   * `lastPosition` is [B]. Writes in place where the caches fed are the ones fetched. Answers [attended, presentKey,
   * presentValue].
   */
  groupQueryAttention(
    packed: Value,
    cache: { readonly key: Value; readonly value: Value },
    lastPosition: Value,
    totalTokens: Value,
    heads: number,
  ): [Value, Value, Value] {
    const inputs = [packed, undefined, undefined, cache.key, cache.value, lastPosition, totalTokens];
    return this.nodes('GroupQueryAttention', inputs, {
      domain: microsoft,
      attributes: { num_heads: heads, kv_num_heads: heads },
      outputs: 3,
    }) as [Value, Value, Value];
  }

  /** The graph as files. Weights are made while they are written. */
  finish(producerVersion: string, metadata: Readonly<Record<string, string>> = {}): BuiltGraph {
    const domains = new Set(this.#nodes.map((node) => node.domain));
    const opsets = Object.fromEntries([...domains].map((d) => [d, d === '' ? opsetVersion : 1]));
    const model: OnnxModel = {
      irVersion,
      producer: 'harkd',
      producerVersion,
      opsets,
      metadata,
      graph: {
        name: this.#name,
        nodes: this.#nodes,
        initializers: this.#initializers,
        inputs: this.#inputs,
        outputs: this.#outputs,
        values: [],
      },
    };
    const pending = this.#weights;
    function* weights(): Generator<Uint8Array> {
      let at = 0;
      for (const { offset, byteLength, source } of pending) {
        if (offset > at) yield new Uint8Array(offset - at);
        at = offset;
        for (const bytes of partsOf(source)) {
          yield bytes;
          at += bytes.length;
        }
        if (at !== offset + byteLength)
          throw new Error(`a weight has ${at - offset} bytes, expected ${byteLength}`);
      }
    }
    return { model, bytes: encodeModel(model), weights, weightsByteLength: this.#weightsByteLength };
  }
}
