/**
 * Between text and token ids, by a Hugging Face tokenizer.json: a byte-level BPE with Whisper's special tokens.
 */
import { Fault } from '../../daemon/faults.ts';
import { appendBytes, buildMergeTable, encodeWord } from './byte-pairs.ts';
import { readNormalizer, readPreTokenizer } from './pre-tokenizer.ts';
import { type SpecialTokens, type TokenTable, textOf } from './token-table.ts';

export type Tokenizer = {
  readonly special: SpecialTokens;
  /** Text to ids. Text that looks like a special token is text: nothing a user writes can end a transcript. */
  readonly encode: (text: string) => number[];
  /** Ids to text, see `textOf`. */
  readonly decode: (tokens: Iterable<number>) => string;
};

/** Whisper has 1501 timestamps: 0.00 to 30.00 in steps of 20 ms. */
const timestampCount = 1501;

/** Vocabularies are padded up to a multiple of 128 at most, for the sake of matrix units. */
const maxPadding = 127;

type Parts = {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: unknown;
  readonly decoder?: { readonly type?: unknown };
  readonly added_tokens: readonly AddedToken[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly [string, string])[];
    readonly [option: string]: unknown;
  };
};
type AddedToken = { readonly id: number; readonly content: string; readonly special: boolean };

function invalid(message: string, cause?: unknown): Fault {
  return new Fault(
    'MODEL_INVALID',
    `tokenizer.json: ${message}`,
    'delete the model and add it again; if that does not help, its files do not belong together',
    { cause },
  );
}

function unsupported(message: string): Fault {
  return new Fault(
    'MODEL_UNSUPPORTED',
    `tokenizer.json: ${message}`,
    'use a Whisper model with its own byte-level tokenizer.json',
  );
}

/** Two ids must fit one safe integer, see `pairKey`; no vocabulary comes near. */
function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 0x4000000;
}

function parse(json: string): Parts {
  let parts: Parts;
  try {
    parts = JSON.parse(json) as Parts;
  } catch (cause) {
    throw invalid('is not JSON', cause);
  }
  if (parts?.model?.['type'] !== 'BPE' && parts?.model?.['type'] !== undefined) {
    throw unsupported(`model type is ${String(parts.model['type'])}, expected BPE`);
  }
  const { model, added_tokens: added } = parts ?? {};
  if (typeof model?.vocab !== 'object' || model.vocab === null || !Array.isArray(model.merges)) {
    throw invalid('has no model with vocab and merges');
  }
  if (
    !Array.isArray(added) ||
    !added.every((token) => isId(token?.id) && typeof token.content === 'string')
  ) {
    throw invalid('has no added_tokens with id and content');
  }
  if (!Object.values(model.vocab).every(isId)) throw invalid('has an id that is no whole number');
  for (const option of ['unk_token', 'continuing_subword_prefix', 'end_of_word_suffix', 'dropout'] as const) {
    // an unknown-token never occurs where all 256 bytes have a piece, as in Whisper's own tokenizer
    if (option !== 'unk_token' && model[option])
      throw unsupported(`model option ${option} is not known here`);
  }
  if (model['byte_fallback'] === true) throw unsupported('model option byte_fallback is not known here');
  if (parts.decoder?.type !== 'ByteLevel') {
    throw unsupported(`decoder is ${String(parts.decoder?.type)}, expected ByteLevel`);
  }
  return parts;
}

function toPair(merge: string | readonly [string, string]): readonly [string, string] {
  if (typeof merge !== 'string') return merge;
  const space = merge.indexOf(' ', 1);
  return [merge.slice(0, space), merge.slice(space + 1)];
}

function readSpecialTokens(
  ids: ReadonlyMap<string, number>,
  firstFree: number,
  modelIds: number,
): SpecialTokens {
  const required = (content: string): number => {
    const id = ids.get(content);
    if (id === undefined) throw invalid(`has no ${content}`);
    return id;
  };
  const languages = [...ids]
    .map(([content, id]) => [/^<\|([a-z]{2,3})\|>$/.exec(content)?.[1], id] as const)
    .filter((entry): entry is readonly [string, number] => entry[0] !== undefined)
    .sort((a, b) => a[1] - b[1]);
  const noTimestamps = ids.get('<|notimestamps|>');
  // older files do not list the timestamps: they are what the model has beyond the last listed token
  const unlisted = noTimestamps === firstFree - 1 && modelIds - firstFree >= timestampCount;
  return {
    endOfText: required('<|endoftext|>'),
    startOfTranscript: required('<|startoftranscript|>'),
    startOfPrevious: ids.get('<|startofprev|>'),
    noTimestamps,
    noSpeech: ids.get('<|nospeech|>') ?? ids.get('<|nocaptions|>'),
    firstTimestamp: ids.get('<|0.00|>') ?? (unlisted ? firstFree : undefined),
    transcribe: ids.get('<|transcribe|>'),
    translate: ids.get('<|translate|>'),
    languages: new Map(languages),
  };
}

function checkFit(highestId: number, special: SpecialTokens, modelIds: number): void {
  const count = special.firstTimestamp === highestId + 1 ? highestId + 1 + timestampCount : highestId + 1;
  if (count > modelIds || modelIds - count > maxPadding) {
    throw invalid(`has ${count} tokens, the model ${modelIds}`);
  }
}

type Encode = (text: string) => number[];

/** Everything that only encoding needs: a table of every pair of pieces that merges. */
function buildEncoder({ model, normalizer, pre_tokenizer: preTokenizer }: Parts): Encode {
  const vocabulary = new Map(Object.entries(model.vocab));
  const normalize = readNormalizer(normalizer);
  const toWords = readPreTokenizer(preTokenizer);
  const table = (() => {
    try {
      return buildMergeTable(model.merges.map(toPair), vocabulary);
    } catch (cause) {
      throw invalid((cause as Error).message, cause);
    }
  })();
  return (text) =>
    toWords(normalize(text)).flatMap((word) => {
      const whole = model['ignore_merges'] === true ? vocabulary.get(word) : undefined;
      return whole === undefined ? encodeWord(word, vocabulary, table) : [whole];
    });
}

function buildTable(parts: Parts, vocabularySize: number): TokenTable {
  const { model, added_tokens: added } = parts;
  const pieces: (string | undefined)[] = [];
  for (const piece of Object.keys(model.vocab)) pieces[model.vocab[piece] as number] = piece;
  const addedIds = new Map(added.map(({ content, id }) => [content, id]));
  for (const { content, id } of added) pieces[id] = content;

  const special = readSpecialTokens(addedIds, pieces.length, vocabularySize);
  checkFit(pieces.length - 1, special, vocabularySize);
  const { firstTimestamp = Number.POSITIVE_INFINITY } = special;
  const hidden = new Set(added.filter((token) => token.special).map((token) => token.id));

  const bytes: number[] = [];
  const ends = Uint32Array.from(pieces, (piece, token) => {
    if (piece !== undefined && token < firstTimestamp && !hidden.has(token)) appendBytes(piece, bytes);
    return bytes.length;
  });
  return { special, ends, bytes: Uint8Array.from(bytes) };
}

/**
 * Reads the text of a tokenizer.json for a model with `vocabularySize` output ids.
 * Throws Fault MODEL_INVALID if it is damaged or not of this model, MODEL_UNSUPPORTED if it is of another kind.
 */
export function readTokenizer(
  json: string,
  vocabularySize: number,
): Tokenizer & { readonly table: TokenTable } {
  const parts = parse(json);
  const table = buildTable(parts, vocabularySize);
  return { table, special: table.special, encode: buildEncoder(parts), decode: textOf(table) };
}
