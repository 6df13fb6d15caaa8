/**
 * How the outbox stands in its files: one record after the other, each with its length and checksum, so that a file
 * cut or damaged anywhere gives back every record that is whole. The format is in docs/adr/0006.
 *
 *   marker 0xFF, type (1 byte), length of the payload (u32 LE), CRC-32 of type, length and payload (u32 LE), payload
 *
 * The payload is JSON in UTF-8, in which the byte 0xFF never occurs: behind damage, the next record is found by it.
 */
import { crc32 } from 'node:zlib';
import type { OutboxEntry } from '../outbox.ts';

export type OutboxRecord =
  | { readonly type: 'entry'; readonly entry: OutboxEntry }
  /** Delivered or given up: not wanted any more. */
  | { readonly type: 'forgotten'; readonly ids: readonly string[] };

export type Decoded = {
  /** In the order of the file. */
  readonly records: readonly OutboxRecord[];
  /** Up to the end of the last whole record. */
  readonly wholeBytes: number;
  /** A record at the end that was being written when the process or the power went: it was never promised to anybody. */
  readonly tornBytes: number;
  /** Stretches that were written whole and cannot be read any more. */
  readonly damaged: readonly { readonly atByte: number; readonly bytes: number }[];
};

const marker = 0xff;
const headerBytes = 10;
const letterOf = { entry: 0x45, forgotten: 0x46 } as const;

export function encodeRecord(record: OutboxRecord): Buffer {
  const value = record.type === 'entry' ? record.entry : record.ids;
  // JSON.stringify is well-formed: a lone surrogate is escaped, and comes back as it was
  const payload = Buffer.from(JSON.stringify(value), 'utf8');
  const bytes = Buffer.alloc(headerBytes + payload.length);
  bytes[0] = marker;
  bytes[1] = letterOf[record.type];
  bytes.writeUInt32LE(payload.length, 2);
  payload.copy(bytes, headerBytes);
  bytes.writeUInt32LE(checksum(bytes, payload.length), 6);
  return bytes;
}

function checksum(record: Buffer, payloadBytes: number): number {
  return crc32(record.subarray(headerBytes, headerBytes + payloadBytes), crc32(record.subarray(1, 6)));
}

type ReadAt = { readonly record: OutboxRecord; readonly endByte: number } | 'incomplete' | 'damaged';

function readAt(bytes: Buffer, atByte: number): ReadAt {
  const rest = bytes.subarray(atByte);
  if (rest[0] !== marker) return 'damaged';
  if (rest.length < headerBytes) return 'incomplete';
  const payloadBytes = rest.readUInt32LE(2);
  if (rest.length < headerBytes + payloadBytes) return 'incomplete';
  if (rest.readUInt32LE(6) !== checksum(rest, payloadBytes)) return 'damaged';
  const record = parse(rest[1], rest.toString('utf8', headerBytes, headerBytes + payloadBytes));
  return record === undefined ? 'damaged' : { record, endByte: atByte + headerBytes + payloadBytes };
}

function parse(letter: number | undefined, json: string): OutboxRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (letter === letterOf.forgotten) {
    const isIds = Array.isArray(value) && value.every((id) => typeof id === 'string');
    return isIds ? { type: 'forgotten', ids: value as string[] } : undefined;
  }
  if (letter !== letterOf.entry || typeof value !== 'object' || value === null) return undefined;
  const { id, createdAtMs, bootId, body } = value as Partial<OutboxEntry>;
  if (typeof id !== 'string' || typeof bootId !== 'string' || typeof body !== 'string') return undefined;
  if (typeof createdAtMs !== 'number') return undefined;
  return { type: 'entry', entry: { id, createdAtMs, bootId, body } };
}

/** Reads a file. Total: whatever stands in it, every whole record comes back, in order, and nothing else. */
export function decodeRecords(bytes: Buffer): Decoded {
  const records: OutboxRecord[] = [];
  const damaged: { readonly atByte: number; readonly bytes: number }[] = [];
  let wholeBytes = 0;
  let badFromByte: number | undefined;
  let tailIsTorn = false;
  let atByte = 0;
  while (atByte < bytes.length) {
    const found = readAt(bytes, atByte);
    if (typeof found === 'object') {
      if (badFromByte !== undefined) damaged.push({ atByte: badFromByte, bytes: atByte - badFromByte });
      badFromByte = undefined;
      records.push(found.record);
      atByte = found.endByte;
      wholeBytes = atByte;
      continue;
    }
    if (badFromByte === undefined) tailIsTorn = found === 'incomplete';
    badFromByte ??= atByte;
    const next = bytes.indexOf(marker, atByte + 1);
    atByte = next < 0 ? bytes.length : next;
  }
  const tailBytes = bytes.length - wholeBytes;
  if (tailBytes > 0 && !tailIsTorn) damaged.push({ atByte: wholeBytes, bytes: tailBytes });
  return { records, wholeBytes, tornBytes: tailIsTorn ? tailBytes : 0, damaged };
}
