import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deferred } from '../../../daemon/deferred.ts';
import { Fault } from '../../../daemon/faults.ts';
import type { Listener, Mosquitto } from '../../fixtures/broker.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually, healthOf, said, transcriptOf } from '../../fixtures/daemon-events.ts';
import type { Rig } from '../../fixtures/sink.ts';
import { base, rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

const settingNames = ['language', 'model', 'microphone'];

type World = { mosquitto: Mosquitto; rigs: Rig[]; listeners: Listener[] };

const test = suite<World>('daemon/sinks/mqtt against mosquitto');

test.before(async (world) => {
  world.mosquitto = await startMosquitto();
});
test.before.each((world) => {
  world.rigs = [];
  world.listeners = [];
});
test.after.each(async (world) => {
  for (const { close } of world.listeners) close();
  await Promise.all(world.rigs.map(({ sink }) => sink.close(1000)));
  const cleaner = await listenTo(world.mosquitto.url, 'nothing');
  for (const name of ['status', 'info', 'health', 'mute', 'mute/set', ...settingNames]) {
    await cleaner.client.publishAsync(`${base}/${name}`, '', { qos: 1, retain: true });
  }
  cleaner.close();
});
test.after((world) => world.mosquitto.stop());

async function start(world: World, options: Parameters<typeof rigOf>[1] = {}): Promise<Rig> {
  const rig = rigOf(world.mosquitto.url, options);
  world.rigs.push(rig);
  await rig.online();
  return rig;
}
async function listen(world: World, filter = `${base}/#`): Promise<Listener> {
  const listener = await listenTo(world.mosquitto.url, filter);
  world.listeners.push(listener);
  return listener;
}

/** A sink that has just come online may not be subscribed yet: it is asked until it answers. */
function subscribed(listener: Listener): Promise<void> {
  return eventually('subscribed', async () => {
    await listener.client.publishAsync(`${base}/request/ping`, '', { qos: 1 });
    return listener.on(`${base}/response/ping`).length > 0;
  });
}

test('who comes later finds status, info, health and mute retained', async (world) => {
  await start(world, { muted: true, info: () => ({ version: '9.9.9' }) });
  const listener = await listen(world);
  await listener.until(`${base}/health`, ({ length }) => length > 0);
  const heard = new Map(listener.received.map((message) => [message.topic, message]));
  assert.equal([...heard.keys()].sort(), [
    `${base}/health`,
    `${base}/info`,
    `${base}/language`,
    `${base}/microphone`,
    `${base}/model`,
    `${base}/mute`,
    `${base}/status`,
  ]);
  for (const { retained, qos, topic } of heard.values())
    assert.equal([topic, retained, qos], [topic, true, 1]);
  assert.is(heard.get(`${base}/status`)?.text, 'online');
  assert.is(heard.get(`${base}/mute`)?.text, 'ON');
  assert.equal(JSON.parse(heard.get(`${base}/info`)?.text ?? ''), { version: '9.9.9' });
  assert.equal(JSON.parse(heard.get(`${base}/health`)?.text ?? ''), {
    ...healthOf(),
    mqtt: { reconnects: 0, outbox: 0, outboxDropped: 0 },
  });
});

test('a final comes as JSON and as bare text, at QoS 1, not retained, with user properties', async (world) => {
  const listener = await listen(world);
  const { sink } = await start(world);
  sink.publish(said(1, 'Zwölf Äpfel — “twelve” 🍎'));
  const [message] = await listener.until(`${base}/transcript`, ({ length }) => length === 1);
  const [text] = await listener.until(`${base}/transcript/text`, ({ length }) => length === 1);
  assert.equal(JSON.parse(message?.text ?? ''), {
    event_type: 'final',
    ...transcriptOf(1, 'Zwölf Äpfel — “twelve” 🍎'),
    replayed: false,
  });
  assert.is(text?.text, 'Zwölf Äpfel — “twelve” 🍎');
  assert.equal([message?.qos, message?.retained, text?.qos, text?.retained], [1, false, 1, false]);
  assert.is(message?.properties?.contentType, 'application/json');
  assert.is(message?.properties?.messageExpiryInterval, undefined);
  assert.equal(
    { ...message?.properties?.userProperties },
    { schema: '1', bootId: 'boot', id: 'boot-1', seq: '1', replayed: 'false' },
  );
});

test('a thousand finals come in the order they were said, each once', async (world) => {
  const listener = await listen(world, `${base}/transcript`);
  const { sink, outbox } = await start(world);
  for (let seq = 1; seq <= 1000; seq++) sink.publish(said(seq));
  const messages = await listener.until(`${base}/transcript`, ({ length }) => length >= 1000);
  assert.equal(
    messages.map(({ text }) => JSON.parse(text).seq),
    Array.from({ length: 1000 }, (_, i) => i + 1),
  );
  await eventually('empty', () => outbox.depth() === 0);
});

test('health is retained with an expiry of three intervals, and comes again by itself', async (world) => {
  const listener = await listen(world, `${base}/health`);
  await start(world, { healthIntervalS: 1 });
  const messages = await listener.until(`${base}/health`, ({ length }) => length >= 3);
  for (const { properties } of messages) assert.is(properties?.messageExpiryInterval, 3);
});

test('a lost microphone is in health and on the event topic at once, and so is its return', async (world) => {
  const listener = await listen(world);
  let state = 'listening';
  const { sink } = await start(world, {
    healthDebounceMs: 600_000,
    health: () => ({ ...healthOf(), microphone: { ...healthOf().microphone, state } }),
  });
  await listener.until(`${base}/health`, ({ length }) => length === 1);
  const device = 'plughw:CARD=Mic';
  for (const next of ['lost', 'opening', 'listening'] as const) {
    sink.publish({ type: 'microphone', state: next, device });
    state = next;
    const seen = () => listener.on(`${base}/health`).at(-1)?.text.includes(`"state":"${next}"`) === true;
    await listener.until(`${base}/health`, seen);
  }
  const events = await listener.until(`${base}/event`, ({ length }) => length === 2);
  assert.equal(
    events.map(({ text }) => {
      const { type, device: where, at } = JSON.parse(text);
      assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, at);
      return [type, where];
    }),
    [
      ['microphone-lost', device],
      ['microphone-back', device],
    ],
  );
});

