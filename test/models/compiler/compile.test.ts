import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile, findOrCompile } from '../../../models/compiler/compile.ts';
import { openCompiled } from '../../../models/compiler/compiled.ts';
import { faultFrom } from '../../faults.ts';
import { embeddedModelDir } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { unlike, writeSmallWhisper } from '../../small-whisper.ts';

const compiler = suite('compile');
/** Compiles in a tenth of the time. */
const smallDir = writeSmallWhisper(temporaryDir(), { ...unlike, tied: true });

compiler('compiles once, then finds what it made, and compiles again when anything differs', () => {
  const dir = path.join(temporaryDir(), 'out');
  const first = compile(embeddedModelDir, dir);
  assert.is(first.cached, false);
  assert.is(first.model.options.weights, 'int8');
  assert.ok(first.report.operatorsAfter < first.report.operatorsBefore / 2);
  assert.ok(first.report.bytesAfter < first.report.bytesBefore / 2);
  const again = compile(embeddedModelDir, dir);
  assert.is(again.cached, true);
  assert.is(again.model.key, first.model.key);
  const other = compile(embeddedModelDir, dir, { exceptions: { head: 'fp32' } });
  assert.is(other.cached, false);
  assert.is.not(other.model.key, first.model.key);
  assert.equal(readdirSync(path.dirname(dir)), ['out'], 'nothing half-written is left beside it');
  // readable by the user a service runs as
  assert.is(statSync(dir).mode & 0o777, 0o777 & ~process.umask());
});

compiler('the order of exceptions is no difference', () => {
  const dir = temporaryDir();
  const one = findOrCompile(smallDir, [dir], { exceptions: { head: 'fp32', conv1: 'fp32' } });
  const two = findOrCompile(smallDir, [dir], { exceptions: { conv1: 'fp32', head: 'fp32' } });
  assert.is(two.cached, true);
  assert.is(two.model.dir, one.model.dir);
});

compiler('equal input gives equal bytes', () => {
  const [one, two] = [1, 2].map(() => compile(smallDir, path.join(temporaryDir(), 'out')).model.files);
  assert.equal(one, two);
});

compiler('a cache is looked through in order and written to at its end', () => {
  const readOnly = path.join(temporaryDir(), 'shipped');
  compile(smallDir, readOnly);
  const writable = path.join(temporaryDir(), 'cache');
  assert.is(findOrCompile(smallDir, [readOnly, writable]).model.dir, readOnly);
  const made = findOrCompile(smallDir, [readOnly, writable], { weights: 'fp32' });
  assert.is(made.model.dir, path.join(writable, made.model.key));
  assert.is(findOrCompile(smallDir, [readOnly, writable], { weights: 'fp32' }).cached, true);
});

compiler('a compiled model is whole: it needs nothing of what it was made from', () => {
  const dir = path.join(temporaryDir(), 'out');
  compile(smallDir, dir);
  const moved = path.join(temporaryDir(), 'moved');
  cpSync(dir, moved, { recursive: true });
  const opened = openCompiled(moved);
  assert.equal(
    Object.keys(opened.files).sort(),
    // what was hashed is noted once the files are older than a tick of the clock
    readdirSync(moved).filter((name) => !['compiled.json', 'verified.json'].includes(name)),
  );
  assert.ok(opened.files['tokenizer.json'] !== undefined && opened.encoderPath.startsWith(moved));
});

compiler('a damaged file is named with both hashes; compiling to the place mends it', () => {
  const dir = path.join(temporaryDir(), 'out');
  const { model } = compile(smallDir, dir);
  const file = path.join(dir, 'decoder.bin');
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
  writeFileSync(file, bytes);
  const fault = faultFrom(() => openCompiled(dir));
  assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
  assert.match(
    fault.message,
    new RegExp(`decoder.bin has sha256 [0-9a-f]{64}, .*${model.files['decoder.bin']?.sha256}`),
  );
  assert.is(faultFrom(() => findOrCompile(smallDir, [dir])).code, 'MODEL_CHECKSUM_MISMATCH');
  assert.is(compile(smallDir, dir).cached, false);
  openCompiled(dir);
  appendFileSync(file, '\0');
  assert.match(faultFrom(() => openCompiled(dir)).message, /bytes instead of/);
});

compiler('no compiled model, or one of another format, is missing', () => {
  const dir = temporaryDir();
  assert.is(faultFrom(() => openCompiled(dir)).code, 'MODEL_MISSING');
  for (const text of ['', 'null', '{"format":1}', '{"format":99,"files":{}}']) {
    writeFileSync(path.join(dir, 'compiled.json'), text);
    assert.is(faultFrom(() => openCompiled(dir)).code, 'MODEL_MISSING');
  }
  const hostile = {
    format: 1,
    key: '',
    shape: {},
    tokens: {},
    files: { '../x': { bytes: 0, sha256: '0'.repeat(64) } },
  };
  writeFileSync(path.join(dir, 'compiled.json'), JSON.stringify(hostile));
  assert.is(faultFrom(() => openCompiled(dir)).code, 'MODEL_MISSING');
});

compiler('what an interrupted compilation left is removed once it is old', () => {
  const parent = temporaryDir();
  const old = path.join(parent, 'out.partial-old');
  const running = path.join(parent, 'out.partial-running');
  for (const dir of [old, running]) mkdirSync(dir);
  utimesSync(old, 0, 0);
  compile(smallDir, path.join(parent, 'out'));
  assert.equal(readdirSync(parent).sort(), ['out', 'out.partial-running']);
});

compiler('a place that cannot be written to is a fault with a way out', () => {
  const file = path.join(temporaryDir(), 'file');
  writeFileSync(file, '');
  const fault = faultFrom(() => compile(smallDir, path.join(file, 'out')));
  assert.is(fault.code, 'MODEL_CACHE_UNWRITABLE');
  assert.match(fault.message, path.join(file, 'out'));
});

compiler('unknown matrices and formats are refused', () => {
  const refused = (options: object) => faultFrom(() => compile(smallDir, '/nowhere/out', options));
  assert.match(
    refused({ exceptions: { 'encoder.9.upp': 'fp32' } }).message,
    "no matrix is called 'encoder.9.upp'",
  );
  assert.match(refused({ exceptions: { head: 'int3' } }).message, "head is 'int3'");
  assert.match(refused({ weights: 'fp16' }).message, "weights is 'fp16'");
});

compiler.run();
