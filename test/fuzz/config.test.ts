import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../daemon/config/config.ts';
import { Fault } from '../../daemon/faults.ts';
import { randomFrom } from '../random.ts';
import { timeBox } from '../time-box.ts';
import { type ConfigFile, configFiles } from './config-files.ts';

const seed = 20261122;
const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-config-fuzz-'));
const file = path.join(folder, 'config.yaml');

/** Loads; anything but a configuration or a fault fails. */
function tryOut(text: string, environment: ConfigFile['environment'] = {}): 'config' | 'fault' {
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
  const next = configFiles(randomFrom(seed));
  for (const another = timeBox(2000, 500); another(); ) {
    const { text, environment } = next();
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
