/**
 * What each token stands for, as bytes: all that is needed to write text. Made of tokenizer.json when a model is
 * compiled, so that a start does not parse megabytes of JSON for it.
 *
 *   uint32   length of the header, padded with spaces to a multiple of 4
 *   bytes    the header: JSON with `special`
 *   uint32   count of tokens, then for each where its bytes end
 *   bytes    of all tokens, one after the other; special tokens and timestamps have none
 *
 * All numbers little-endian.
 */
import { Fault } from '../../daemon/faults.ts';

/** Ids of the tokens that are not text. What a model was not trained with is undefined. */
export type SpecialTokens = {
  readonly endOfText: number;
  readonly startOfTranscript: number;
  readonly startOfPrevious: number | undefined;
  readonly noTimestamps: number | undefined;
  readonly noSpeech: number | undefined;
  /** `<|0.00|>`; the one `n` after it means n * 20 ms. */
  readonly firstTimestamp: number | undefined;
  readonly transcribe: number | undefined;
  readonly translate: number | undefined;
  /** Language code (`en`, `yue`) to id, in the order of ids. A model may know fewer than its tokenizer. */
  readonly languages: ReadonlyMap<string, number>;
};

export type TokenTable = {
  readonly special: SpecialTokens;
  /** Of each token, the index in `bytes` behind its last. */
  readonly ends: Uint32Array;
  readonly bytes: Uint8Array;
};

const wordBytes = 4;
/** Its name in the directory of a compiled model. */
export const tokenTableFile = 'tokens.bin';

/** The file. */
export function writeTokenTable({ special, ends, bytes }: TokenTable): Uint8Array {
  const header = JSON.stringify({ special: { ...special, languages: [...special.languages] } });
  const text = new TextEncoder().encode(header);
  const headerBytes = Math.ceil(text.length / wordBytes) * wordBytes;
  const file = new Uint8Array(wordBytes * (2 + ends.length) + headerBytes + bytes.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, headerBytes, true);
  file.fill(0x20, wordBytes, wordBytes + headerBytes);
  file.set(text, wordBytes);
  const table = wordBytes + headerBytes;
  view.setUint32(table, ends.length, true);
  for (const [token, end] of ends.entries()) view.setUint32(table + wordBytes * (1 + token), end, true);
  file.set(bytes, table + wordBytes * (1 + ends.length));
  return file;
}

/** Reads the file. Throws `Fault` MODEL_INVALID if it is cut short or not such a file. */
export function readTokenTable(file: Uint8Array): TokenTable {
  try {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const table = wordBytes + view.getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(file.subarray(wordBytes, table)));
    const count = view.getUint32(table, true);
    const first = table + wordBytes * (1 + count);
    if (first > file.length) throw new RangeError(`${count} tokens announced`);
    const ends = new Uint32Array(count);
    for (let token = 0; token < count; token++) {
      const end = view.getUint32(table + wordBytes * (1 + token), true);
      if (end < (ends[token - 1] ?? 0)) throw new RangeError(`token ${token} ends before it begins`);
      ends[token] = end;
    }
    const bytes = file.slice(first);
    if (bytes.length !== (ends.at(-1) ?? 0)) throw new RangeError(`${bytes.length} bytes of tokens`);
    return { special: { ...header.special, languages: new Map(header.special.languages) }, ends, bytes };
  } catch (cause) {
    throw new Fault(
      'MODEL_INVALID',
      `tokens.bin is no table of tokens: ${(cause as Error).message}`,
      'delete the compiled model and compile it again: harkd models compile',
      { cause },
    );
  }
}

/**
 * Ids to text, special tokens and timestamps left out. Whisper's text begins with a space; it is kept here. A
 * character cut off at the end is left out; bytes that are no UTF-8 elsewhere become U+FFFD.
 */
export function textOf({ ends, bytes }: TokenTable): (tokens: Iterable<number>) => string {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  return (tokens) => {
    const text: number[] = [];
    for (const token of tokens) {
      const end = ends[token] ?? 0;
      for (let at = token === 0 ? 0 : (ends[token - 1] ?? 0); at < end; at++) text.push(bytes[at] ?? 0);
    }
    // `stream` keeps an unfinished last character back instead of writing U+FFFD for it; then it is dropped
    const written = utf8.decode(Uint8Array.from(text), { stream: true });
    utf8.decode();
    return written;
  };
}
