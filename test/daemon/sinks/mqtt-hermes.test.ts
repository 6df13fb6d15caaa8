/** Hermes over a real broker: what goes out live goes out once; what is late or comes again does not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort, listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually, said } from '../../fixtures/daemon-events.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import { base, rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

const test = suite('daemon/sinks/mqtt with hermes');
const hermes = { siteId: 'kitchen' };
const captured = 'hermes/asr/textCaptured';
const textOf = ({ text }: { readonly text: string }) => (JSON.parse(text) as { text: string }).text;

test('live finals and recognizer faults go to Hermes, toggles come from it', async () => {
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, '#');
  const asked: [boolean, string][] = [];
  const rig = rigOf(broker.url, { hermes, onMute: (muted, by) => asked.push([muted, by]) });
  await rig.online();
  rig.sink.publish(said(1, 'turn on the lamp'));
  const [message] = await listener.until(captured, ({ length }) => length === 1);
  assert.equal([message?.qos, message?.retained], [1, false]);
  assert.is(message?.properties?.contentType, 'application/json');
  await listener.until(`${base}/transcript`, ({ length }) => length === 1);

  const fault = { type: 'fault', code: 'RECOGNIZER_CRASHED', message: 'it ended', hint: '' } as const;
  rig.sink.publish({ ...fault, component: 'microphone' });
  rig.sink.publish({ ...fault, component: 'recognizer' });
  const errors = await listener.until('hermes/error/asr', ({ length }) => length > 0);
  assert.is(errors.length, 1);

  const toggle = (word: string, payload: object) =>
    listener.client.publishAsync(`hermes/asr/${word}`, JSON.stringify(payload), { qos: 1 });
  await toggle('toggleOff', { siteId: 'attic', reason: 'ttsSay' });
  await toggle('toggleOff', { siteId: 'kitchen', reason: 'ttsSay' });
  await toggle('toggleOn', { siteId: 'kitchen', reason: 'ttsSay' });
  await eventually('toggled', () => asked.length === 2);
  assert.equal(asked, [
    [true, 'hermes'],
    [false, 'hermes'],
  ]);
  await rig.sink.close(1000);
  listener.close();
  await broker.stop();
});

test('a short absence of the broker costs Hermes nothing; what waited longer stays away from it', async () => {
  const port = await freePort();
  const url = `mqtt://127.0.0.1:${port}`;
  const prompt = rigOf(url, { hermes: { siteId: 'prompt' } });
  const late = rigOf(url, { hermes: { siteId: 'late' }, base: 'harkd/late', replayAfterMs: 0 });
  for (const { sink } of [prompt, late]) sink.publish(said(1, 'open the garage'));
  // a broker that they can reach only after somebody listens to it
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, '#');
  const proxy = await cuttingProxy(broker.port, port);
  await listener.until('harkd/late/transcript/text', ({ length }) => length > 0);
  await listener.until(`${base}/transcript/text`, ({ length }) => length > 0);
  const messages = await listener.until(captured, ({ length }) => length > 0);
  assert.equal(
    messages.map(({ text }) => (JSON.parse(text) as { siteId: string }).siteId),
    ['prompt'],
  );
  await Promise.all([prompt, late].map(({ sink }) => sink.close(1000)));
  listener.close();
  await proxy.close();
  await broker.stop();
});

test('a broker that does not let us write to Hermes holds up no final, and is told of once', async () => {
  const users = { harkd: 'secret', all: 'secret' };
  const acl = [
    'user harkd',
    'topic readwrite harkd/#',
    'topic read hermes/#',
    'user all',
    'topic readwrite #',
  ];
  const broker = await startMosquitto({ users, acl });
  const listener = await listenTo(broker.url, '#', {
    protocolVersion: 5,
    username: 'all',
    password: 'secret',
  });
  const rig = rigOf(broker.url, { hermes, username: 'harkd', password: 'secret' });
  await rig.online();
  for (let seq = 1; seq <= 3; seq++) rig.sink.publish(said(seq));
  await listener.until(`${base}/transcript`, ({ length }) => length === 3);
  await rig.log.until('told', () => rig.log.of('fault').length > 0);
  const [fault, ...more] = rig.log.of('fault');
  assert.equal([fault?.code, more], ['BROKER_REFUSED', []]);
  assert.match(fault?.hint ?? '', /hermes\.enabled: false/);
  assert.equal(listener.on(captured).map(textOf), []);
  await rig.sink.close(1000);
  listener.close();
  await broker.stop();
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt with hermes', mosquittoMissing);
