/**
 * ONNX models as plain data, written and read. Field numbers are those of onnx.proto (ONNX 1.17, IR version 10):
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 * Not kept: documentation strings, training information, functions, sparse tensors, sequence and map types.
 */
import { type Field, MessageWriter, malformed, readFields } from './protobuf.ts';

/** TensorProto.DataType */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;
export type ElementType = keyof typeof elementTypes;

const bytesPerElement: Readonly<Record<ElementType, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  float16: 2,
  float64: 8,
  uint32: 4,
  uint64: 8,
  bfloat16: 2,
};

/** Where an initialiser's values are: here, or in a file beside the model. Little-endian, row-major. */
export type OnnxData =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'external';
      readonly location: string;
      readonly offset: number;
      readonly byteLength: number;
    };

export type OnnxTensor = {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: OnnxData;
};

export type OnnxAttribute =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: OnnxTensor }
  | { readonly kind: 'graph'; readonly value: OnnxGraph }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly bigint[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] };

export type OnnxNode = {
  readonly name: string;
  readonly operator: string;
  /** Empty for ai.onnx. */
  readonly domain: string;
  /** An empty name is an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
};

/**
 * A graph's input, output or inner value. A dimension is a number, a name, or unknown. The branches of an If may
 * leave their values without a type, to be inferred.
 */
export type OnnxValue = {
  readonly name: string;
  readonly type: ElementType | undefined;
  readonly dims: readonly (number | string | undefined)[];
};

export type OnnxGraph = {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly values: readonly OnnxValue[];
};

export type OnnxModel = {
  readonly irVersion: number;
  readonly producer: string;
  readonly producerVersion: string;
  /** Version of each operator set by domain; '' is ai.onnx. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly graph: OnnxGraph;
};

/** Elements of a tensor with these dimensions; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

export function tensorByteLength(type: ElementType, dims: readonly number[]): number {
  return elementCount(dims) * bytesPerElement[type];
}

// --- writing ---

function writeEntry(key: string, value: string): MessageWriter {
  return new MessageWriter().string(1, key).string(2, value);
}

function writeTensor(tensor: OnnxTensor): MessageWriter {
  const message = new MessageWriter();
  if (tensor.dims.length > 0) message.packedInts(1, tensor.dims);
  message.int(2, elementTypes[tensor.type]).string(8, tensor.name);
  const { data } = tensor;
  if (data.kind === 'inline') return message.bytes(9, data.bytes);
  return message
    .message(13, writeEntry('location', data.location))
    .message(13, writeEntry('offset', String(data.offset)))
    .message(13, writeEntry('length', String(data.byteLength)))
    .int(14, 1);
}

/** AttributeProto.AttributeType */
const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

function writeAttribute(name: string, attribute: OnnxAttribute): MessageWriter {
  const message = new MessageWriter().string(1, name);
  switch (attribute.kind) {
    case 'float':
      message.float(2, attribute.value);
      break;
    case 'int':
      message.int(3, attribute.value);
      break;
    case 'string':
      message.string(4, attribute.value);
      break;
    case 'tensor':
      message.message(5, writeTensor(attribute.value));
      break;
    case 'graph':
      message.message(6, writeGraph(attribute.value));
      break;
    case 'floats':
      message.packedFloats(7, attribute.value);
      break;
    case 'ints':
      message.packedInts(8, attribute.value);
      break;
    case 'strings':
      for (const value of attribute.value) message.string(9, value);
      break;
    default:
      attribute satisfies never;
  }
  return message.int(20, attributeTypes[attribute.kind]);
}

function writeNode(node: OnnxNode): MessageWriter {
  const message = new MessageWriter();
  for (const input of node.inputs) message.string(1, input);
  for (const output of node.outputs) message.string(2, output);
  message.string(3, node.name).string(4, node.operator);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    message.message(5, writeAttribute(name, attribute));
  }
  if (node.domain !== '') message.string(7, node.domain);
  return message;
}

function writeValue(value: OnnxValue): MessageWriter {
  if (value.type === undefined) return new MessageWriter().string(1, value.name);
  const shape = new MessageWriter();
  for (const dim of value.dims) {
    const dimension = new MessageWriter();
    if (typeof dim === 'number') dimension.int(1, dim);
    else if (dim !== undefined) dimension.string(2, dim);
    shape.message(1, dimension);
  }
  const tensorType = new MessageWriter().int(1, elementTypes[value.type]).message(2, shape);
  return new MessageWriter().string(1, value.name).message(2, new MessageWriter().message(1, tensorType));
}

function writeGraph(graph: OnnxGraph): MessageWriter {
  const message = new MessageWriter();
  for (const node of graph.nodes) message.message(1, writeNode(node));
  message.string(2, graph.name);
  for (const tensor of graph.initializers) message.message(5, writeTensor(tensor));
  for (const value of graph.inputs) message.message(11, writeValue(value));
  for (const value of graph.outputs) message.message(12, writeValue(value));
  for (const value of graph.values) message.message(13, writeValue(value));
  return message;
}

/** The bytes of an .onnx file. Deterministic: equal models give equal bytes. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const message = new MessageWriter()
    .int(1, model.irVersion)
    .string(2, model.producer)
    .string(3, model.producerVersion)
    .message(7, writeGraph(model.graph));
  for (const [domain, version] of Object.entries(model.opsets)) {
    message.message(8, new MessageWriter().string(1, domain).int(2, version));
  }
  for (const [key, value] of Object.entries(model.metadata)) message.message(14, writeEntry(key, value));
  return message.finish();
}

// --- reading ---

/** Deeper nesting than this (If in Loop in …) is an attack on the stack, not a model. */
const maxGraphDepth = 16;

function safeNumber(value: bigint, what: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`${what} is ${value}`);
  return Number(value);
}

