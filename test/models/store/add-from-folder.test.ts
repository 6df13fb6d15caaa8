import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../models/compiler/compile.ts';
import { addFromFolder } from '../../../models/store/add-from-folder.ts';
import { listModels, verifyInstalled } from '../../../models/store/installed.ts';
import { faultOf } from '../../faults.ts';
import { writeRandomWhisper } from '../../fixtures/random-whisper.ts';
import { forever, fresh, model, plain } from './hub-tests.ts';

const folder = suite('add from folder');
const into = (storeDir: string, name = 'mine') => ({ storeDir, catalog: [], name, signal: forever });

folder('a folder is copied, with its hashes, and compiles from where it lies now', async () => {
  const from = model();
  writeFileSync(path.join(from, 'optimizer.pt'), 'not part of a model');
  writeFileSync(path.join(from, 'LICENSE'), 'MIT');
  const storeDir = fresh();
  const { modelDir, card } = await addFromFolder(from, into(storeDir));
  assert.equal(readdirSync(storeDir), ['mine']);
  assert.equal(
    readdirSync(modelDir).sort(),
    ['LICENSE', 'card.json', ...readdirSync(plain)].sort(),
    'and nothing else',
  );
  assert.is(card.added?.from, from);
  assert.is(card.licence, 'unknown');
  writeFileSync(path.join(from, 'model.safetensors'), 'trained on');
  rmSync(path.join(from, 'tokenizer.json'));
  const [installed] = listModels([storeDir]);
  assert.ok(installed !== undefined);
  await verifyInstalled(installed, forever);
  assert.ok(compile(modelDir, fresh()).report.operatorsAfter > 0);
});

folder('shards and links are followed', async () => {
  const { card } = await addFromFolder(model({ shards: 2, precision: 'BF16' }), into(fresh()));
  assert.is(Object.keys(card.files).filter((file) => file.includes('-of-00002.')).length, 2);
  assert.ok('model.safetensors.index.json' in card.files);
});

folder('what its card says of it comes along, with files it is true of', async () => {
  const storeDir = fresh();
  const { modelDir } = await addFromFolder(model(), into(storeDir));
  const file = path.join(modelDir, 'card.json');
  const own = {
    ...JSON.parse(readFileSync(file, 'utf8')),
    description: 'for one household',
    licence: 'MIT',
    languages: ['en'],
    segment: { paddingBeforeMs: 200, paddingAfterMs: 200 },
    decoding: { minAvgLogProb: -0.6 },
    wer: [{ test: 'new sentences', utterances: 4, percent: 12.5 }],
    measured: [{ what: 'hums', result: '1 of 40' }],
    notFor: ['dictation'],
  };
  writeFileSync(file, JSON.stringify(own));
  const { card } = await addFromFolder(modelDir, into(storeDir, 'carried'));
  const { name, version, added, ...rest } = card;
  const { name: _name, version: _version, added: _added, ...wanted } = own;
  assert.equal(rest, wanted);
  assert.is(name, 'carried');
  assert.is(added?.from, modelDir);
  assert.is(version, added?.at);
  const elsewhere = { ...own, files: { 'tokenizer.json': { bytes: 1, sha256: 'f'.repeat(64) } } };
  writeFileSync(file, JSON.stringify(elsewhere));
  const fault = await faultOf(() => addFromFolder(modelDir, into(storeDir, 'other')));
  assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
  assert.match(fault.message, 'tokenizer.json');
  writeFileSync(file, JSON.stringify({ ...own, notFor: 'dictation' }));
  assert.is((await faultOf(() => addFromFolder(modelDir, into(storeDir, 'other')))).code, 'MODEL_INVALID');
  assert.equal(readdirSync(storeDir).sort(), ['carried', 'mine']);
});

folder('what is not sound is refused, and what was installed stays', async () => {
  const storeDir = fresh();
  const from = model();
  await addFromFolder(from, into(storeDir));
  const before = readFileSync(path.join(storeDir, 'mine', 'card.json'), 'utf8');
  const refused = async (folderNow: string, code: string) => {
    assert.is((await faultOf(() => addFromFolder(folderNow, into(storeDir)))).code, code);
    assert.equal(readdirSync(storeDir), ['mine']);
    assert.is(readFileSync(path.join(storeDir, 'mine', 'card.json'), 'utf8'), before);
  };
  // the same folder after a training that went wrong
  writeRandomWhisper(from, {
    alter: (all) =>
      all.map((each) =>
        each.name.endsWith('conv2.bias') ? { ...each, fixed: new Map([[0, Number.NaN]]) } : each,
      ),
  });
  await refused(from, 'MODEL_INVALID');
  const weights = path.join(from, 'model.safetensors');
  writeFileSync(weights, readFileSync(weights).subarray(0, -4));
  await refused(from, 'MODEL_INVALID');
  rmSync(weights);
  await refused(from, 'MODEL_MISSING');
  await refused(fresh(), 'MODEL_MISSING');
  await refused(plain, 'USAGE_INVALID');
  writeRandomWhisper(from, { seed: 9 });
  await addFromFolder(from, into(storeDir));
  assert.is.not(readFileSync(path.join(storeDir, 'mine', 'card.json'), 'utf8'), before);
});

folder('stopped on the way, nothing is left', async () => {
  const storeDir = fresh();
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error('enough'));
  const stopped = addFromFolder(plain, { ...into(storeDir), signal: stop.signal, onProgress });
  assert.is(await stopped.catch((thrown: Error) => thrown.message), 'enough');
  assert.equal(readdirSync(storeDir), []);
});

folder.run();
