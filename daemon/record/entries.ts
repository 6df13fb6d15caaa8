/** How a transcript stands in the record: one line of JSON, with the fields it has on MQTT. */
import type { Transcript } from '../events.ts';

export function encodeEntry(transcript: Transcript): Buffer {
  // JSON.stringify escapes line breaks and lone surrogates: it is one line, and comes back as it was
  return Buffer.from(`${JSON.stringify(transcript)}\n`);
}

/** The transcript of a line, or undefined for one that was not written by us, or not to its end. */
export function decodeEntry(line: string): Transcript | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { id, text, start, end } = (value ?? {}) as Partial<Transcript>;
  if (typeof id !== 'string' || typeof text !== 'string' || !isTime(start) || !isTime(end)) return undefined;
  return value as Transcript;
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

/** Up to the end of the last line that was written whole: after a loss of power a file may end in anything. */
export function wholeBytesOf(bytes: Buffer): number {
  let end = bytes.lastIndexOf(10) + 1;
  while (end > 0) {
    const from = bytes.subarray(0, end - 1).lastIndexOf(10) + 1;
    if (decodeEntry(bytes.toString('utf8', from, end - 1)) !== undefined) return end;
    end = from;
  }
  return 0;
}
