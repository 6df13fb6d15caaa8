/** The whole daemon on the embedded model, commanded over a real broker while it runs: another model, another microphone. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { alsaMissing, createAlsa } from '../fixtures/alsa.ts';
import { mosquittoMissing } from '../fixtures/broker.ts';
import {
  ask,
  closeWorld,
  hears,
  isNow,
  lights,
  openWorld,
  refusal,
  set,
  silence,
  start,
  type World,
  words,
} from '../fixtures/commanded.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { base } from '../fixtures/demo.ts';
import { announceSkip } from '../skip.ts';

const test = suite<World>('daemon, changed');
test.before.each(openWorld);
test.after.each(closeWorld);

/** Installs a copy of the embedded model under another name; a broken one is not what its card says. */
function install({ folder }: World, name: string, state: 'sound' | 'broken'): void {
  const modelDir = path.join(folder, 'state/models', name);
  cpSync(path.join(packageDir, 'models/embedded'), modelDir, { recursive: true });
  const cardFile = path.join(modelDir, 'card.json');
  const card = JSON.parse(readFileSync(cardFile, 'utf8'));
  if (state === 'broken') card.files['model.safetensors'].sha256 = '0'.repeat(64);
  writeFileSync(cardFile, JSON.stringify({ ...card, name }));
}

test('another model is loaded while speech waits; one that cannot be is refused, and the old one goes on', async (world) => {
  install(world, 'twin', 'sound');
  install(world, 'broken', 'broken');
  const run = await start(world);
  assert.is((await hears(world, run)).model, 'nano');
  await set(world, 'model', 'twin');
  // heard while it is being loaded
  const waited = await hears(world, run);
  assert.is(waited.text, words);
  await isNow(world, 'model', 'twin');
  assert.equal([(await hears(world, run)).model, run.children('recognizer/process.js').length], ['twin', 1]);

  await set(world, 'model', 'broken');
  assert.is((await refusal(world, 'model/set')).code, 'MODEL_CHECKSUM_MISMATCH');
  assert.is(world.listener.on(`${base}/model`).at(-1)?.text, 'twin');
  const after = await hears(world, run);
  assert.equal([after.text, after.model], [words, 'twin']);
  const types = world.listener.on(`${base}/event`).map(({ text }) => JSON.parse(text).type);
  assert.equal(types, ['command-refused'], 'neither a restart nor a loss');
  await set(world, 'model', '../../etc');
  const known = await ask(world, 'snapshot');
  assert.equal((known.data['offered'] as { model: string[] }).model.sort(), ['broken', 'embedded', 'twin']);
  // a model whose folder is removed is in memory still
  rmSync(path.join(world.folder, 'state/models/twin'), { recursive: true });
  await ask(world, 'options', { options: { vad: { hangoverMs: 400 } } });
  assert.is((await hears(world, run)).text, words);
  assert.is(await run.stop(), 0);

  // chosen, and gone bad since: the configured one is taken, and the choice is no more
  install(world, 'twin', 'broken');
  const next = await start(world);
  await isNow(world, 'model', 'embedded');
  assert.is((await hears(world, next)).model, 'nano');
  assert.not.match(readFileSync(path.join(world.folder, 'state/choices.json'), 'utf8'), 'twin');
  assert.is(await next.stop(), 0);
});

if (alsaMissing() === undefined) {
  test('another microphone is opened, the first one let go, and an unknown one refused', async (world) => {
    const alsa = createAlsa();
    const kitchen = alsa.addMicrophone('kitchen', Buffer.concat([lights, silence]));
    const attic = alsa.addMicrophone('attic');
    const run = await start(world, 'alsa:kitchen', alsa.environment);
    const { listener } = world;
    await listener.until(`${base}/transcript`, ({ length }) => length === 1);
    for (const unknown of ['cellar', "file:'/tmp/x',raw"]) await set(world, 'microphone', unknown);
    assert.is((await refusal(world, 'microphone/set')).code, 'MICROPHONE_NOT_FOUND');
    await set(world, 'microphone', 'attic');
    await isNow(world, 'microphone', 'attic');
    attic.play(Buffer.concat([silence, lights, silence]));
    await listener.until(`${base}/transcript`, ({ length }) => length === 2);
    const heard = listener.on(`${base}/transcript`).map(({ text }) => JSON.parse(text));
    assert.equal(
      heard.map(({ text, microphone }) => [text, microphone]),
      [
        [words, 'kitchen'],
        [words, 'attic'],
      ],
    );
    assert.is(run.children('arecord').length, 1);
    const spoken = kitchen.spokenSamples();
    const { data } = await ask(world, 'snapshot');
    assert.equal((data['offered'] as { microphone: string[] }).microphone.slice(0, 2), ['attic', 'kitchen']);
    assert.is(kitchen.spokenSamples(), spoken, 'nobody listens to it');
    assert.is(await run.stop(), 0);
    assert.ok(existsSync(path.join(world.folder, 'state/choices.json')));
    await alsa.close();
  });
} else announceSkip('daemon, another microphone', alsaMissing() ?? '');

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon, changed', mosquittoMissing);
