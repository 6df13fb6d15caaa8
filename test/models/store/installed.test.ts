import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCard } from '../../../models/manifest.ts';
import { addFromFolder } from '../../../models/store/add-from-folder.ts';
import type { CatalogCard } from '../../../models/store/catalog.ts';
import {
  findModelDir,
  listModels,
  modelInfo,
  removeModel,
  verifyInstalled,
} from '../../../models/store/installed.ts';
import { changing, storeDirs } from '../../../models/store/layout.ts';
import { faultOf } from '../../faults.ts';
import { forever, fresh, plain } from './hub-tests.ts';

const catalog: readonly CatalogCard[] = [
  {
    name: 'tiny.en',
    repository: 'openai/whisper-tiny.en',
    licence: 'apache-2.0',
    languages: ['en'],
    parametersM: 39,
    expected: { pi4: 'x', pi5: 'x', x86: 'x' },
  },
];

async function storeWith(...names: readonly string[]): Promise<string> {
  const storeDir = fresh();
  for (const name of names) await addFromFolder(plain, { storeDir, catalog, name, signal: forever });
  return storeDir;
}

const installed = suite('installed models');

installed('are listed by name, the own store before the system’s', async () => {
  const [own, system] = [await storeWith('b', 'a'), await storeWith('b', 'c')];
  assert.equal(
    listModels([own, system]).map(({ modelDir }) => modelDir),
    [path.join(own, 'a'), path.join(own, 'b'), path.join(system, 'c')],
  );
  assert.equal(listModels([fresh()]), [], 'no store, no models');
});

installed('are found by name, alias, repository or path, and never fetched', async () => {
  const storeDir = await storeWith('tiny.en', 'other');
  for (const word of ['tiny.en', 'whisper-tiny.en', 'openai/whisper-tiny.en']) {
    assert.is(findModelDir(word, [storeDir], catalog), path.join(storeDir, 'tiny.en'));
  }
  const cardFile = path.join(storeDir, 'other', 'card.json');
  const card = readCard(path.join(storeDir, 'other'));
  writeFileSync(cardFile, JSON.stringify({ ...card, added: { ...card?.added, repository: 'Some/Where' } }));
  assert.is(findModelDir('some/where', [storeDir], catalog), path.join(storeDir, 'other'));
  assert.is(findModelDir(plain, [storeDir], catalog), plain);
  assert.is(findModelDir(path.relative(process.cwd(), plain), [storeDir], catalog), plain);
});

installed('what is missing comes with the command that adds it', async () => {
  const storeDir = await storeWith();
  for (const [word, hint] of [
    ['whisper-tiny.en', 'harkd models add tiny.en'],
    ['someone/whisper-x', 'harkd models add someone/whisper-x'],
    ['nonsense', 'harkd models list shows what there is; a folder is given by its path'],
  ] as const) {
    for (const look of [findModelDir, modelInfo]) {
      const fault = await faultOf(() => look(word, [storeDir], catalog));
      assert.is(fault.code, 'MODEL_MISSING');
      assert.is(fault.hint, hint);
    }
  }
  const empty = fresh();
  mkdirSync(empty);
  assert.match(
    (await faultOf(() => findModelDir(empty, [storeDir], catalog))).message,
    /has no config\.json/,
  );
});

installed('a corrupt, a cut and a missing file are named', async () => {
  const storeDir = await storeWith('a');
  const model = modelInfo('a', [storeDir], catalog);
  await verifyInstalled(model, forever);
  const file = path.join(model.modelDir, 'tokenizer.json');
  const good = readFileSync(file);
  const bad = Buffer.from(good);
  bad.writeUInt8(bad.readUInt8(100) ^ 1, 100);
  writeFileSync(file, bad);
  const corrupt = await faultOf(() => verifyInstalled(model, forever));
  assert.is(corrupt.code, 'MODEL_CHECKSUM_MISMATCH');
  const promised = model.card?.files['tokenizer.json']?.sha256;
  assert.match(
    corrupt.message,
    new RegExp(`tokenizer\\.json has sha256 [0-9a-f]{64}, its card says ${promised}$`),
  );
  writeFileSync(file, good.subarray(1));
  assert.match(
    (await faultOf(() => verifyInstalled(model, forever))).message,
    new RegExp(`\\(${good.length - 1} bytes instead of ${good.length}\\)`),
  );
  renameSync(file, `${file}.away`);
  assert.is((await faultOf(() => verifyInstalled(model, forever))).code, 'MODEL_MISSING');
});

