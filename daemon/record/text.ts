/** The record as text, JSON or subtitles, written while it is read. */
import type { Transcript } from '../events.ts';
import { type OutputFormat, subtitleWriter } from '../formats.ts';
import { printable } from '../printable.ts';
import { type RecordRange, type RecordReader, readRecord } from './reader.ts';

/**
 * Yields parts that together are the record in `format`. `json` is an array, with one transcript a line, as on MQTT.
 * Subtitles count from `sinceMs`, or from the start of the first transcript where that is not given.
 * Throws `Fault` RECORD_UNREADABLE.
 */
export function recordText(
  reader: RecordReader,
  format: OutputFormat,
  range: RecordRange,
): AsyncGenerator<string> {
  const blocks = readRecord(reader, range);
  switch (format) {
    case 'text':
      return plainText(blocks);
    case 'json':
      return jsonText(blocks);
    case 'srt':
    case 'vtt':
      return subtitles(format, blocks, range.sinceMs);
    default:
      return format satisfies never;
  }
}

type Blocks = AsyncIterable<readonly Transcript[]>;

async function* plainText(blocks: Blocks): AsyncGenerator<string> {
  for await (const block of blocks) {
    yield block.map(({ start, text }) => `${localTime(new Date(start))}  ${printable(text)}\n`).join('');
  }
}

async function* jsonText(blocks: Blocks): AsyncGenerator<string> {
  let before = '[';
  for await (const block of blocks) {
    yield `${before}\n${block.map((transcript) => JSON.stringify(transcript)).join(',\n')}`;
    before = ',';
  }
  yield before === '[' ? '[]\n' : '\n]\n';
}

async function* subtitles(
  format: 'srt' | 'vtt',
  blocks: Blocks,
  sinceMs: number | undefined,
): AsyncGenerator<string> {
  const writer = subtitleWriter(format);
  let zeroMs = sinceMs;
  for await (const block of blocks) {
    const segments = block.map(({ start, end, text }) => {
      const startMs = Date.parse(start);
      zeroMs ??= startMs;
      return writer.segment({ startMs: startMs - zeroMs, endMs: Date.parse(end) - zeroMs, text });
    });
    yield segments.join('');
  }
  yield writer.end();
}

/** `2026-11-22 18:30:05`, by the clock on the wall. */
function localTime(at: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