test('interim text comes at QoS 0, not retained, and expires before it could be mistaken for news', async (world) => {
  const listener = await listen(world);
  const { sink } = await start(world);
  sink.publish({
    type: 'partial',
    partial: { id: 'boot-1', rev: 3, text: 'turn on the', stableChars: 7, language: 'en' },
  });
  const [message] = await listener.until(`${base}/transcript/partial`, ({ length }) => length === 1);
  assert.equal(JSON.parse(message?.text ?? ''), {
    id: 'boot-1',
    rev: 3,
    text: 'turn on the',
    stableChars: 7,
  });
  assert.equal([message?.qos, message?.retained], [0, false]);
  assert.is(message?.properties?.messageExpiryInterval, 5);
});

test('speech is ON and OFF; changes of health that can wait are gathered into one message', async (world) => {
  const listener = await listen(world);
  const { sink } = await start(world, { healthDebounceMs: 1500 });
  await listener.until(`${base}/health`, ({ length }) => length === 1);
  sink.publish({ type: 'speech-started', atMs: 0 });
  sink.publish({ type: 'queue', depthS: 1, oldestMs: 10 });
  sink.publish({ type: 'queue', depthS: 2, oldestMs: 20 });
  sink.publish({ type: 'speech-ended', atMs: 0 });
  const speech = await listener.until(`${base}/speech`, ({ length }) => length >= 3);
  // the first OFF is said at connect: who saw ON before an outage must not be left with it
  assert.equal(
    speech.map(({ text, qos, retained }) => [text, qos, retained]),
    [
      ['OFF', 0, false],
      ['ON', 0, false],
      ['OFF', 0, false],
    ],
  );
  assert.is(listener.on(`${base}/health`).length, 1, 'gathered, not said for each');
  await listener.until(`${base}/health`, ({ length }) => length === 2);
});

test('mute/set is obeyed, the real state is what is retained, and nonsense changes nothing', async (world) => {
  const { sink, mutes, ignored } = await start(world);
  const listener = await listen(world);
  const set = (payload: string) => listener.client.publishAsync(`${base}/mute/set`, payload, { qos: 1 });
  await set('ON');
  await eventually('asked to mute', () => mutes.length === 1);
  assert.is(listener.on(`${base}/mute`).at(-1)?.text, 'OFF', 'asked is not done');
  sink.publish({ type: 'mute', muted: true });
  await listener.until(`${base}/mute`, (messages) => messages.at(-1)?.text === 'ON');
  await set('maybe');
  await set('off');
  await eventually('asked to unmute', () => mutes.length === 2);
  assert.equal(mutes, [true, false]);
  assert.is(ignored.length, 1);
  assert.match(ignored[0]?.reason ?? '', /expected ON or OFF/);
});

