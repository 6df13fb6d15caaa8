import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { elfMachine, foreignBinary, keepsFile, type Lock, packagesToShip } from '../../cross-build/prune.ts';
import { announceSkip } from '../skip.ts';

const repoRoot = path.join(import.meta.dirname, '../../..');
const lock = JSON.parse(readFileSync(path.join(repoRoot, 'package-lock.json'), 'utf8')) as Lock;

const test = suite('cross-build/prune');

test('follows dependencies as Node finds them, nested ones first', () => {
  const packages = {
    '': { dependencies: { a: '1' }, devDependencies: { d: '1' } },
    'node_modules/a': { dependencies: { b: '1', '@s/c': '1', '@types/x': '1' } },
    'node_modules/a/node_modules/b': { dependencies: { e: '1' } },
    'node_modules/a/node_modules/e': {},
    'node_modules/b': { dependencies: { f: '1' } },
    'node_modules/d': {},
    'node_modules/e': {},
    'node_modules/f': {},
    'node_modules/@s/c': { dependencies: { a: '1', b: '1' } },
    'node_modules/@types/x': {},
  };
  assert.equal(packagesToShip({ packages }, 'arm64'), [
    'node_modules/@s/c',
    'node_modules/a',
    'node_modules/a/node_modules/b',
    'node_modules/a/node_modules/e',
    'node_modules/b',
    'node_modules/f',
  ]);
});

test('refuses what cannot run there, and leaves it out where it is optional', () => {
  const only = { cpu: ['x64'] };
  const needed = { packages: { '': { dependencies: { a: '1' } }, 'node_modules/a': only } };
  assert.throws(() => packagesToShip(needed, 'arm64'), /runs on linux x64 only, expected linux arm64/);
  assert.equal(packagesToShip(needed, 'x64'), ['node_modules/a']);
  const optional = {
    packages: { '': { optionalDependencies: { a: '1', gone: '1' } }, 'node_modules/a': only },
  };
  assert.equal(packagesToShip(optional, 'arm64'), []);
  assert.throws(
    () => packagesToShip({ packages: { '': { dependencies: { a: '1' } } } }, 'arm64'),
    /has no a, which harkd needs/,
  );
});

test('ships every dependency of harkd itself, and nothing of the installer or the workshop', () => {
  const shipped = packagesToShip(lock, 'arm64');
  for (const name of Object.keys(lock.packages['']?.dependencies ?? {})) {
    assert.ok(shipped.includes(`node_modules/${name}`), name);
  }
  for (const name of ['adm-zip', 'global-agent', 'typescript', 'uvu', '@types/node', '@ricky0123/vad-web']) {
    assert.not(shipped.includes(`node_modules/${name}`), name);
  }
});

test('keeps programs, data and licences', () => {
  const keeps = (name: string, file: string) => keepsFile(name, file, 'arm64');
  assert.ok(keeps('onnxruntime-node', 'bin/napi-v6/linux/arm64/libonnxruntime.so.1'));
  assert.ok(keeps('onnxruntime-node', 'dist/index.js'));
  assert.ok(keeps('onnxruntime-common', 'dist/cjs/index.js'));
  assert.ok(keeps('mqtt', 'build/index.js'));
  assert.ok(keeps('mqtt', 'LICENSE.md'));
  assert.ok(keeps('yaml', 'dist/doc/Document.js'));
  assert.ok(keeps('x', 'lib/test/looks-like-one.js'));
  assert.ok(keeps('x', 'docs/LICENSE'));
  for (const [name, file] of [
    ['onnxruntime-node', 'bin/napi-v6/linux/x64/libonnxruntime.so.1'],
    ['onnxruntime-node', 'bin/napi-v6/win32/arm64/onnxruntime.dll'],
    ['onnxruntime-node', 'bin/napi-v6/darwin/arm64/libonnxruntime.dylib'],
    ['onnxruntime-node', 'script/install.js'],
    ['onnxruntime-node', 'lib/index.ts'],
    ['onnxruntime-common', 'dist/esm/index.js'],
    ['mqtt', 'dist/mqtt.min.js'],
    ['x', 'index.d.ts'],
    ['x', 'index.d.cts'],
    ['x', 'index.js.map'],
    ['x', 'test/x.js'],
    ['x', 'README.md'],
    ['x', '.eslintrc.json'],
  ] as const) {
    assert.not(keeps(name, file), `${name}/${file}`);
  }
});

test('reads the processor from a binary', () => {
  assert.is(elfMachine(new TextEncoder().encode('#!/bin/sh and so on, long enough')), undefined);
  assert.is(elfMachine(new Uint8Array(3)), undefined);
  const x64 = readFileSync(process.execPath).subarray(0, 20);
  if (process.arch === 'x64') {
    assert.is(elfMachine(x64), 62);
    assert.match(foreignBinary(x64, 'arm64') ?? '', /expected 183 \(arm64\)/);
    assert.is(foreignBinary(x64, 'x64'), undefined);
  }
});

const binDir = path.join(repoRoot, 'node_modules/onnxruntime-node/bin/napi-v6/linux/arm64');
if (!existsSync(binDir)) announceSkip('the arm64 binaries of onnxruntime-node', `${binDir} is not installed`);
else {
  test('finds the binaries of onnxruntime-node to be for arm64', () => {
    const names = readdirSync(binDir);
    assert.ok(names.includes('onnxruntime_binding.node'));
    for (const name of names)
      assert.is(elfMachine(readFileSync(path.join(binDir, name)).subarray(0, 20)), 183, name);
  });
}

test.run();
