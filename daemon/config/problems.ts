/** What is wrong with a configuration, said so that it can be corrected. */
import type { ErrorObject } from 'ajv';
import { Fault } from '../faults.ts';
import { nearest } from '../nearest.ts';
import { defaultOf, expectedOf, leaves, nodeAt, schema } from './schema.ts';

export type Problem = {
  /** `config.yaml:12`, the name of a variable, or `command line`. */
  readonly where: string;
  readonly key: string;
  readonly got: string;
  readonly expected: string;
  /** Empty when there is nothing to add. */
  readonly hint: string;
};

/** Says where the key at a path was set. */
export type WhereIs = (path: readonly string[]) => string;

/** A value in a message: short, on one line, whatever it is. */
export function show(value: unknown): string {
  // an address may hold a password
  if (typeof value === 'string' && /:\/\/.*@/s.test(value)) return '(hidden)';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a section';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** `HARKD_*` variables that no key goes by. */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): Problem[] {
  const known = ['HARKD_CONFIG', ...leaves.map((leaf) => leaf.variable)];
  return Object.keys(environment)
    .filter((name) => name.startsWith('HARKD_') && !known.includes(name))
    .map((name) => {
      const meant = nearest(name, known);
      return {
        where: 'environment',
        key: name,
        got: 'no such variable',
        expected: meant ?? 'HARKD_ and a key in capitals, such as HARKD_MQTT_URL',
        hint: meant === undefined ? 'unset it' : `did you mean ${meant}?`,
      };
    });
}

function unknownKey(where: string, parents: readonly string[], name: string): Problem {
  const siblings = Object.keys(nodeAt(parents)?.properties ?? {});
  const sibling = nearest(name, siblings);
  // right key in the wrong place: say where it belongs
  const elsewhere = leaves.find((leaf) => leaf.path.at(-1) === name)?.key;
  const meant = sibling === undefined ? elsewhere : [...parents, sibling].join('.');
  return {
    where,
    key: [...parents, name].join('.'),
    got: 'no such key',
    expected: `one of ${siblings.join(', ')}`,
    hint: meant === undefined ? '' : `did you mean ${meant}?`,
  };
}

/** A finding of the schema in words. */
export function problemOf(error: ErrorObject, whereIs: WhereIs): Problem {
  const at = error.instancePath.split('/').slice(1);
  const places = at.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  // one item of a list is a problem of the list
  const list = places.findIndex((_, i) => nodeAt(places.slice(0, i + 1))?.type === 'array');
  const names = list === -1 ? places : places.slice(0, list + 1);
  if (error.keyword === 'additionalProperties') {
    const name = String(error.params['additionalProperty']);
    return unknownKey(whereIs([...names, name]), names, name);
  }
  const node = nodeAt(names) ?? schema;
  const quotes = node.type === 'string' && ['number', 'boolean'].includes(typeof error.data);
  return {
    where: whereIs(names),
    key: names.join('.'),
    got: node.writeOnly ? '(hidden)' : show(error.data),
    expected: expectedOf(node),
    hint: quotes ? 'put it in quotes' : node.type === 'object' ? '' : `left out it is ${defaultOf(node)}`,
  };
}

const fileHint =
  'correct them and try with: harkd config check; every key is explained in docs/configuration.md';

/** One fault that lists all of them, a line each; the problems themselves are its `cause`. */
export function faultOf(problems: readonly Problem[], hint = fileHint): Fault {
  const lines = problems.map(({ where, key, got, expected, hint }) => {
    const sentence = got.startsWith('no such') ? `${key}: ${got}` : `${key} is ${got}, expected ${expected}`;
    return `  ${where}: ${sentence}${hint === '' ? '' : ` (${hint})`}`;
  });
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const message = `${count} in the configuration:\n${lines.join('\n')}`;
  return new Fault('CONFIG_INVALID', message, hint, { cause: problems });
}
