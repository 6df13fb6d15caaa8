import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locateModel } from '../../daemon/model-location.ts';
import { addFromFolder } from '../../models/store/add-from-folder.ts';
import { faultOf } from '../faults.ts';
import { forever, fresh, plain } from '../models/store/hub-tests.ts';

const location = suite('where a model lies');
const packageDir = path.join(import.meta.dirname, '../../..');

location('a name is looked up in the store, a path is taken, and what is missing can be added', async () => {
  const state = fresh();
  const environment = { STATE_DIRECTORY: state, CACHE_DIRECTORY: '/cache' };
  const locate = (model: string) => locateModel(model, packageDir, environment);
  const storeDir = path.join(state, 'models');
  await addFromFolder(plain, { storeDir, catalog: [], name: 'tiny.en', signal: forever });
  for (const word of ['tiny.en', 'openai/whisper-tiny.en']) {
    assert.equal(locate(word), { modelDir: path.join(storeDir, 'tiny.en'), cacheDirs: ['/cache/models'] });
  }
  assert.is(locate(plain).modelDir, plain);
  assert.is(locate('embedded').modelDir, path.join(packageDir, 'models/embedded'));
  const fault = await faultOf(() => locate('base.en'));
  assert.is(fault.code, 'MODEL_MISSING');
  assert.is(fault.hint, 'harkd models add base.en');
});

location.run();