function elementTypeOf(code: bigint, what: string): ElementType {
  for (const [name, value] of Object.entries(elementTypes)) {
    if (BigInt(value) === code) return name as ElementType;
  }
  throw malformed(`${what} has unknown element type ${code}`);
}

/** Not `push(...values)`: a large tensor would overflow the stack. */
function append<T>(list: T[], values: readonly T[]): void {
  for (const value of values) list.push(value);
}

function readEntry(bytes: Uint8Array): [string, string] {
  let key = '';
  let value = '';
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = field.string();
    else if (field.number === 2) value = field.string();
  }
  return [key, value];
}

/** Values written as numbers instead of raw bytes, as small tensors by other writers are. */
function packValues(type: ElementType, ints: readonly bigint[], reals: readonly number[]): Uint8Array {
  const size = bytesPerElement[type];
  const bytes = new Uint8Array((ints.length + reals.length) * size);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of reals.entries()) {
    if (type === 'float64') view.setFloat64(8 * i, value, true);
    else view.setFloat32(4 * i, value, true);
  }
  for (const [i, value] of ints.entries()) {
    if (size === 8) view.setBigInt64(8 * i, BigInt.asIntN(64, value), true);
    else if (size === 4) view.setInt32(4 * i, Number(BigInt.asIntN(32, value)), true);
    else if (size === 2) view.setInt16(2 * i, Number(BigInt.asIntN(16, value)), true);
    else view.setInt8(i, Number(BigInt.asIntN(8, value)));
  }
  return bytes;
}

function readExternal(name: string, entries: ReadonlyMap<string, string>, expectedBytes: number): OnnxData {
  const location = entries.get('location') ?? '';
  const offset = Number(entries.get('offset') ?? '0');
  const byteLength = Number(entries.get('length') ?? expectedBytes);
  if (location === '') throw malformed(`tensor ${name} has external data without a location`);
  if (location.startsWith('/') || location.split('/').includes('..')) {
    throw malformed(`tensor ${name} has its data outside the model's directory, at ${location}`);
  }
  if (!Number.isSafeInteger(offset) || offset < 0) throw malformed(`tensor ${name} has offset ${offset}`);
  if (byteLength !== expectedBytes) {
    throw malformed(
      `tensor ${name} has ${byteLength} bytes of external data, its shape needs ${expectedBytes}`,
    );
  }
  return { kind: 'external', location, offset, byteLength };
}

function readTensor(bytes: Uint8Array): OnnxTensor {
  const dims: number[] = [];
  const ints: bigint[] = [];
  const reals: number[] = [];
  const external = new Map<string, string>();
  let code = 0n;
  let name = '';
  let raw: Uint8Array | undefined;
  let isExternal = false;
  for (const field of readFields(bytes)) {
    if (field.number === 1) for (const dim of field.ints()) dims.push(safeNumber(dim, 'a dimension'));
    else if (field.number === 2) code = field.int();
    else if (field.number === 4) append(reals, field.floats());
    else if (field.number === 5 || field.number === 7 || field.number === 11) append(ints, field.ints());
    else if (field.number === 8) name = field.string();
    else if (field.number === 9) raw = field.bytes();
    else if (field.number === 10) append(reals, field.doubles());
    else if (field.number === 13) external.set(...readEntry(field.bytes()));
    else if (field.number === 14) isExternal = field.int() === 1n;
  }
  const type = elementTypeOf(code, `tensor ${name}`);
  const expectedBytes = tensorByteLength(type, dims);
  if (isExternal) return { name, type, dims, data: readExternal(name, external, expectedBytes) };
  const values = raw ?? packValues(type, ints, reals);
  if (values.length !== expectedBytes) {
    throw malformed(`tensor ${name} has ${values.length} bytes, its shape [${dims}] needs ${expectedBytes}`);
  }
  return { name, type, dims, data: { kind: 'inline', bytes: values } };
}