installed('a model without a readable card is listed, and says so', async () => {
  const storeDir = await storeWith('a');
  cpSync(plain, path.join(storeDir, 'bare'), { recursive: true });
  writeFileSync(path.join(storeDir, 'a', 'card.json'), '{"name":');
  const [a, bare] = listModels([storeDir]);
  assert.match(a?.trouble?.message ?? '', /not JSON/);
  assert.match(bare?.trouble?.message ?? '', /has no card\.json/);
  assert.is((await faultOf(() => a && verifyInstalled(a, forever))).code, 'MODEL_INVALID');
});

installed('are removed with all that is left of them', async () => {
  const storeDir = await storeWith('a', 'b');
  mkdirSync(path.join(storeDir, '.incoming-a'));
  await removeModel(modelInfo('a', [storeDir], catalog));
  assert.equal(readdirSync(storeDir), ['b']);
});

installed.run();

const change = suite('changing a model');

change('a power cut between the two renames of an update leaves the old model', async () => {
  const storeDir = await storeWith('a');
  renameSync(path.join(storeDir, 'a'), path.join(storeDir, '.outgoing-a'));
  await changing(storeDir, 'a', () => assert.ok(existsSync(path.join(storeDir, 'a', 'card.json'))));
  assert.equal(readdirSync(storeDir), ['a']);
});

change('a power cut after them leaves the new one', async () => {
  const storeDir = await storeWith('a');
  mkdirSync(path.join(storeDir, '.outgoing-a'));
  await changing(storeDir, 'a', () => undefined);
  assert.equal(readdirSync(storeDir), ['a']);
});

const alive = `${process.pid} ${/\) (?:\S+ ){19}(\d+)/.exec(readFileSync('/proc/self/stat', 'latin1'))?.[1]}\n`;
// a number beyond pid_max; this process under another start; the first process of all with the wrong start
for (const [what, content] of [
  ['a process that is gone', '9999999 1\n'],
  ['a number that was given to another', alive.replace(' ', ' 9')],
] as const) {
  change(`the lock of ${what} is taken over`, async () => {
    const storeDir = await storeWith('a');
    writeFileSync(path.join(storeDir, '.lock-a'), content);
    let ran = false;
    await changing(storeDir, 'a', () => {
      ran = true;
    });
    assert.ok(ran);
    assert.equal(readdirSync(storeDir), ['a']);
  });
}

change('the lock of a living process is not', async () => {
  const storeDir = await storeWith('a');
  for (const content of [alive, '']) {
    writeFileSync(path.join(storeDir, '.lock-a'), content);
    const fault = await faultOf(() => changing(storeDir, 'a', () => assert.unreachable()));
    assert.is(fault.code, 'STORE_BUSY');
    assert.match(fault.hint, /\.lock-a$/);
  }
});

change('a lock is let go when the change fails', async () => {
  const storeDir = await storeWith('a');
  const failed = changing(storeDir, 'a', () => {
    throw new Error('no');
  });
  assert.is(await failed.catch((thrown: Error) => thrown.message), 'no');
  assert.equal(readdirSync(storeDir), ['a']);
});

change('every user has a store, the packaged daemon the system’s', () => {
  assert.equal(storeDirs({ STATE_DIRECTORY: '/var/lib/harkd' }, 999), ['/var/lib/harkd/models']);
  assert.equal(storeDirs({ HOME: '/root' }, 0), ['/var/lib/harkd/models']);
  assert.equal(storeDirs({ HOME: '/home/u' }, 1000), [
    '/home/u/.local/share/harkd/models',
    '/var/lib/harkd/models',
  ]);
  assert.equal(storeDirs({ HOME: '/home/u', XDG_DATA_HOME: '/data' }, 1000), [
    '/data/harkd/models',
    '/var/lib/harkd/models',
  ]);
});

change.run();
