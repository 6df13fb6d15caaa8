/** Configuration files, well-formed to nonsense, and values for variables of the environment. */
import { leaves } from '../../daemon/config/schema.ts';

const keys = [
  ...leaves.flatMap(({ path: at }) => at),
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
];
const scalars = [
  ...[
    '0',
    '-1',
    '0.5',
    '1e999',
    '.nan',
    '.inf',
    'true',
    'null',
    '~',
    'embedded',
    'mqtt://h',
    '"\\u0000"',
    '🎤',
  ],
  ...[
    '!!binary aGk=',
    '!!set {a, b}',
    '!!js/function x',
    '*a',
    '&a 1',
    '<<',
    '|',
    '>-',
    "''",
    '@',
    '`',
    '%YAML 9',
  ],
];
const glue = [
  ': ',
  ':\n  ',
  '\n',
  '\n  ',
  '\n- ',
  ', ',
  '{',
  '}',
  '[',
  ']',
  '#',
  '---\n',
  '...\n',
  '? ',
  '\t',
  '"',
  "'",
];

export type ConfigFile = { readonly text: string; readonly environment: Readonly<Record<string, string>> };

/** Answers a function that makes one after the other, the same for the same random numbers. */
export function configFiles(random: () => number): () => ConfigFile {
  const below = (limit: number): number => Math.floor(random() * limit);
  function oneOf<T>(items: readonly T[]): T {
    return items[below(items.length)] as T;
  }

  function garbage(): string {
    let text = '';
    const pieces = 1 + below(30);
    for (let i = 0; i < pieces; i++)
      text += oneOf([() => oneOf(keys), () => oneOf(scalars), () => oneOf(glue)])();
    return text;
  }

  /** Well-formed more often than not: sections and keys with odd values. */
  function nearlyRight(): string {
    const lines: string[] = [];
    // now and then none at all: a configuration, whatever else there is
    const count = below(8);
    for (let i = 0; i < count; i++) {
      const { path: at } = oneOf(leaves);
      const value = oneOf(scalars);
      lines.push(
        at.length === 1 ? `${at[0]}: ${value}` : `${at[0]}: { ${oneOf([at[1], ...keys])}: ${value} }`,
      );
    }
    return lines.join('\n');
  }

  return () => ({
    text: random() < 0.5 ? garbage() : nearlyRight(),
    environment: random() < 0.3 ? { [oneOf(leaves).variable]: oneOf(scalars) } : {},
  });
}
