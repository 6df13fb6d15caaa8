/**
 * From text to words in the byte alphabet, by the `normalizer` and `pre_tokenizer` of a Hugging Face tokenizer.json.
 * Only what Whisper-like tokenizers use is known; anything else is refused by name rather than half done.
 */
import { Fault } from '../../daemon/faults.ts';
import { toByteAlphabet } from './byte-pairs.ts';

type Step = Readonly<Record<string, unknown>>;

/**
 * GPT-2's word pattern. `\s` is spelled out: JavaScript's also takes U+FEFF and leaves out U+0085, the Unicode
 * property is what the reference uses.
 */
const wordPattern = inUnicodeTerms(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
);

function inUnicodeTerms(pattern: string): string {
  return pattern.replace(/\\./g, (code) =>
    code === '\\s' ? '\\p{White_Space}' : code === '\\S' ? '\\P{White_Space}' : code,
  );
}

function unsupported(part: string, got: unknown): Fault {
  return new Fault(
    'MODEL_UNSUPPORTED',
    `tokenizer.json: ${part} ${JSON.stringify(got)} is not known here`,
    'use a Whisper model with its own byte-level tokenizer.json',
  );
}

function isStep(value: unknown): value is Step {
  return typeof value === 'object' && value !== null;
}

function stepsOf(value: unknown, part: string): readonly Step[] {
  if (!Array.isArray(value) || !value.every(isStep)) throw unsupported(part, value);
  return value;
}

/** Reads `normalizer` (absent, Lowercase, NFC, NFD, NFKC, NFKD, or a Sequence of them). Throws Fault MODEL_UNSUPPORTED. */
export function readNormalizer(spec: unknown): (text: string) => string {
  if (spec === undefined || spec === null) return (text) => text;
  if (!isStep(spec)) throw unsupported('normalizer', spec);
  const kind = spec['type'];
  switch (kind) {
    case 'Sequence': {
      const steps = stepsOf(spec['normalizers'], 'normalizers').map(readNormalizer);
      return (text) => steps.reduce((so, step) => step(so), text);
    }
    case 'Lowercase':
      // one code point at a time, as the reference: a whole-string lower-case turns a final Σ into ς
      return (text) => Array.from(text, (char) => char.toLowerCase()).join('');
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => text.normalize(kind);
    default:
      throw unsupported('normalizer', kind);
  }
}

function toPattern(source: string): RegExp {
  try {
    return new RegExp(inUnicodeTerms(source), 'gu');
  } catch (cause) {
    throw new Fault(
      'MODEL_UNSUPPORTED',
      `tokenizer.json: the pattern ${source} does not compile here`,
      'use a Whisper model with its own byte-level tokenizer.json',
      { cause },
    );
  }
}

/** Cuts at every match; the match and what lies between matches are words of their own (`Isolated`). */
function cutAt(pattern: RegExp, text: string): string[] {
  const words: string[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) words.push(text.slice(end, match.index));
    if (match[0] !== '') words.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) words.push(text.slice(end));
  return words;
}

function readSplit(spec: Step): (words: readonly string[]) => string[] {
  const pattern = spec['pattern'];
  const source = isStep(pattern) ? pattern['Regex'] : undefined;
  if (typeof source !== 'string' || spec['behavior'] !== 'Isolated' || spec['invert'] === true) {
    throw unsupported('Split', spec);
  }
  const compiled = toPattern(source);
  return (words) => words.flatMap((word) => cutAt(compiled, word));
}

function readByteLevel(spec: Step): (words: readonly string[]) => string[] {
  const compiled = spec['use_regex'] === false ? undefined : new RegExp(wordPattern, 'gu');
  const prefixed = spec['add_prefix_space'] === true;
  return (words) =>
    words
      .map((word) => (prefixed && !word.startsWith(' ') ? ` ${word}` : word))
      .flatMap((word) => (compiled === undefined ? [word] : cutAt(compiled, word)))
      .map(toByteAlphabet);
}

/**
 * Reads `pre_tokenizer`: ByteLevel, or a Sequence of Splits (`Isolated`) that ends in ByteLevel.
 * Returns text -> words in the byte alphabet. Throws Fault MODEL_UNSUPPORTED.
 */
export function readPreTokenizer(spec: unknown): (text: string) => readonly string[] {
  if (!isStep(spec)) throw unsupported('pre_tokenizer', spec);
  const chain = spec['type'] === 'Sequence' ? stepsOf(spec['pretokenizers'], 'pretokenizers') : [spec];
  const splits = chain.slice(0, -1).map((step) => {
    if (step['type'] !== 'Split') throw unsupported('pre_tokenizer', step['type']);
    return readSplit(step);
  });
  const last = chain.at(-1);
  if (last?.['type'] !== 'ByteLevel') throw unsupported('pre_tokenizer', last?.['type']);
  const toBytes = readByteLevel(last);
  return (text) =>
    text === '' ? [] : toBytes(splits.reduce<readonly string[]>((words, split) => split(words), [text]));
}
