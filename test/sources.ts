/** Reads TypeScript sources just well enough to see what they import and which globals they touch. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const repoRoot = path.join(import.meta.dirname, '../..');

export type Import = {
  /** As written: a package, `node:…`, or a path. */
  readonly specifier: string;
  /** A path from the root of the repository, when it is one of our files. */
  readonly file: string | undefined;
  /** `import type` and `export type`: gone when the program runs. */
  readonly typeOnly: boolean;
  /** `import()`: loaded when it is reached, if at all. */
  readonly dynamic: boolean;
};

export type Source = {
  /** From the root of the repository, with `/`. */
  readonly file: string;
  /** Without comments, and strings emptied: what is left is what runs. */
  readonly code: string;
  readonly imports: readonly Import[];
};

/**
 * Blanks comments, and the inside of strings unless `keepStrings`. Line breaks stay. Knows templates and regular
 * expressions well enough for formatted code: a `/` after an operand divides, any other begins an expression.
 */
export function blank(text: string, keepStrings: boolean): string {
  let out = '';
  let at = 0;
  const templates: number[] = [];
  let braces = 0;
  const skipTo = (end: number, keep: boolean): void => {
    const piece = text.slice(at, end);
    out += keep ? piece : piece.replaceAll(/[^\n]/g, ' ');
    at = end;
  };
  /** From after an opening back-tick or a closing `}`: to the next `${` or the end of the template. */
  const template = (): void => {
    let end = at;
    while (end < text.length && text[end] !== '`' && !text.startsWith('${', end))
      end += text[end] === '\\' ? 2 : 1;
    skipTo(end, keepStrings);
    if (text[end] === '`') skipTo(end + 1, true);
    else {
      skipTo(Math.min(text.length, end + 2), true);
      templates.push(braces++);
    }
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] ?? '';
    if (two === '//') skipTo((text.indexOf('\n', at) + text.length + 1) % (text.length + 1), false);
    else if (two === '/*') skipTo(text.indexOf('*/', at) + 2 || text.length, false);
    else if (one === "'" || one === '"') {
      let end = at + 1;
      while (end < text.length && text[end] !== one) end += text[end] === '\\' ? 2 : 1;
      skipTo(at + 1, true);
      skipTo(end, keepStrings);
      skipTo(end + 1, true);
    } else if (one === '`') {
      skipTo(at + 1, true);
      template();
    } else if (one === '}' && templates.at(-1) === braces - 1) {
      templates.pop();
      braces--;
      skipTo(at + 1, true);
      template();
    } else if (one === '/' && !/[\w$)\]}]\s*$/.test(out.slice(-80))) {
      const expression = /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/.exec(text.slice(at));
      skipTo(at + (expression?.[0].length ?? 1), false);
    } else {
      if (one === '{') braces++;
      else if (one === '}') braces--;
      skipTo(at + 1, true);
    }
  }
  return out;
}

const staticImport = /^\s*(?:import|export)\s+(type\s+)?(?:[\w*\s{},$]+?\s+from\s+)?['"]([^'"\n]+)['"]/gm;
const dynamicImport = /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g;

export function parseSource(file: string, text: string): Source {
  const withStrings = blank(text, true);
  const code = blank(text, false);
  const resolve = (specifier: string): string | undefined =>
    specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : undefined;
  // both are as long as the text, so what stands inside a string is not there in `code`
  const runs = (match: RegExpExecArray): boolean =>
    /import|export/.test(code.slice(match.index, match.index + match[0].length));
  const imports: Import[] = [];
  for (const match of [...withStrings.matchAll(staticImport)].filter(runs)) {
    const [, type, specifier = ''] = match;
    imports.push({ specifier, file: resolve(specifier), typeOnly: type !== undefined, dynamic: false });
  }
  for (const match of [...withStrings.matchAll(dynamicImport)].filter(runs)) {
    const [, specifier = ''] = match;
    const typeOnly = /typeof\s+$/.test(code.slice(0, match.index));
    imports.push({ specifier, file: resolve(specifier), typeOnly, dynamic: true });
  }
  return { file, code, imports };
}

/** Every TypeScript file of the given folders, in order. */
export function readSources(folders: readonly string[]): Source[] {
  return folders
    .flatMap((folder) => {
      const names = readdirSync(path.join(repoRoot, folder), { recursive: true, encoding: 'utf8' });
      return names.map((name) => path.posix.join(folder, name.split(path.sep).join('/')));
    })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .sort()
    .map((file) => parseSource(file, readFileSync(path.join(repoRoot, file), 'utf8')));
}
