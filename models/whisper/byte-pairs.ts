/**
 * Byte-level byte-pair encoding, as GPT-2 and Whisper use it: UTF-8 bytes are written as 256 printable characters,
 * and pairs of pieces are merged by rank. Source: openai/gpt-2 encoder.py; huggingface/tokenizers models/bpe.
 */

/** The 188 bytes that stand for themselves; the other 68 are written as U+0100 and up, in order. */
function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

const charOfByte: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

const byteOfChar: ReadonlyMap<string, number> = new Map(charOfByte.map((char, byte) => [char, byte]));

const utf8 = new TextEncoder();

/** The UTF-8 bytes of `text`, one character of the byte alphabet each: ` é` becomes `ĠÃ©`. */
export function toByteAlphabet(text: string): string {
  let written = '';
  for (const byte of utf8.encode(text)) written += charOfByte[byte];
  return written;
}

/** Appends the bytes that `piece` stands for; a piece not written in the alphabet stands for its own UTF-8. */
export function appendBytes(piece: string, bytes: number[]): void {
  const start = bytes.length;
  for (const char of piece) {
    const byte = byteOfChar.get(char);
    if (byte === undefined) {
      bytes.length = start;
      bytes.push(...utf8.encode(piece));
      return;
    }
    bytes.push(byte);
  }
}

/** Which pairs of ids merge, in which order, into which id. */
export type MergeTable = {
  readonly rankOfPair: ReadonlyMap<number, number>;
  readonly mergedByRank: Int32Array;
};

/** Pair ids packed in one safe integer: ids stay far below 2^26. */
const pairKey = (left: number, right: number): number => left * 0x4000000 + right;

/**
 * Builds the merge table. `merges` in rank order, each `[left, right]`.
 * Throws RangeError naming the first merge whose pieces or product the vocabulary lacks.
 */
export function buildMergeTable(
  merges: readonly (readonly [string, string])[],
  vocabulary: ReadonlyMap<string, number>,
): MergeTable {
  const rankOfPair = new Map<number, number>();
  const mergedByRank = new Int32Array(merges.length);
  for (const [rank, [left, right]] of merges.entries()) {
    const leftId = vocabulary.get(left);
    const rightId = vocabulary.get(right);
    const mergedId = vocabulary.get(left + right);
    if (leftId === undefined || rightId === undefined || mergedId === undefined) {
      throw new RangeError(`merge ${rank} ("${left} ${right}") names a piece the vocabulary lacks`);
    }
    rankOfPair.set(pairKey(leftId, rightId), rank);
    mergedByRank[rank] = mergedId;
  }
  return { rankOfPair, mergedByRank };
}

/**
 * Encodes one word, written in the byte alphabet. The lowest rank merges first, the leftmost among equals.
 * Characters the vocabulary lacks are dropped, as the reference does without an unknown-token.
 */
export function encodeWord(
  word: string,
  vocabulary: ReadonlyMap<string, number>,
  table: MergeTable,
): readonly number[] {
  const ids: number[] = [];
  for (const char of word) {
    const id = vocabulary.get(char);
    if (id !== undefined) ids.push(id);
  }
  for (;;) {
    let bestRank = Number.POSITIVE_INFINITY;
    let bestAt = -1;
    for (let i = 0; i + 1 < ids.length; i++) {
      const rank = table.rankOfPair.get(pairKey(ids[i] as number, ids[i + 1] as number));
      if (rank !== undefined && rank < bestRank) {
        bestRank = rank;
        bestAt = i;
      }
    }
    if (bestAt < 0) return ids;
    ids.splice(bestAt, 2, table.mergedByRank[bestRank] as number);
  }
}
