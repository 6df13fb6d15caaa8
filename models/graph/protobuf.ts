/**
 * The protobuf wire format, as much of it as ONNX files use (https://protobuf.dev/programming-guides/encoding/):
 * varints, fixed 32 and 64 bits, and length-delimited fields.
 */
import { Fault } from '../../daemon/faults.ts';

const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;

/** A message under construction: fields in the order they are added. */
export class MessageWriter {
  readonly #chunks: Uint8Array[] = [];
  #byteLength = 0;

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#byteLength += bytes.length;
  }

  #varint(value: bigint): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.#push(Uint8Array.from(bytes));
  }

  #tag(field: number, wire: number): void {
    this.#varint(BigInt(field * 8 + wire));
  }

  /** int32, int64, enum and bool: negative numbers take ten bytes, as the format wants it. */
  int(field: number, value: number | bigint): this {
    this.#tag(field, wireVarint);
    this.#varint(BigInt(value));
    return this;
  }

  float(field: number, value: number): this {
    this.#tag(field, wireFixed32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, wireBytes);
    this.#varint(BigInt(value.length));
    this.#push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: MessageWriter): this {
    return this.bytes(field, value.finish());
  }

  packedInts(field: number, values: readonly (number | bigint)[]): this {
    const packed = new MessageWriter();
    for (const value of values) packed.#varint(BigInt(value));
    return this.bytes(field, packed.finish());
  }

  packedFloats(field: number, values: readonly number[]): this {
    const bytes = new Uint8Array(4 * values.length);
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
    return this.bytes(field, bytes);
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.#byteLength);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}

/** One field as it stands on the wire; `ints()` and friends say what it was meant to be. */
export type Field = {
  readonly number: number;
  readonly int: () => bigint;
  readonly float: () => number;
  readonly bytes: () => Uint8Array;
  readonly string: () => string;
  /** A repeated scalar may come packed or one by one: either way, the values of this occurrence. */
  readonly ints: () => readonly bigint[];
  readonly floats: () => readonly number[];
  readonly doubles: () => readonly number[];
};

export function malformed(message: string, cause?: unknown): Fault {
  return new Fault(
    'MODEL_INVALID',
    `malformed ONNX: ${message}`,
    'the file may be damaged: compile or install the model again',
    cause === undefined ? undefined : { cause },
  );
}

function readVarint(bytes: Uint8Array, at: number): { readonly value: bigint; readonly next: number } {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw malformed('a number runs past the end');
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), next: at + i + 1 };
  }
  throw malformed('a number is longer than ten bytes');
}

function varints(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { value, next } = readVarint(bytes, at);
    values.push(BigInt.asIntN(64, value));
    at = next;
  }
  return values;
}

function fixed(bytes: Uint8Array, size: 4 | 8): number[] {
  if (bytes.length % size !== 0)
    throw malformed(`packed numbers take ${bytes.length} bytes, not a multiple of ${size}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / size }, (_, i) =>
    size === 4 ? view.getFloat32(4 * i, true) : view.getFloat64(8 * i, true),
  );
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

function fieldOf(number: number, wire: number, value: bigint, payload: Uint8Array): Field {
  const expect = (wanted: number, what: string) => {
    if (wire !== wanted) throw malformed(`field ${number} has wire type ${wire}, expected ${what}`);
  };
  return {
    number,
    int: () => {
      expect(wireVarint, 'a number');
      return BigInt.asIntN(64, value);
    },
    float: () => {
      expect(wireFixed32, 'a float');
      return fixed(payload, 4)[0] as number;
    },
    bytes: () => {
      expect(wireBytes, 'bytes');
      return payload;
    },
    string: () => {
      expect(wireBytes, 'text');
      try {
        return strictUtf8.decode(payload);
      } catch (cause) {
        throw malformed(`field ${number} is not UTF-8`, cause);
      }
    },
    ints: () => {
      if (wire === wireVarint) return [BigInt.asIntN(64, value)];
      expect(wireBytes, 'numbers');
      return varints(payload);
    },
    floats: () => {
      if (wire !== wireFixed32) expect(wireBytes, 'floats');
      return fixed(payload, 4);
    },
    doubles: () => {
      if (wire !== wireFixed64) expect(wireBytes, 'doubles');
      return fixed(payload, 8);
    },
  };
}

/** The fields of a message in their order. Throws `Fault` MODEL_INVALID where the bytes are no message. */
export function* readFields(bytes: Uint8Array): Generator<Field> {
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    const number = Number(tag.value >> 3n);
    const wire = Number(tag.value & 7n);
    if (number === 0) throw malformed('field number 0');
    let start = tag.next;
    let value = 0n;
    let end: number;
    if (wire === wireVarint) {
      const varint = readVarint(bytes, start);
      value = varint.value;
      end = varint.next;
    } else if (wire === wireFixed64) {
      end = start + 8;
    } else if (wire === wireFixed32) {
      end = start + 4;
    } else if (wire === wireBytes) {
      const length = readVarint(bytes, start);
      start = length.next;
      // compared as bigint: a length near 2^64 must not be rounded into range
      if (length.value > BigInt(bytes.length - start)) throw malformed(`field ${number} runs past the end`);
      end = start + Number(length.value);
    } else {
      throw malformed(`field ${number} has unknown wire type ${wire}`);
    }
    if (end > bytes.length) throw malformed(`field ${number} runs past the end`);
    yield fieldOf(number, wire, value, bytes.subarray(start, end));
    at = end;
  }
}
