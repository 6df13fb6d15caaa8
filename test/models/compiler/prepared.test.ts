import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../models/compiler/compile.ts';
import { openPrepared } from '../../../models/compiler/prepared.ts';
import { faultFrom } from '../../faults.ts';

const embeddedDir = path.join(import.meta.dirname, '../../../../models/embedded');

const prepared = suite('prepared');

/** A copy of the embedded model, with its card, that may be damaged; and an empty cache. */
function setUp(): { readonly modelDir: string; readonly cacheDir: string; readonly remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'harkd-prepared-'));
  const modelDir = path.join(folder, 'model');
  cpSync(embeddedDir, modelDir, { recursive: true, filter: (from) => !from.endsWith('demo') });
  return {
    modelDir,
    cacheDir: path.join(folder, 'cache'),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

prepared('compiles once, and opens what it made afterwards', () => {
  const { modelDir, cacheDir, remove } = setUp();
  const first = openPrepared(modelDir, [cacheDir]);
  assert.equal(openPrepared(modelDir, [cacheDir]), first);
  remove();
});

prepared(
  'a checkpoint that is not what its card says is not compiled: the file and both hashes are named',
  () => {
    const { modelDir, cacheDir, remove } = setUp();
    appendFileSync(path.join(modelDir, 'model.safetensors'), 'x');
    const fault = faultFrom(() => openPrepared(modelDir, [cacheDir]));
    assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
    assert.match(fault.message, /model\.safetensors has sha256 [0-9a-f]{64}.* says [0-9a-f]{64}/);
    remove();
  },
);

prepared('what is compiled already does not need the checkpoint', () => {
  const { modelDir, cacheDir, remove } = setUp();
  compile(modelDir, cacheDir);
  rmSync(path.join(modelDir, 'model.safetensors'));
  assert.is(openPrepared(modelDir, [cacheDir]).dir, cacheDir);
  remove();
});

prepared('damaged graphs are refused with both hashes', () => {
  const { modelDir, cacheDir, remove } = setUp();
  compile(modelDir, cacheDir);
  appendFileSync(path.join(cacheDir, 'encoder.bin'), 'x');
  const fault = faultFrom(() => openPrepared(modelDir, [cacheDir]));
  assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
  assert.match(fault.message, /encoder\.bin has sha256 [0-9a-f]{64}/);
  remove();
});

prepared('other options are another model', () => {
  const { modelDir, cacheDir, remove } = setUp();
  compile(modelDir, cacheDir);
  const exact = openPrepared(modelDir, [cacheDir], { weights: 'fp32' });
  assert.is(exact.options.weights, 'fp32');
  assert.is.not(exact.dir, cacheDir);
  remove();
});

prepared('a folder that was compiled is a model too, in whatever formats', () => {
  const { modelDir, cacheDir, remove } = setUp();
  const carried = path.join(cacheDir, 'carried');
  compile(modelDir, carried, { weights: 'fp32' });
  const opened = openPrepared(carried, [cacheDir], { profile: 'no-dot-product' });
  assert.is(opened.dir, carried);
  assert.is(opened.options.weights, 'fp32');
  const words = faultFrom(() => openPrepared(carried, [cacheDir], { alignment: true }));
  assert.is(words.code, 'MODEL_UNSUPPORTED');
  assert.match(words.message, 'when each word was said');
  appendFileSync(path.join(carried, 'tokenizer.json'), ' ');
  assert.is(faultFrom(() => openPrepared(carried, [cacheDir])).code, 'MODEL_CHECKSUM_MISMATCH');
  remove();
});

prepared('a folder that another version has compiled is refused, with what to do', () => {
  const { modelDir, cacheDir, remove } = setUp();
  compile(modelDir, cacheDir);
  const file = path.join(cacheDir, 'compiled.json');
  const description = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...description, compilerVersion: '0' }));
  const other = faultFrom(() => openPrepared(cacheDir, []));
  assert.is(other.code, 'MODEL_UNSUPPORTED');
  assert.match(other.message, /compiled by version 0 of the compiler, expected \d+/);
  writeFileSync(file, '{');
  assert.match(faultFrom(() => openPrepared(cacheDir, [])).message, 'there is no compiled model at');
  remove();
});

prepared.run();
