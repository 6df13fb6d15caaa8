/** The whole daemon behind the real arecord, on PCMs that play into it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { alsaMissing, createAlsa } from '../fixtures/alsa.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { startDaemon } from '../fixtures/daemon.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { base, demoDir, finalsOf, household, sentencesOf, uniqueTexts } from '../fixtures/demo.ts';
import { announceSkip } from '../skip.ts';

const spoken = sentencesOf('household.wav');
const alsaDaemon = suite('daemon with arecord');

const noAlsa = alsaMissing() ?? mosquittoMissing;
if (noAlsa === undefined) {
  alsaDaemon(
    'the same transcripts come through real arecord, also when it is killed in a pause',
    async () => {
      const alsa = createAlsa();
      const broker = await startMosquitto();
      const listener = await listenTo(broker.url, `${base}/#`);
      const pcm = readFileSync(household).subarray(44);
      const microphone = alsa.addMicrophone('kitchen', pcm);
      const run = startDaemon(['--source', 'alsa:kitchen', '--broker', broker.url], alsa.environment);
      // between the second and the third sentence there is a pause of more than a second
      const pauseAt = ((spoken[1]?.endMs ?? 0) + 300) * 16;
      await eventually('the second sentence is spoken', () => microphone.spokenSamples() >= pauseAt, 30_000);
      for (const pid of run.children('arecord')) process.kill(pid, 'SIGKILL');
      await listener.until(
        `${base}/transcript`,
        () => uniqueTexts(finalsOf(listener)).length >= spoken.length,
        60_000,
      );
      assert.equal(
        uniqueTexts(finalsOf(listener)),
        spoken.map(({ text }) => text),
      );
      const events = listener
        .on(`${base}/event`)
        .map(({ text }) => (JSON.parse(text) as { type: string }).type);
      assert.equal(
        events.filter((type) => type.startsWith('microphone')),
        ['microphone-lost', 'microphone-back'],
      );
      assert.is(await run.stop(), 0);
      listener.close();
      await broker.stop();
      await alsa.close();
    },
  );

  alsaDaemon('without its microphone the daemon stays, says so, and hears when it comes', async () => {
    const alsa = createAlsa();
    const broker = await startMosquitto();
    const listener = await listenTo(broker.url, `${base}/#`);
    const run = startDaemon(['--source', 'alsa:nosuch', '--broker', broker.url], alsa.environment);
    const line = await run.logged('that there is no such microphone', ({ msg }) =>
      msg.includes('MICROPHONE_NOT_FOUND'),
    );
    assert.match(String(line['hint']), /known: /, 'what could be used instead is named');
    await listener.until(
      `${base}/health`,
      (messages) => messages.some(({ text }) => JSON.parse(text).microphone.state === 'lost'),
      20_000,
    );
    const pcm = readFileSync(path.join(demoDir, 'lights.wav')).subarray(44);
    alsa.addMicrophone('nosuch', Buffer.concat([Buffer.alloc(32_000), pcm, Buffer.alloc(32_000)]));
    await listener.until(`${base}/transcript/text`, (texts) => texts.length > 0, 60_000);
    assert.is(listener.on(`${base}/transcript/text`)[0]?.text, sentencesOf('lights.wav')[0]?.text);
    assert.is(await run.stop(), 0);
    listener.close();
    await broker.stop();
    await alsa.close();
  });
} else announceSkip('daemon with arecord', noAlsa);

alsaDaemon.run();
