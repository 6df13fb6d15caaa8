/**
 * The card of a model, `card.json` beside its weights: what it is, what it is for, how well it does, and the hash of
 * every file. The store writes one for every model it takes in; a folder from elsewhere is used without.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../daemon/faults.ts';
import { type FileList, isFileList, verifyFiles } from './files.ts';
import { type DecodingDefaults, isDecodingDefaults, whisperDefaults } from './whisper/belief.ts';

export type ModelCard = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** SPDX identifier. */
  readonly licence: string;
  /** Codes as Whisper writes them: `en`, `yue`. */
  readonly languages: readonly string[];
  readonly parameters: number;
  readonly files: FileList;
  /** Silence the model expects around speech, as in its training; undefined: no particular one. */
  readonly segment?: { readonly paddingBeforeMs: number; readonly paddingAfterMs: number };
  /** How to decode and what to believe, where it differs from Whisper's own defaults (docs/decoding.md). */
  readonly decoding?: Partial<DecodingDefaults>;
  readonly wer: readonly { readonly test: string; readonly utterances: number; readonly percent: number }[];
  readonly measured: readonly { readonly what: string; readonly result: string }[];
  readonly notFor: readonly string[];
  /** How it came into the store. */
  readonly added?: Origin;
};

export type Origin = {
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Address of the hub, or path of the folder. */
  readonly from: string;
  /** On a hub: owner/name, what was asked for (a branch, a tag), and the commit it was at that time. */
  readonly repository?: string;
  readonly revision?: string;
  readonly commit?: string;
};

const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText);
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isRows = (columns: Readonly<Record<string, (value: unknown) => boolean>>) => (value: unknown) =>
  Array.isArray(value) &&
  value.every((row) => Object.entries(columns).every(([column, fits]) => fits(row?.[column])));

const isOptional = (fits: (value: unknown) => boolean) => (value: unknown) =>
  value === undefined || fits(value);

type Expectation = { readonly expected: string; readonly fits: (value: unknown) => boolean };

const originFields = {
  at: isText,
  from: isText,
  repository: isOptional(isText),
  revision: isOptional(isText),
  commit: isOptional(isText),
} satisfies Record<keyof Origin, (value: unknown) => boolean>;

/** One expectation a field; `satisfies` keeps it in step with the type. */
const fields = {
  name: { expected: 'a text', fits: isText },
  version: { expected: 'a text', fits: isText },
  description: { expected: 'a text', fits: isText },
  licence: { expected: 'an SPDX identifier', fits: isText },
  languages: { expected: 'a list of language codes', fits: isTexts },
  parameters: { expected: 'a number', fits: isNumber },
  files: { expected: 'file names with bytes and sha256', fits: isFileList },
  segment: {
    expected: 'paddingBeforeMs and paddingAfterMs',
    fits: isOptional((value) => isRows({ paddingBeforeMs: isNumber, paddingAfterMs: isNumber })([value])),
  },
  decoding: {
    expected: `some of ${Object.keys(whisperDefaults).join(', ')}`,
    fits: (value: unknown) => value === undefined || isDecodingDefaults(value),
  },
  wer: {
    expected: 'a list of test, utterances, percent',
    fits: isRows({ test: isText, utterances: isNumber, percent: isNumber }),
  },
  measured: { expected: 'a list of what and result', fits: isRows({ what: isText, result: isText }) },
  notFor: { expected: 'a list of texts', fits: isTexts },
  added: {
    expected: 'at, from and perhaps repository, revision, commit',
    fits: isOptional((value) => isRows(originFields)([value])),
  },
} as const satisfies Record<keyof ModelCard, Expectation>;

function invalid(file: string, problems: string, cause?: unknown): Fault {
  const options = cause === undefined ? undefined : { cause };
  return new Fault(
    'MODEL_INVALID',
    `${file}: ${problems}`,
    'correct the card, or install the model again',
    options,
  );
}

/** The card in `modelDir`, or undefined if it has none. Throws `Fault` MODEL_INVALID with every problem of the card. */
export function readCard(modelDir: string): ModelCard | undefined {
  const file = path.join(modelDir, 'card.json');
  if (!existsSync(file)) return undefined;
  let card: Record<string, unknown>;
  try {
    card = JSON.parse(readFileSync(file, 'utf8')) ?? {};
  } catch (cause) {
    throw invalid(file, 'not JSON', cause);
  }
  const problems = Object.entries(fields)
    .filter(([name, { fits }]) => !fits(card[name]))
    .map(([name, { expected }]) => `${name} is ${JSON.stringify(card[name])}, expected ${expected}`);
  const unknown = Object.keys(card).filter((name) => !Object.hasOwn(fields, name) && name !== '$schema');
  problems.push(...unknown.map((name) => `${name} is no field of a card`));
  if (problems.length > 0) throw invalid(file, problems.join('; '));
  return card as ModelCard;
}

/**
 * Hashes every file the card names. Answers the card, or undefined where there is none to go by.
 * Throws `Fault`: MODEL_MISSING, MODEL_CHECKSUM_MISMATCH (the file and both hashes), MODEL_INVALID (the card itself).
 */
export function verifyModel(modelDir: string): ModelCard | undefined {
  const card = readCard(modelDir);
  if (card !== undefined) {
    verifyFiles(
      modelDir,
      card.files,
      'its card',
      'the file was damaged or replaced: install the model again',
    );
  }
  return card;
}
