import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../daemon/faults.ts';
import type { FileList } from '../../models/files.ts';
import { verifyFilesOnce } from '../../models/verified.ts';

const test = suite('verified once');
const dir = mkdtempSync(path.join(os.tmpdir(), 'harkd-verified-'));
test.after(() => rmSync(dir, { recursive: true }));

const names = ['a.bin', 'b.bin'];
const stampFile = path.join(dir, 'verified.json');
for (const name of names) writeFileSync(path.join(dir, name), `weights of ${name}`);
const files: FileList = Object.fromEntries(
  names.map((name) => {
    const bytes = readFileSync(path.join(dir, name));
    return [name, { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }];
  }),
);
const outcome = (): string => {
  try {
    verifyFilesOnce(dir, files, 'the test', 'mend it');
    return 'right';
  } catch (error) {
    assert.instance(error, Fault);
    return (error as Fault).code;
  }
};
const stamped = (): string[] => Object.keys(JSON.parse(readFileSync(stampFile, 'utf8'))).sort();

test('files that were written just now are hashed, and not trusted next time', () => {
  assert.is(outcome(), 'right');
  assert.not(existsSync(stampFile));
  // in place, of the same length, with its old time: within the tick of a clock it would look the same
  const file = path.join(dir, 'a.bin');
  writeFileSync(file, 'WEIGHTS of a.bin');
  assert.is(outcome(), 'MODEL_CHECKSUM_MISMATCH');
  writeFileSync(file, 'weights of a.bin');
});

test('files at rest are hashed once, until somebody touches them', async () => {
  await sleep(2100);
  assert.is(outcome(), 'right');
  assert.equal(stamped(), names);
  // that they are not hashed again shows in a stamp that lies about the bytes
  const stamp = readFileSync(stampFile, 'utf8');
  const wrong = { ...files, 'b.bin': { bytes: 0, sha256: '0'.repeat(64) } };
  writeFileSync(stampFile, stamp.replace(files['b.bin']?.sha256 ?? '', '0'.repeat(64)));
  verifyFilesOnce(dir, wrong, 'the test', 'mend it');
  // nor is a stamp believed that speaks of another hash
  assert.is(outcome(), 'right');
  assert.equal(stamped(), names);

  const file = path.join(dir, 'b.bin');
  writeFileSync(file, 'WEIGHTS of b.bin');
  utimesSync(file, new Date(0), new Date(0));
  assert.is(outcome(), 'MODEL_CHECKSUM_MISMATCH');
  rmSync(file);
  assert.is(outcome(), 'MODEL_MISSING');
  writeFileSync(file, 'weights of b.bin');
  assert.is(outcome(), 'right');
  assert.equal(stamped(), ['a.bin']);
});

test('a stamp that cannot be read or written changes nothing', () => {
  for (const damaged of ['', 'null', '[]', '{"a.bin":null}', '{"a.bin":{"look":7}}']) {
    writeFileSync(stampFile, damaged);
    assert.is(outcome(), 'right', damaged);
  }
  rmSync(stampFile);
  mkdirSync(stampFile);
  chmodSync(dir, 0o555);
  assert.is(outcome(), 'right');
  chmodSync(dir, 0o755);
  assert.ok(existsSync(stampFile));
});

test.run();
