/**
 * Reads safetensors files (https://github.com/huggingface/safetensors#format): eight bytes of header length, a JSON
 * header, then the tensors without gaps. Model files come from strangers: nothing in the header is believed before
 * it is checked against the file.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';

const bytesPerElement = { F32: 4, F16: 2, BF16: 2 } as const;
type Precision = keyof typeof bytesPerElement;

/** The reference implementation's limit; a header of that size names a million tensors. */
const maxHeaderBytes = 100_000_000;

type Entry = {
  readonly file: string;
  readonly precision: Precision;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
};

export type Safetensors = {
  readonly names: readonly string[];
  /** The files read, for hashing. */
  readonly files: readonly string[];
  readonly dims: (name: string) => readonly number[] | undefined;
  /** Values of a tensor as float32, row-major: all, or `count` from `start` on. Reads the file: keep what you need. */
  readonly read: (name: string, start?: number, count?: number) => Float32Array;
  /** Index of the first value that is NaN or infinite, if any is. */
  readonly findNonFinite: (name: string) => number | undefined;
};

function invalid(file: string, message: string, cause?: unknown): Fault {
  return new Fault(
    'MODEL_INVALID',
    `${file}: ${message}`,
    'the file may be damaged or incomplete: download it again',
    cause === undefined ? undefined : { cause },
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function checkEntry(file: string, name: string, value: unknown, dataStart: number, dataBytes: number): Entry {
  const bad = (message: string) => invalid(file, `tensor ${name} ${message}`);
  if (typeof value !== 'object' || value === null) throw bad('is not described by an object');
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesPerElement, dtype)) {
    throw bad(`has type ${JSON.stringify(dtype)}, expected F32, F16 or BF16`);
  }
  const precision = dtype as Precision;
  if (!Array.isArray(shape) || !shape.every(isCount)) throw bad(`has shape ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw bad(`has offsets ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw bad(`lies at ${begin}..${end}, expected within the ${dataBytes} bytes of data`);
  }
  const byteLength = shape.reduce(
    (product: number, dim: number) => product * dim,
    bytesPerElement[precision],
  );
  if (byteLength !== end - begin) {
    throw bad(
      `of type ${precision} and shape [${shape}] takes ${byteLength} bytes, its offsets span ${end - begin}`,
    );
  }
  return { file, precision, dims: shape, offset: dataStart + begin, byteLength };
}

function readExactly(fd: number, file: string, offset: number, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let done = 0;
  while (done < byteLength) {
    const got = readSync(fd, bytes, done, byteLength - done, offset + done);
    if (got === 0) throw invalid(file, `ends at byte ${offset + done}, expected ${offset + byteLength}`);
    done += got;
  }
  return bytes;
}

function withFile<T>(file: string, use: (fd: number) => T): T {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (cause) {
    throw new Fault('MODEL_MISSING', `cannot read ${file}`, 'check the model directory', { cause });
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function parseHeader(file: string, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid(file, 'the header is not JSON', cause);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw invalid(file, 'the header is not an object');
  }
  return header as Record<string, unknown>;
}

/** Every tensor of one file, each checked; together they fill the data exactly. */
function readHeader(file: string): Map<string, Entry> {
  return withFile(file, (fd) => {
    const fileBytes = fstatSync(fd).size;
    if (fileBytes < 8) throw invalid(file, `has ${fileBytes} bytes, too short for a safetensors file`);
    const length = readExactly(fd, file, 0, 8);
    const headerBytes = new DataView(length.buffer).getBigUint64(0, true);
    if (headerBytes > BigInt(Math.min(maxHeaderBytes, fileBytes - 8))) {
      throw invalid(file, `declares a header of ${headerBytes} bytes, the file has ${fileBytes}`);
    }
    const dataStart = 8 + Number(headerBytes);
    const dataBytes = fileBytes - dataStart;
    const header = parseHeader(file, readExactly(fd, file, 8, Number(headerBytes)));
    const entries = new Map<string, Entry>();
    for (const [name, value] of Object.entries(header)) {
      if (name !== '__metadata__') entries.set(name, checkEntry(file, name, value, dataStart, dataBytes));
    }
    checkCoverage(file, entries, dataStart, dataBytes);
    return entries;
  });
}

/** No overlaps (two names for one memory), no holes and no trailing bytes (a place to hide something). */
function checkCoverage(
  file: string,
  entries: ReadonlyMap<string, Entry>,
  dataStart: number,
  dataBytes: number,
): void {
  const inOrder = [...entries].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let at = dataStart;
  for (const [name, entry] of inOrder) {
    if (entry.offset < at) throw invalid(file, `tensor ${name} overlaps the one before it`);
    if (entry.offset > at)
      throw invalid(file, `${entry.offset - at} bytes before tensor ${name} belong to no tensor`);
    at = entry.offset + entry.byteLength;
  }
  const trailing = dataStart + dataBytes - at;
  if (trailing !== 0) throw invalid(file, `${trailing} trailing bytes belong to no tensor`);
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 mantissa bits. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** All of binary16: looking a value up takes a hundredth of the time that working it out does. */
let halfTable: Float32Array | undefined;

function toFloat32(bytes: Uint8Array, precision: Precision): Float32Array {
  if (precision === 'F32') return new Float32Array(bytes.buffer, 0, bytes.length / 4);
  const halves = new Uint16Array(bytes.buffer, 0, bytes.length / 2);
  const values = new Float32Array(halves.length);
  if (precision === 'F16') {
    halfTable ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => fromHalf(bits));
    for (let i = 0; i < halves.length; i++) values[i] = halfTable[halves[i] as number] as number;
    return values;
  }
  // bfloat16 is the upper half of a float32
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] as number) << 16;
  return values;
}

