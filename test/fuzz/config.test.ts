import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../daemon/config/config.ts';
import { leaves } from '../../daemon/config/schema.ts';
import { Fault } from '../../daemon/faults.ts';

const seed = 20261122;
const budgetMs = 2000;
const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-config-fuzz-'));
const file = path.join(folder, 'config.yaml');

let state = seed;
/** Park and Miller's generator: the same sequence on every machine. */
function below(limit: number): number {
  state = (state * 48271) % 2147483647;
  return state % limit;
}
function oneOf<T>(items: readonly T[]): T {
  return items[below(items.length)] as T;
}

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
  for (let i = 0; i < 1 + below(8); i++) {
    const { path: at } = oneOf(leaves);
    const value = oneOf(scalars);
    lines.push(at.length === 1 ? `${at[0]}: ${value}` : `${at[0]}: { ${oneOf([at[1], ...keys])}: ${value} }`);
  }
  return lines.join('\n');
}

/** Loads; anything but a configuration or a fault fails. */
function tryOut(text: string, environment: Record<string, string> = {}): 'config' | 'fault' {
  writeFileSync(file, text);
  try {
    loadConfig({ path: file, environment });
    return 'config';
  } catch (thrown) {
    assert.instance(thrown, Fault, `not a fault for ${JSON.stringify(text.slice(0, 200))}: ${thrown}`);
    return 'fault';
  }
}

const test = suite('config under fire');

test('gives a fault or a configuration, and nothing else', () => {
  const outcomes = { config: 0, fault: 0 };
  const endMs = performance.now() + budgetMs;
  for (let round = 0; performance.now() < endMs; round++) {
    const text = round % 2 === 0 ? garbage() : nearlyRight();
    const { variable } = oneOf(leaves);
    const environment: Record<string, string> = round % 3 === 0 ? { [variable]: oneOf(scalars) } : {};
    outcomes[tryOut(text, environment)]++;
  }
  // both ways must have been walked, or the fuzzer tests nothing
  assert.ok(outcomes.config > 0 && outcomes.fault > outcomes.config, JSON.stringify(outcomes));
  assert.is(({} as Record<string, unknown>)['threshold'], undefined);
});

test('is not deceived by keys that mean something to JavaScript', () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'prototype']) {
    for (const text of [
      `${key}: { site: evil }`,
      `mqtt: { ${key}: { url: mqtt://evil } }`,
      `? ${key}\n: [1]`,
    ]) {
      assert.is(tryOut(text), 'fault', text);
    }
  }
  assert.is(tryOut('a: 1', { HARKD___PROTO__: '1' }), 'fault');
  assert.is(({} as Record<string, unknown>)['site'], undefined);
  assert.is(({} as Record<string, unknown>)['url'], undefined);
});

test('survives depth, size, aliases and cycles', () => {
  assert.is(tryOut('['.repeat(20_000)), 'fault');
  assert.is(tryOut(`site: ${'{a: '.repeat(5_000)}1${'}'.repeat(5_000)}`), 'fault');
  assert.is(tryOut('a'.repeat(2_000_000)), 'fault');
  assert.is(tryOut('mqtt: &a\n  url: *a\n'), 'fault');
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg'])
    bomb.push(`${to}: &${to} [${`*${from},`.repeat(9)}]`);
  assert.is(tryOut(bomb.join('\n')), 'fault');
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
