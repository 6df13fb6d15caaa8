/** The whole daemon on the embedded model, commanded over a real broker while it runs. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mosquittoMissing } from '../fixtures/broker.ts';
import {
  ask,
  closeWorld,
  hears,
  isNow,
  openWorld,
  refusal,
  set,
  start,
  type World,
  words,
} from '../fixtures/commanded.ts';
import { base, finalsOf } from '../fixtures/demo.ts';
import { announceSkip } from '../skip.ts';

const test = suite<World>('daemon, commanded');
test.before.each(openWorld);
test.after.each(closeWorld);

test('language and options change while it runs, survive it, and yield to the configuration', async (world) => {
  const first = await start(world);
  const pid = first.children('recognizer/process.js')[0];
  await set(world, 'language', 'en');
  await isNow(world, 'language', 'en');
  assert.is((await hears(world, first)).text, words);
  assert.is(first.children('recognizer/process.js')[0], pid, 'the recognizer went on running');

  await set(world, 'language', 'de');
  const { code, hint } = await refusal(world, 'language/set');
  assert.equal([code, /auto, en/.test(hint)], ['MODEL_UNSUPPORTED', true]);
  assert.is(world.listener.on(`${base}/language`).at(-1)?.text, 'en');

  const options = {
    vad: { threshold: 0.6, hangoverMs: 300 },
    keyTerms: ['Anna'],
    partials: { enabled: false },
  };
  const answer = await ask(world, 'options', { options });
  const vad = answer.data['vad'] as Record<string, number>;
  assert.equal([answer.status, vad['threshold'], vad['hangoverMs'], vad['preRollMs']], ['ok', 0.6, 300, 480]);
  const infos = await world.listener.until(
    `${base}/info`,
    (all) => all.at(-1)?.text.includes('"Anna"') === true,
  );
  assert.is(JSON.parse(infos.at(-1)?.text ?? '').config.vad.threshold, 0.6);
  const wrong = await ask(world, 'options', {
    options: { vad: { treshold: 0.2, endThreshold: 0.9 }, site: 'x' },
  });
  assert.is(wrong.status, 'error');
  assert.is(wrong.data['code'], 'CONFIG_INVALID');
  for (const word of ['vad.threshold', 'endThreshold', 'site']) assert.match(wrong.error ?? '', word);
  assert.equal((await ask(world, 'options')).data, answer.data, 'all or nothing');
  const partials = () => world.listener.on(`${base}/transcript/partial`).length;
  const before = partials();
  assert.is((await hears(world, first)).text, words);
  assert.is(partials(), before, 'there are none any more');
  assert.is(await first.stop(), 0);

  const second = await start(world);
  await isNow(world, 'language', 'en');
  assert.equal((await ask(world, 'options')).data, answer.data, 'what was chosen is still chosen');
  // the key that was changed in the file counts, the others stay chosen; what needs a restart is said
  writeFileSync(world.config, 'vad: { threshold: 0.45 }\nhomeAssistant: { area: Kitchen }\n');
  const reloaded = await ask(world, 'reload');
  assert.equal(reloaded, {
    status: 'ok',
    data: { changed: ['vad.threshold'], restartRequired: ['homeAssistant.area'] },
  });
  const after = (await ask(world, 'options')).data['vad'] as Record<string, number>;
  assert.equal([after['threshold'], after['hangoverMs']], [0.45, 300]);
  writeFileSync(world.config, 'vad: { threshold: 7 }\n');
  assert.is((await ask(world, 'reload')).data['code'], 'CONFIG_INVALID');
  assert.is((await hears(world, second)).text, words);
  assert.is(await second.stop(), 0);
});

test('requests: self-test, snapshot and restart', async (world) => {
  const notify = { NOTIFY_SOCKET: path.join(world.folder, 'nobody') };
  const run = await start(world, 'stdin', notify);
  assert.is((await hears(world, run)).text, words);
  const finals = finalsOf(world.listener).length;
  const tested = await ask(world, 'self-test');
  assert.equal([tested.status, tested.data['passed']], ['ok', true], JSON.stringify(tested));
  assert.is((tested.data['recognizer'] as { heard: string }).heard, words);

  const snapshot = JSON.stringify(await ask(world, 'snapshot'));
  assert.match(snapshot, '"bootId"');
  assert.not.match(snapshot, words);
  assert.is((await ask(world, 'dance')).data['code'], 'COMMAND_INVALID');

  assert.equal(await ask(world, 'restart'), { status: 'ok', data: {} });
  assert.is(await run.exited, 75);
  assert.is(world.listener.on(`${base}/status`).at(-1)?.text, 'offline');
  assert.is(finalsOf(world.listener).length, finals, 'a self-test is no transcript');

  const alone = await start(world);
  assert.is((await ask(world, 'restart')).data['code'], 'RESTART_REFUSED');
  assert.is((await hears(world, alone)).text, words);
  assert.is(await alone.stop(), 0);
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon, commanded', mosquittoMissing);
