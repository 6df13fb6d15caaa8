import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pack } from '../../cross-build/pack.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-pack-test-'));
const packageDir = path.join(folder, 'package');

function write(file: string, content: string): void {
  mkdirSync(path.dirname(path.join(packageDir, file)), { recursive: true });
  writeFileSync(path.join(packageDir, file), content);
}

write('package.json', '{ "name": "tiny", "version": "1.2.3" }');
write(
  'package-lock.json',
  JSON.stringify({
    packages: {
      '': { dependencies: { 'onnxruntime-node': '1' } },
      'node_modules/onnxruntime-node': { version: '1.0.0' },
      'node_modules/dev': { version: '1.0.0', dev: true },
    },
  }),
);
write('dist/daemon/main.js', '#!/usr/bin/env node\n');
write('dist/daemon/main.js.map', '{}');
write('dist/test/x.test.js', '');
write('node_modules/onnxruntime-node/package.json', '{ "name": "onnxruntime-node", "version": "1.0.0" }');
write('node_modules/onnxruntime-node/bin/napi-v6/linux/arm64/readme.txt', 'arm');
write('node_modules/onnxruntime-node/bin/napi-v6/win32/x64/onnxruntime.dll', 'win');
write('node_modules/dev/package.json', '{ "name": "dev", "version": "1.0.0" }');

const test = suite('cross-build/pack');

test('packs what runs, in order, owned by root, at the time given', () => {
  const { tarball, files } = pack(packageDir, 'arm64', path.join(folder, 'a'), 1_700_000_000);
  assert.is(path.basename(tarball), 'tiny-1.2.3-linux-arm64.tar.gz');
  assert.is(files, 4);
  const environment = { ...process.env, TZ: 'UTC', LC_ALL: 'C' };
  const list = execFileSync('tar', ['-tvzf', tarball, '--numeric-owner'], {
    encoding: 'utf8',
    env: environment,
  });
  const entries = list
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  assert.equal(
    entries.filter(([mode]) => mode?.startsWith('-')).map(([mode, , , , , name]) => `${mode} ${name}`),
    [
      '-rwxr-xr-x tiny/dist/daemon/main.js',
      '-rw-r--r-- tiny/node_modules/onnxruntime-node/bin/napi-v6/linux/arm64/readme.txt',
      '-rw-r--r-- tiny/node_modules/onnxruntime-node/package.json',
      '-rw-r--r-- tiny/package.json',
    ],
  );
  for (const [mode, owner, , date] of entries) {
    assert.is(owner, '0/0');
    assert.is(date, '2023-11-14');
    assert.match(mode ?? '', /^(-|drwxr-xr-x)/);
  }
});

test('gives the same bytes again, whatever the clock, the umask and the rights of the files', () => {
  const first = pack(packageDir, 'arm64', path.join(folder, 'b'), 1_700_000_000);
  for (const file of ['package.json', 'dist/daemon/main.js']) {
    utimesSync(path.join(packageDir, file), 1, 1);
    chmodSync(path.join(packageDir, file), 0o600);
  }
  const before = process.umask(0o077);
  const second = pack(packageDir, 'arm64', path.join(folder, 'c'), 1_700_000_000);
  process.umask(before);
  assert.is(second.sha256, first.sha256);
  assert.is.not(pack(packageDir, 'arm64', path.join(folder, 'd'), 1_700_000_001).sha256, first.sha256);
});

test('refuses a package that is not the one of the lock', () => {
  write('node_modules/onnxruntime-node/package.json', '{ "name": "onnxruntime-node", "version": "2.0.0" }');
  assert.throws(
    () => pack(packageDir, 'arm64', folder, 1),
    /is 2\.0\.0, package-lock\.json says 1\.0\.0: run npm ci/,
  );
  write('node_modules/onnxruntime-node/package.json', '{ "name": "onnxruntime-node", "version": "1.0.0" }');
});

test('refuses a binary for another processor', () => {
  const binary = path.join(packageDir, 'node_modules/onnxruntime-node/bin/napi-v6/linux/arm64/x.node');
  copyFileSync('/bin/true', binary);
  const other = process.arch === 'arm64' ? 'x64' : 'arm64';
  if (other === 'x64') return;
  assert.throws(() => pack(packageDir, other, folder, 1), /x\.node is for ELF machine 62, expected 183/);
  rmSync(binary);
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