/** All bits of the exponent set: infinity or NaN. */
const nonFiniteBits = { F32: 0x7f80_0000, F16: 0x7c00, BF16: 0x7f80 } as const satisfies Record<
  Precision,
  number
>;

/** Looks at the bits as they lie in the file, a few megabytes at a time: a scan of 3 GB takes seconds, not memory. */
function findNonFinite(entry: Entry): number | undefined {
  const blockBytes = 4 << 20;
  const mask = nonFiniteBits[entry.precision];
  const width = bytesPerElement[entry.precision];
  return withFile(entry.file, (fd) => {
    for (let at = 0; at < entry.byteLength; at += blockBytes) {
      const length = Math.min(blockBytes, entry.byteLength - at);
      const { buffer } = readExactly(fd, entry.file, entry.offset + at, length);
      const words = width === 4 ? new Uint32Array(buffer) : new Uint16Array(buffer);
      const found = words.findIndex((word) => (word & mask) === mask);
      if (found >= 0) return at / width + found;
    }
    return undefined;
  });
}

/** `model.safetensors`, or the shards that `model.safetensors.index.json` names. */
function findFiles(modelDir: string): string[] {
  const single = path.join(modelDir, 'model.safetensors');
  const index = path.join(modelDir, 'model.safetensors.index.json');
  if (existsSync(single)) return [single];
  if (!existsSync(index)) {
    throw new Fault(
      'MODEL_MISSING',
      `there is no model.safetensors in ${modelDir}`,
      'expected a Whisper in Hugging Face layout: config.json, tokenizer.json, model.safetensors',
    );
  }
  const { weight_map: map } = parseHeader(index, readFileSync(index));
  const shards = typeof map === 'object' && map !== null ? [...new Set(Object.values(map))] : [];
  if (shards.length === 0) throw invalid(index, 'names no files');
  return shards.map((shard) => {
    if (typeof shard !== 'string' || shard !== path.basename(shard)) {
      throw invalid(index, `names ${JSON.stringify(shard)}, expected a file of the same directory`);
    }
    return path.join(modelDir, shard);
  });
}

/**
 * Opens the weights of a model directory. Every header is checked; values are read when asked for.
 * Throws `Fault`: MODEL_MISSING, MODEL_INVALID (naming the tensor).
 */
export function openSafetensors(modelDir: string): Safetensors {
  const files = findFiles(modelDir);
  const entries = new Map<string, Entry>();
  for (const file of files) {
    for (const [name, entry] of readHeader(file)) {
      if (entries.has(name)) throw invalid(file, `tensor ${name} is in another file too`);
      entries.set(name, entry);
    }
  }
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name);
    if (entry === undefined) throw invalid(modelDir, `there is no tensor ${name}`);
    return entry;
  };
  return {
    names: [...entries.keys()],
    files,
    dims: (name) => entries.get(name)?.dims,
    findNonFinite: (name) => findNonFinite(entryOf(name)),
    read: (name, start = 0, count) => {
      const { file, offset, byteLength, precision } = entryOf(name);
      const width = bytesPerElement[precision];
      const length = count === undefined ? byteLength - start * width : count * width;
      const bytes = withFile(file, (fd) => readExactly(fd, file, offset + start * width, length));
      return toFloat32(bytes, precision);
    },
  };
}
