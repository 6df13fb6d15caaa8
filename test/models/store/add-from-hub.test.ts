import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readArchitecture } from '../../../models/compiler/architecture.ts';
import { readCard } from '../../../models/manifest.ts';
import { addFromHub } from '../../../models/store/add-from-hub.ts';
import { findModelDir } from '../../../models/store/installed.ts';
import { faultOf } from '../../faults.ts';
import { add, fresh, isBlob, model, name, optionsFor, plain, repository, withHub } from './hub-tests.ts';

const whole = suite('add from hub');

whole('a model is installed with its commit and the hash of every file', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const progress: number[] = [];
    const added = await add(hub, storeDir, {
      onProgress: (each) => {
        if (each.phase === 'fetch') progress.push(each.doneBytes / each.totalBytes);
      },
    });
    assert.is(added.name, name);
    assert.is(added.unchanged, false);
    assert.is(added.modelDir, path.join(storeDir, name));
    const { card } = added;
    assert.is(card.added?.commit, hub.commit);
    assert.is(card.added?.repository, repository);
    assert.is(card.added?.from, hub.endpoint);
    assert.is(card.licence, 'apache-2.0');
    assert.is(card.languages.length, 99);
    assert.equal(readCard(added.modelDir), card);
    for (const file of readdirSync(plain)) {
      const content = readFileSync(path.join(plain, file));
      assert.ok(content.equals(readFileSync(path.join(added.modelDir, file))), file);
      assert.is(card.files[file]?.sha256, createHash('sha256').update(content).digest('hex'), file);
      assert.is(card.files[file]?.bytes, content.length);
    }
    assert.equal(readdirSync(added.modelDir).sort(), [...readdirSync(plain), 'card.json'].sort());
    assert.equal(readdirSync(storeDir), [name], 'nothing is left beside it');
    assert.is(readArchitecture(added.modelDir).shape.modelWidth, 32);
    assert.ok(
      progress.every((share, i) => share <= 1 && share >= (progress[i - 1] ?? 0)),
      'grows',
    );
    assert.is(progress.at(-1), 1);

    const before = hub.sentBytes();
    const again = await add(hub, storeDir);
    assert.is(again.unchanged, true);
    assert.ok(hub.sentBytes() - before < 10_000, 'only the list is fetched');
  });
});

whole('a damaged installation is not called unchanged', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const { modelDir } = await add(hub, storeDir);
    const file = path.join(modelDir, 'model.safetensors');
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(50_000) ^ 1, 50_000);
    writeFileSync(file, bytes);
    assert.is((await add(hub, storeDir)).unchanged, false);
    assert.ok(readFileSync(file).equals(readFileSync(path.join(plain, 'model.safetensors'))));
  });
});

whole('only what is needed is asked for', async () => {
  const folder = model();
  for (const file of ['pytorch_model.bin', 'flax_model.msgpack', 'README.md', 'vocab.json']) {
    writeFileSync(path.join(folder, file), 'x'.repeat(200_000));
  }
  await withHub(folder, async (hub) => {
    await add(hub, fresh());
    for (const { path: url } of hub.seen) assert.not.match(url, /pytorch|flax|README|vocab/);
  });
});

whole('shards are fetched by their index', async () => {
  await withHub(model({ shards: 3, precision: 'F16' }), async (hub) => {
    const { modelDir, card } = await add(hub, fresh());
    assert.is(Object.keys(card.files).filter((file) => file.includes('-of-00003.')).length, 3);
    assert.is(
      readArchitecture(modelDir).sourceFiles.filter((file) => file.endsWith('.safetensors')).length,
      3,
    );
  });
});

whole('a new commit replaces the old one, and a failed one does not', async () => {
  const storeDir = fresh();
  await withHub(plain, async (hub) => {
    await add(hub, storeDir);
  });
  const newer = model({ seed: 2 });
  await withHub(newer, async (hub) => {
    hub.misbehave = (request) => (isBlob(request) ? { dropAfter: 1000 } : undefined);
    // every attempt gains a thousand bytes, which is no progress to speak of
    assert.is((await faultOf(() => add(hub, storeDir))).code, 'HUB_UNREACHABLE');
    const old = path.join(findModelDir(name, [storeDir], []), 'model.safetensors');
    assert.ok(
      readFileSync(old).equals(readFileSync(path.join(plain, 'model.safetensors'))),
      'the old one works',
    );
    hub.misbehave = () => undefined;
    const { card, unchanged } = await add(hub, storeDir, { revision: 'v1' });
    assert.is(unchanged, false);
    assert.is(card.added?.commit, hub.commit);
    assert.is(card.added?.revision, 'v1');
    assert.ok(readFileSync(old).equals(readFileSync(path.join(newer, 'model.safetensors'))));
    assert.equal(readdirSync(storeDir), [name]);
  });
});

whole('one name has one origin', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const catalog = [
      {
        name,
        repository: 'openai/else',
        licence: 'mit',
        languages: 99,
        parametersM: 1,
        expected: { pi4: '', pi5: '', x86: '' },
      },
    ];
    await add(hub, storeDir);
    const fault = await faultOf(() => addFromHub(name, { ...optionsFor(hub, storeDir), catalog }));
    assert.is(fault.code, 'USAGE_INVALID');
    assert.match(fault.hint, /--as/);
    assert.is((await add(hub, storeDir, { name: 'mine' })).name, 'mine');
    for (const bad of ['../up', 'a/b', '.hidden', 'embedded', '', 'x'.repeat(65)]) {
      assert.is((await faultOf(() => add(hub, storeDir, { name: bad }))).code, 'USAGE_INVALID', bad);
    }
    for (const bad of ['whisper', 'a/b/c', '../x', 'a/..', 'https://x/y']) {
      assert.is((await faultOf(() => addFromHub(bad, optionsFor(hub, storeDir)))).code, 'USAGE_INVALID', bad);
    }
    for (const bad of ['../main', '', 'a b', '?x=1']) {
      assert.is((await faultOf(() => add(hub, storeDir, { revision: bad }))).code, 'USAGE_INVALID', bad);
    }
  });
});

whole.run();
