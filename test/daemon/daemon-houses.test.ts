/** The whole daemon on the embedded model in all the other houses at once: Hermes, Homie, Rasa. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort, listenTo, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { startDaemon } from '../fixtures/daemon.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { base, household, sentencesOf } from '../fixtures/demo.ts';
import { answerAsRasa, answerOk, webhookServer } from '../fixtures/webhook-server.ts';
import { announceSkip } from '../skip.ts';

const spoken = sentencesOf('household.wav').map(({ text }) => text);

const test = suite('daemon in other houses');

test('each sentence comes once, in order, to Hermes, Homie and Rasa, and Rasa’s replies to the broker', async () => {
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, '#');
  const rasa = await webhookServer(answerAsRasa);
  const run = startDaemon(
    ['--source', `file:${household}`, '--pace', 'fast', '--once', '--broker', broker.url],
    {
      HARKD_HERMES_ENABLED: 'true',
      HARKD_HOMIE_ENABLED: 'true',
      HARKD_WEBHOOK_PRESET: 'rasa',
      HARKD_WEBHOOK_URL: `${rasa.url}/webhooks/rest/webhook`,
    },
  );
  assert.is(await run.exited, 0, JSON.stringify(run.log));
  const state = 'homie/5/harkd-test/$state';
  await listener.until(state, (states) => states.at(-1)?.text === 'disconnected');

  const captured = listener
    .on('hermes/asr/textCaptured')
    .map(({ text }) => JSON.parse(text) as { text: string; siteId: string });
  assert.equal(
    captured.map(({ text, siteId }) => [siteId, text]),
    spoken.map((text) => ['test', text]),
  );
  assert.equal(
    listener.on(state).map(({ text }) => text),
    ['init', 'ready', 'disconnected'],
  );
  assert.equal(
    listener.on('homie/5/harkd-test/transcript/text').map(({ text }) => text),
    spoken,
  );
  assert.equal(
    rasa.posted.map(({ body }) => JSON.parse(body) as unknown),
    spoken.map((message) => ({ sender: 'test', message })),
  );
  const replies = listener
    .on(`${base}/rasa/reply`)
    .map(({ text }) => JSON.parse(text) as { id: string; recipient: string; text?: string });
  assert.is(replies.length, spoken.length * 3);
  assert.equal(
    replies.flatMap(({ text }) => (text?.startsWith('you said') ? [text] : [])),
    spoken.map((text) => `you said: ${text}`),
  );
  assert.ok(run.log.some(({ msg }) => msg === `every transcript is sent to ${rasa.url}`));
  listener.close();
  await rasa.close();
  await broker.stop();
});

test('Rhasspy closes the microphone while it speaks, and a person has the last word', async () => {
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, `${base}/mute`);
  const run = startDaemon(['--source', `file:${household}`, '--broker', broker.url], {
    HARKD_HERMES_ENABLED: 'true',
    HARKD_HERMES_SITE_ID: 'default',
  });
  const mute = (state: string) => listener.until(`${base}/mute`, (states) => states.at(-1)?.text === state);
  const toggle = (word: string) =>
    listener.client.publishAsync(`hermes/asr/${word}`, '{"reason":"ttsSay"}', { qos: 1 });
  await mute('OFF');
  await toggle('toggleOff');
  await mute('ON');
  await toggle('toggleOn');
  await mute('OFF');
  await toggle('toggleOff');
  await mute('ON');
  await listener.client.publishAsync(`${base}/mute/set`, 'ON', { qos: 1 });
  const { length } = listener.on(`${base}/mute`);
  await toggle('toggleOn');
  // heard on the same connection, so behind the toggle: it changes nothing, and is told as a fence
  const fence = await listenTo(broker.url, `${base}/response/ping`);
  await fence.client.publishAsync(`${base}/request/ping`, '', { qos: 1 });
  await fence.until(`${base}/response/ping`, (answers) => answers.length > 0);
  assert.is(listener.on(`${base}/mute`).length, length, 'still muted');
  assert.is(await run.stop(), 0);
  fence.close();
  listener.close();
  await broker.stop();
});

test('what a webhook could not be told waits on the disk, and is told by the next run as replayed', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'harkd-webhook-'));
  const port = await freePort();
  const environment = {
    HARKD_STATE_DIR: home,
    HARKD_WEBHOOK_URL: `http://127.0.0.1:${port}/hook/hunter2`,
    HARKD_WEBHOOK_TIMEOUT_MS: '500',
  };
  const args = ['--source', `file:${household}`, '--pace', 'fast'];
  const first = startDaemon(args, environment);
  await first.logged(
    'the last sentence',
    ({ msg }) => msg === `transcript ${spoken.length} says: ${spoken.at(-1)}`,
  );
  await first.logged('that nobody answers', ({ msg }) => msg.includes('WEBHOOK_UNREACHABLE'));
  await first.logged('that there is no more', ({ msg }) => /microphone .*: ended/.test(msg));
  const kept = path.join(home, 'webhook-outbox');
  await eventually('on the disk', () =>
    readdirSync(kept).some(
      (file) =>
        file.endsWith('.log') && readFileSync(path.join(kept, file), 'utf8').includes(spoken.at(-1) ?? '?'),
    ),
  );
  first.process.kill('SIGKILL');
  await first.exited;
  assert.ok(!first.log.some(({ msg }) => msg.includes('hunter2')), 'the path is nowhere in the log');

  const server = await webhookServer(answerOk, port);
  const second = startDaemon(['--source', `file:${household}`], environment);
  await eventually('all told', () => server.posted.length >= spoken.length);
  const told = server.posted
    .slice(0, spoken.length)
    .map(({ body }) => JSON.parse(body) as { text: string; replayed: boolean });
  assert.equal(
    told.map(({ text, replayed }) => [text, replayed]),
    spoken.map((text) => [text, true]),
  );
  assert.is(await second.stop(), 0);
  await server.close();
  rmSync(home, { recursive: true });
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon in other houses', mosquittoMissing);