test('a retained mute/set is ignored at start, and live ones are still obeyed', async (world) => {
  const listener = await listen(world);
  await listener.client.publishAsync(`${base}/mute/set`, 'ON', { qos: 1, retain: true });
  const { mutes, ignored } = await start(world);
  await subscribed(listener);
  await listener.client.publishAsync(`${base}/mute/set`, 'OFF', { qos: 1 });
  await eventually('asked', () => mutes.length > 0);
  assert.equal(mutes, [false]);
  assert.equal(ignored, [], 'MQTT 5 brokers are asked not to send it at all');
});

test('a retained mute/set is ignored in MQTT 3.1.1 too, where the broker cannot be asked to keep it', async (world) => {
  const listener = await listen(world);
  await listener.client.publishAsync(`${base}/mute/set`, 'ON', { qos: 1, retain: true });
  const { mutes, ignored, log } = await start(world, { protocol: '3.1.1' });
  await subscribed(listener);
  await listener.client.publishAsync(`${base}/mute/set`, 'OFF', { qos: 1 });
  await eventually('asked', () => mutes.length > 0);
  assert.equal(mutes, [false]);
  assert.match(ignored[0]?.reason ?? '', /retained/);
  assert.equal(log.of('fault'), []);
});

test('request/ping is answered with its transaction and correlation data', async (world) => {
  await start(world);
  const listener = await listen(world);
  await listener.client.publishAsync(`${base}/request/ping`, '{"transaction":"t1"}', {
    qos: 1,
    properties: { correlationData: Buffer.from([1, 2, 3]) },
  });
  const [answer] = await listener.until(`${base}/response/ping`, ({ length }) => length === 1);
  const { status, data, transaction } = JSON.parse(answer?.text ?? '');
  assert.equal([status, data.bootId, transaction], ['ok', 'boot', 't1']);
  assert.equal(answer?.properties?.correlationData, Buffer.from([1, 2, 3]));
  await listener.client.publishAsync(`${base}/request/dance`, 'now', { qos: 1 });
  const [refusal] = await listener.until(`${base}/response/dance`, ({ length }) => length === 1);
  assert.is(JSON.parse(refusal?.text ?? '').status, 'error');
});

test('what is set is retained as it is, and what is to be set is asked for, once and not from the past', async (world) => {
  const listener = await listen(world);
  await listener.client.publishAsync(`${base}/language/set`, 'fr', { qos: 1, retain: true });
  const { sink, sets, ignored } = await start(world, { protocol: '3.1.1' });
  const set = (name: string, value: string | Buffer) =>
    listener.client.publishAsync(`${base}/${name}/set`, value, { qos: 1 });
  // it has subscribed
  await eventually('the past is ignored', () => ignored.length === 1);
  for (const name of settingNames) await set(name, ` new-${name}\n`);
  for (const nonsense of ['', ' ', 'a\0b', 'x'.repeat(1025)]) await set('language', nonsense);
  await eventually('ignored', () => ignored.length === 5);
  assert.equal(sets, ['language=new-language', 'model=new-model', 'microphone=new-microphone']);
  assert.is(listener.on(`${base}/language`).at(-1)?.text, 'auto', 'asked is not done');
  sink.publish({ type: 'settings', language: 'de', model: 'tiny', microphone: 'usb' });
  const expected = { language: 'de', model: 'tiny', microphone: 'usb' };
  for (const [name, value] of Object.entries(expected)) {
    const messages = await listener.until(`${base}/${name}`, (all) => all.at(-1)?.text === value);
    assert.is(messages.at(-1)?.qos, 1);
  }
  await listener.client.publishAsync(`${base}/language/set`, '', { qos: 1, retain: true });
});

