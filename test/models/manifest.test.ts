import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCard, verifyModel } from '../../models/manifest.ts';
import { faultFrom } from '../faults.ts';
import { embeddedModelDir } from '../golden.ts';
import { temporaryDir } from '../graph-files.ts';

const manifest = suite('manifest');

function copyOfModel(): string {
  const dir = path.join(temporaryDir(), 'model');
  cpSync(embeddedModelDir, dir, { recursive: true });
  return dir;
}

manifest('the embedded model is what its card says', () => {
  const card = verifyModel(embeddedModelDir);
  assert.is(card?.name, 'nano');
  assert.is(card?.licence, 'MIT');
  assert.equal(card?.languages, ['en']);
  assert.ok((card?.segment?.paddingBeforeMs ?? 0) >= 100);
});

manifest('the corrupt file is named with both hashes', () => {
  const dir = copyOfModel();
  const file = path.join(dir, 'model.safetensors');
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(5_000_000) ^ 0x80, 5_000_000);
  writeFileSync(file, bytes);
  const fault = faultFrom(() => verifyModel(dir));
  assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
  const promised = readCard(dir)?.files['model.safetensors']?.sha256;
  assert.match(
    fault.message,
    new RegExp(`model.safetensors has sha256 [0-9a-f]{64}, its card says ${promised}`),
  );
});

manifest('a file that is gone is missing, a card that is gone is none', () => {
  const dir = copyOfModel();
  rmSync(path.join(dir, 'tokenizer.json'));
  assert.is(faultFrom(() => verifyModel(dir)).code, 'MODEL_MISSING');
  rmSync(path.join(dir, 'card.json'));
  assert.is(verifyModel(dir), undefined);
});

manifest('a wrong card is told all its problems at once', () => {
  const dir = copyOfModel();
  const file = path.join(dir, 'card.json');
  const { licence: _, ...card } = JSON.parse(readFileSync(file, 'utf8'));
  const wrong = {
    ...card,
    languages: 'en',
    files: { '../../etc/passwd': { bytes: 1, sha256: '0'.repeat(64) } },
    extra: 1,
  };
  writeFileSync(file, JSON.stringify(wrong));
  const fault = faultFrom(() => readCard(dir));
  assert.is(fault.code, 'MODEL_INVALID');
  for (const problem of ['licence is undefined', 'languages is "en"', 'files is', 'extra is no field']) {
    assert.match(fault.message, problem);
  }
  for (const decoding of [
    [],
    { temperatures: [] },
    { minAvgLogProb: 0.5 },
    { bestOf: 0 },
    { nucleus: 0.9 },
  ]) {
    writeFileSync(file, JSON.stringify({ ...card, licence: 'MIT', decoding }));
    assert.match(faultFrom(() => readCard(dir)).message, 'expected some of temperatures, bestOf');
  }
  writeFileSync(file, JSON.stringify({ ...card, licence: 'MIT', decoding: { temperatures: [0, 0.4] } }));
  assert.equal(readCard(dir)?.decoding, { temperatures: [0, 0.4] });
  writeFileSync(file, '{');
  assert.match(faultFrom(() => readCard(dir)).message, 'not JSON');
});

manifest.run();
