/** A YAML file as a plain tree, with the line of every key: all that can be wrong with it is an answer, not a throw. */
import { createRequire } from 'node:module';
import type { Document, LineCounter } from 'yaml';
import type { ConfigTree } from './tree.ts';

export type ParsedFile = {
  readonly tree: ConfigTree;
  /** Line (from 1) of the key at a path, or undefined when the file has no such key. */
  readonly lineOf: (path: readonly string[]) => number | undefined;
  readonly errors: readonly { readonly line: number; readonly column: number; readonly message: string }[];
};

/** Loaded for the first file: eighty modules, a tenth of the start, for nothing where there is none. */
const yaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml');

/** Far more than any configuration needs; what is longer was not meant for us. */
const maxCharacters = 1 << 20;

function failed(message: string, line = 1, column = 1): ParsedFile {
  return { tree: {}, lineOf: () => undefined, errors: [{ line, column, message }] };
}

function findLine(document: Document, lines: LineCounter, path: readonly string[]): number | undefined {
  const { isMap, isScalar } = yaml();
  let node: unknown = document.contents;
  let line: number | undefined;
  for (const name of path) {
    if (!isMap(node)) return line;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === name);
    if (pair === undefined) return line;
    if (isScalar(pair.key) && pair.key.range) line = lines.linePos(pair.key.range[0]).line;
    node = pair.value;
  }
  return line;
}

/**
 * Parses YAML 1.2. Never throws: syntax errors, duplicate keys, several documents, alias bombs and a file that is
 * not a mapping come back as `errors`. An empty file is an empty tree.
 */
export function parseConfigFile(text: string): ParsedFile {
  if (text.length > maxCharacters)
    return failed(`expected at most ${maxCharacters} characters, got ${text.length}`);
  if (text === '') return { tree: {}, lineOf: () => undefined, errors: [] };
  const { LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
    const errors = [...document.errors, ...document.warnings].map(({ pos, message }) => {
      const { line, col } = lines.linePos(pos[0]);
      return { line, column: col, message: message.split('\n')[0] ?? message };
    });
    if (errors.length > 0) return { tree: {}, lineOf: () => undefined, errors };
    // 100 is the library's own bound against "billion laughs"
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    const tree = value ?? {};
    if (typeof tree !== 'object' || Array.isArray(tree)) {
      return failed(`expected keys and values, got ${Array.isArray(tree) ? 'a list' : JSON.stringify(tree)}`);
    }
    return { tree: tree as ConfigTree, lineOf: (path) => findLine(document, lines, path), errors: [] };
  } catch (thrown) {
    // unresolved or excessive aliases (ReferenceError) and nesting deeper than the stack (RangeError)
    return failed(thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : String(thrown));
  }
}