function readAttribute(bytes: Uint8Array, depth: number): [string, OnnxAttribute] {
  let name = '';
  let type = 0n;
  let single: OnnxAttribute | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: string[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) name = field.string();
    else if (field.number === 2) single = { kind: 'float', value: field.float() };
    else if (field.number === 3) single = { kind: 'int', value: field.int() };
    else if (field.number === 4) single = { kind: 'string', value: field.string() };
    else if (field.number === 5) single = { kind: 'tensor', value: readTensor(field.bytes()) };
    else if (field.number === 6) single = { kind: 'graph', value: readGraph(field.bytes(), depth + 1) };
    else if (field.number === 7) append(floats, field.floats());
    else if (field.number === 8) append(ints, field.ints());
    else if (field.number === 9) strings.push(field.string());
    else if (field.number === 20) type = field.int();
  }
  if (type === 6n) return [name, { kind: 'floats', value: floats }];
  if (type === 7n) return [name, { kind: 'ints', value: ints }];
  if (type === 8n) return [name, { kind: 'strings', value: strings }];
  // proto3 writers leave a zero or empty value out: the declared type says what it is
  single ??=
    type === 1n
      ? { kind: 'float', value: 0 }
      : type === 2n
        ? { kind: 'int', value: 0n }
        : type === 3n
          ? { kind: 'string', value: '' }
          : undefined;
  if (single === undefined) throw malformed(`attribute ${name} has unknown type ${type}`);
  if (type !== BigInt(attributeTypes[single.kind])) {
    throw malformed(`attribute ${name} is declared as type ${type} and holds a ${single.kind}`);
  }
  return [name, single];
}

function readNode(bytes: Uint8Array, depth: number): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: [string, OnnxAttribute][] = [];
  let name = '';
  let operator = '';
  let domain = '';
  for (const field of readFields(bytes)) {
    if (field.number === 1) inputs.push(field.string());
    else if (field.number === 2) outputs.push(field.string());
    else if (field.number === 3) name = field.string();
    else if (field.number === 4) operator = field.string();
    else if (field.number === 5) attributes.push(readAttribute(field.bytes(), depth));
    else if (field.number === 7) domain = field.string();
  }
  if (operator === '') throw malformed(`node ${name} has no operator`);
  return { name, operator, domain, inputs, outputs, attributes: Object.fromEntries(attributes) };
}

function readDimension(field: Field): number | string | undefined {
  for (const part of readFields(field.bytes())) {
    if (part.number === 1) return safeNumber(part.int(), 'a dimension');
    if (part.number === 2) return part.string() || undefined;
  }
  return undefined;
}

function readValue(bytes: Uint8Array, depth: number): OnnxValue {
  let name = '';
  let code = 0n;
  const dims: (number | string | undefined)[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) name = field.string();
    if (field.number !== 2) continue;
    for (const kind of readFields(field.bytes())) {
      if (kind.number !== 1) continue;
      for (const part of readFields(kind.bytes())) {
        if (part.number === 1) code = part.int();
        if (part.number !== 2) continue;
        for (const dim of readFields(part.bytes())) if (dim.number === 1) dims.push(readDimension(dim));
      }
    }
  }
  const inferred = code === 0n && depth > 0;
  return { name, type: inferred ? undefined : elementTypeOf(code, `value ${name}`), dims };
}

function readGraph(bytes: Uint8Array, depth: number): OnnxGraph {
  if (depth > maxGraphDepth) throw malformed(`graphs nested deeper than ${maxGraphDepth}`);
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const values: OnnxValue[] = [];
  let name = '';
  for (const field of readFields(bytes)) {
    if (field.number === 1) nodes.push(readNode(field.bytes(), depth));
    else if (field.number === 2) name = field.string();
    else if (field.number === 5) initializers.push(readTensor(field.bytes()));
    else if (field.number === 11) inputs.push(readValue(field.bytes(), depth));
    else if (field.number === 12) outputs.push(readValue(field.bytes(), depth));
    else if (field.number === 13) values.push(readValue(field.bytes(), depth));
  }
  return { name, nodes, initializers, inputs, outputs, values };
}

/**
 * The model in the bytes of an .onnx file; external data is named, not read.
 * Throws `Fault` MODEL_INVALID saying what is wrong.
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  const opsets: [string, number][] = [];
  const metadata: [string, string][] = [];
  let irVersion = 0;
  let producer = '';
  let producerVersion = '';
  let graph: OnnxGraph | undefined;
  for (const field of readFields(bytes)) {
    if (field.number === 1) irVersion = safeNumber(field.int(), 'the IR version');
    else if (field.number === 2) producer = field.string();
    else if (field.number === 3) producerVersion = field.string();
    else if (field.number === 7) graph = readGraph(field.bytes(), 0);
    else if (field.number === 8) {
      let domain = '';
      let version = 0;
      for (const part of readFields(field.bytes())) {
        if (part.number === 1) domain = part.string();
        else if (part.number === 2) version = safeNumber(part.int(), 'an operator set version');
      }
      opsets.push([domain, version]);
    } else if (field.number === 14) metadata.push(readEntry(field.bytes()));
  }
  if (graph === undefined) throw malformed('no graph');
  if (opsets.length === 0) throw malformed('no operator set');
  return {
    irVersion,
    producer,
    producerVersion,
    opsets: Object.fromEntries(opsets),
    metadata: Object.fromEntries(metadata),
    graph,
  };
}
