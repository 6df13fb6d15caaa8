/**
 * Events of the Wyoming protocol as bytes: one line of JSON, then so many bytes of more JSON, then so many of anything.
 * Source: github.com/OHF-Voice/wyoming, README "Format"; what others send is believed only within limits.
 */
import type { ByteReader } from '../capture/bytes.ts';
import { Fault } from '../faults.ts';

export type WyomingData = Readonly<Record<string, unknown>>;

export type WyomingEvent = {
  readonly type: string;
  /** Of the header, overlaid with what followed it. */
  readonly data: WyomingData;
  readonly payload: Buffer;
};

/**
 * Home Assistant sends headers of 100 bytes and sound in pieces of a few KiB. A vocabulary to expect may come as data,
 * and somebody's whole recording as one piece.
 */
const mostHeaderBytes = 16 * 1024;
const mostDataBytes = 256 * 1024;
const mostPayloadBytes = 1024 * 1024;

const newline = 0x0a;

/** What a client did that is not the protocol, or too much of it. */
export function requestInvalid(message: string, cause?: unknown): Fault {
  const hint = 'docs/wyoming.md says what is understood, and how much of it';
  return new Fault('WYOMING_REQUEST_INVALID', message, hint, cause === undefined ? undefined : { cause });
}

/**
 * The next event, or undefined where the stream ends before it is whole.
 * Throws `Fault` WYOMING_REQUEST_INVALID; what follows in the stream means nothing then.
 */
export async function readEvent(bytes: ByteReader): Promise<WyomingEvent | undefined> {
  const line = await bytes.takeThrough(newline, mostHeaderBytes);
  if (line === undefined) {
    throw requestInvalid(`an event begins with a line of at most ${mostHeaderBytes} bytes, got a longer one`);
  }
  if (line.at(-1) !== newline) return undefined;
  const header = objectFrom(line, 'the header of an event');
  const { type } = header;
  if (typeof type !== 'string') throw requestInvalid(`the type of an event is a text, got ${typeof type}`);
  const dataBytes = lengthFrom(header, 'data_length', mostDataBytes);
  const payloadBytes = lengthFrom(header, 'payload_length', mostPayloadBytes);
  const more = await bytes.take(dataBytes);
  const payload = await bytes.take(payloadBytes);
  if (more.length < dataBytes || payload.length < payloadBytes) return undefined;
  const inline = header['data'] ?? {};
  if (!isObject(inline))
    throw requestInvalid(`the data of ${shown(type)} is an object, got ${typeof inline}`);
  const data = more.length === 0 ? inline : { ...inline, ...objectFrom(more, `the data of ${shown(type)}`) };
  return { type, data, payload };
}

/** An event as it is sent. */
export function encodeEvent(type: string, data: WyomingData): Buffer {
  const body = Buffer.from(JSON.stringify(data));
  const header = body.length > 2 ? { type, data_length: body.length } : { type };
  const line = Buffer.from(`${JSON.stringify(header)}\n`);
  return body.length > 2 ? Buffer.concat([line, body]) : line;
}

/** A word of a client in a message: short, and on one line. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function objectFrom(bytes: Buffer, what: string): WyomingData {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw requestInvalid(`${what} is JSON, got something else`, cause);
  }
  if (!isObject(value)) throw requestInvalid(`${what} is a JSON object, got another value`);
  return value;
}

function isObject(value: unknown): value is WyomingData {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function lengthFrom(header: WyomingData, name: string, most: number): number {
  const length = header[name] ?? 0;
  if (typeof length === 'number' && Number.isInteger(length) && length >= 0 && length <= most) return length;
  throw requestInvalid(`${name} is a whole number up to ${most}, got ${shown(String(length))}`);
}