test('what cannot be set is told by code, and nobody can ask for more at a time than is bearable', async (world) => {
  const held = deferred<void>();
  const { ignored } = await start(world, {
    onSet: async (name) => {
      if (name === 'model') throw new Fault('MODEL_MISSING', 'no such model', 'installed: embedded');
      await held.promise;
    },
    requests: { count: () => ({ n: 1 }), bug: () => Promise.reject(new Error('oh')) },
  });
  const listener = await listen(world);
  const say = (topic: string, text = '') =>
    listener.client.publishAsync(`${base}/${topic}`, text, { qos: 1 });
  await subscribed(listener);
  await say('model/set', 'huge');
  const [refusal] = await listener.until(`${base}/event`, ({ length }) => length === 1);
  const { at: _, ...event } = JSON.parse(refusal?.text ?? '');
  assert.equal(event, {
    type: 'command-refused',
    command: 'model/set',
    code: 'MODEL_MISSING',
    message: 'no such model',
    hint: 'installed: embedded',
  });
  assert.match(ignored[0]?.reason ?? '', /MODEL_MISSING/);
  const answerOf = async (name: string) => {
    await say(`request/${name}`, '{"transaction":1}');
    const [answer] = await listener.until(`${base}/response/${name}`, ({ length }) => length > 0);
    return JSON.parse(answer?.text ?? '');
  };
  assert.equal(await answerOf('count'), { status: 'ok', data: { n: 1 }, transaction: 1 });
  const unknown = await answerOf('constructor');
  assert.is(unknown.data.code, 'COMMAND_INVALID');
  assert.match(unknown.data.hint, /ping, count, bug/);
  assert.is((await answerOf('bug')).data.code, 'INTERNAL');
  await Promise.all(Array.from({ length: 20 }, () => say('language/set', 'en')));
  const refusals = await listener.until(`${base}/event`, ({ length }) => length === 5);
  assert.equal(
    refusals.slice(1).map(({ text }) => JSON.parse(text).code),
    Array(4).fill('COMMAND_BUSY'),
  );
  held.resolve();
});

test('close delivers what is left, says offline, and leaves no last will behind', async (world) => {
  const listener = await listen(world);
  const { sink, outbox } = await start(world);
  for (let seq = 1; seq <= 50; seq++) sink.publish(said(seq));
  assert.equal(await sink.close(3000), { undelivered: 0 });
  assert.is(outbox.depth(), 0);
  await listener.until(`${base}/transcript`, ({ length }) => length === 50);
  await listener.until(`${base}/status`, (messages) => messages.at(-1)?.text === 'offline');
  // a last will would come on top of it
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(
    listener.on(`${base}/status`).map(({ text }) => text),
    ['online', 'offline'],
  );
});

test('a daemon that is killed is offline by its last will, retained', async (world) => {
  const listener = await listen(world);
  const child = fork(path.join(import.meta.dirname, '../../fixtures/sink-process.js'), [world.mosquitto.url]);
  await listener.until(`${base}/status`, (messages) => messages.at(-1)?.text === 'online');
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await listener.until(`${base}/status`, (messages) => messages.at(-1)?.text === 'offline');
  const late = await listen(world);
  const [status] = await late.until(`${base}/status`, ({ length }) => length === 1);
  assert.equal([status?.text, status?.retained], ['offline', true]);
});

test('two daemons with one client id do not fight in silence', async (world) => {
  const retry = { firstMs: 20, mostMs: 40, stableMs: 3000 };
  const first = await start(world, { retry });
  await start(world, { retry });
  await first.log.until('told', () => first.log.of('fault').length > 0);
  const [fault] = first.log.of('fault');
  assert.is(fault?.code, 'BROKER_REFUSED');
  assert.match(fault?.hint ?? '', /same site or client id/);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.is(first.log.of('fault').length, 1, 'said once, however often it happens');
  assert.equal(first.log.of('recovered'), [], 'a link that will be cut again is no recovery');
});

test('a url or base that cannot work is refused at once, and passwords stay out of it', (world) => {
  const cases: [Parameters<typeof rigOf>[0], Parameters<typeof rigOf>[1]][] = [
    ['broker.local', {}],
    ['http://user:secret@broker.local', {}],
    ['mqtt://us%er:secret@broker.local', {}],
    [world.mosquitto.url, { base: 'harkd/+' }],
    [world.mosquitto.url, { base: '/harkd' }],
    [world.mosquitto.url, { base: '' }],
  ];
  for (const [url, options] of cases) {
    try {
      rigOf(url, options);
      assert.unreachable(url);
    } catch (thrown) {
      assert.instance(thrown, Fault);
      const { code, message, hint } = thrown as Fault;
      assert.is(code, 'CONFIG_INVALID');
      assert.not.match(message + hint, /secret/);
    }
  }
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt', mosquittoMissing);
