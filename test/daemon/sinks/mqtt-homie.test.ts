/** The Homie device over a real broker, as a controller sees it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Listener, Received } from '../../fixtures/broker.ts';
import { freePort, listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually, healthOf, said } from '../../fixtures/daemon-events.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import { rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

const test = suite('daemon/sinks/mqtt with homie');
const homie = { prefix: 'homie', id: 'harkd-test' };
const device = 'homie/5/harkd-test';
const state = `${device}/$state`;
const states = (listener: Listener) => listener.on(state).map(({ text }) => text);

type Described = {
  readonly nodes: Readonly<
    Record<
      string,
      {
        readonly properties: Readonly<
          Record<string, { readonly datatype: string; readonly retained?: boolean }>
        >;
      }
    >
  >;
};

/** What the convention calls a valid payload. */
const valid: Readonly<Record<string, RegExp>> = {
  string: /^[\s\S]+$/,
  boolean: /^(true|false)$/,
  integer: /^-?\d+$/,
  float: /^-?\d+(\.\d+)?([eE]-?\d+)?$/,
};

test('a controller finds the device, each value where it is described, and is told when it is ready', async () => {
  const broker = await startMosquitto();
  const live = await listenTo(broker.url, `${device}/#`);
  const rig = rigOf(broker.url, {
    homie,
    health: () => healthOf({ cpuTempC: 51.5, latencyMs: { p50: 420, p95: 900 } }),
  });
  await live.until(state, (messages) => messages.at(-1)?.text === 'ready');
  assert.equal(states(live), ['init', 'ready']);
  const order = live.received.map(({ topic, text }) => (topic === state ? text : topic));
  assert.is(order[0], 'init');
  assert.ok(order.indexOf(`${device}/health/latency`) < order.indexOf('ready'), 'values before ready');

  // who comes later finds all that is retained
  const later = await listenTo(broker.url, '+/5/+/#');
  const [found] = await later.until(`${device}/$description`, ({ length }) => length > 0);
  const { nodes } = JSON.parse(found?.text ?? '') as Described;
  await later.until(`${device}/health/problem`, ({ length }) => length > 0);
  const described = Object.entries(nodes).flatMap(([node, { properties }]) =>
    Object.entries(properties).map(([name, property]) => ({ topic: `${device}/${node}/${name}`, property })),
  );
  for (const { topic, property } of described) {
    const messages: readonly Received[] = later.on(topic);
    assert.is(messages.length, property.retained === false ? 0 : 1, topic);
    for (const { text } of messages) assert.match(text, valid[property.datatype] ?? /^$/, topic);
  }
  const topics = new Set(later.received.map(({ topic }) => topic));
  assert.is(topics.size, described.filter(({ property }) => property.retained !== false).length + 2);
  assert.is(later.on(`${device}/health/latency`)[0]?.text, '0.42');
  assert.is(later.on(`${device}/health/cpu-temperature`)[0]?.text, '51.5');

  rig.sink.publish(said(1, 'turn on the lamp'));
  const [event] = await later.until(`${device}/transcript/text`, ({ length }) => length > 0);
  assert.equal([event?.text, event?.qos, event?.retained], ['turn on the lamp', 0, false]);
  rig.sink.publish({ type: 'speech-started', atMs: 0 });
  await later.until(`${device}/microphone/speech`, (messages) => messages.at(-1)?.text === 'true');

  await rig.sink.close(2000);
  await live.until(state, (messages) => messages.at(-1)?.text === 'disconnected');
  assert.equal(states(live), ['init', 'ready', 'disconnected'], 'a clean end is not lost');
  live.close();
  later.close();
  await broker.stop();
});

test('mute is set by true and false, and its real state comes back', async () => {
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, `${device}/#`);
  const asked: [boolean, string][] = [];
  const rig = rigOf(broker.url, { homie, onMute: (muted, by) => asked.push([muted, by]) });
  await listener.until(state, (messages) => messages.at(-1)?.text === 'ready');
  const set = (payload: string, retain = false) =>
    listener.client.publishAsync(`${device}/microphone/mute/set`, payload, { qos: 1, retain });
  for (const payload of ['TRUE', 'ON', '', '1', 'true '.repeat(10_000)]) await set(payload);
  await set('true', true);
  await set('', true);
  await set('true');
  await set('false');
  await eventually('asked', () => asked.length === 3);
  // a message to those who are there already does not carry the flag (MQTT §3.3.1.3): it is retained for the next start
  assert.equal(asked, [
    [true, 'person'],
    [true, 'person'],
    [false, 'person'],
  ]);
  await eventually('ignored', () => rig.ignored.length === 6);
  rig.sink.publish({ type: 'mute', muted: true });
  await listener.until(`${device}/microphone/mute`, (messages) => messages.at(-1)?.text === 'true');
  await rig.sink.close(1000);
  listener.close();
  await broker.stop();
});

test('a link that breaks is lost by its last will, and all is said again', async () => {
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, `${device}/#`);
  const port = await freePort();
  const proxy = await cuttingProxy(broker.port, port);
  const rig = rigOf(`mqtt://127.0.0.1:${port}`, { homie });
  await listener.until(state, (messages) => messages.at(-1)?.text === 'ready');
  await proxy.close();
  await listener.until(state, (messages) => messages.at(-1)?.text === 'lost');
  // a command that somebody left retained meanwhile
  await listener.client.publishAsync(`${device}/microphone/mute/set`, 'true', { qos: 1, retain: true });
  rig.sink.publish(said(1, 'open the garage'));
  const again = await cuttingProxy(broker.port, port);
  await listener.until(state, (messages) => messages.at(-1)?.text === 'ready');
  assert.equal(states(listener), ['init', 'ready', 'lost', 'init', 'ready']);
  await eventually('delivered', () => rig.outbox.depth() === 0);
  assert.equal(rig.mutes, [], 'what is retained is no command');
  assert.is(listener.on(`${device}/transcript/text`).length, 0, 'what is late is no event');
  const codes = rig.log.of('fault').map(({ code }) => code);
  assert.ok(codes.length <= 1, `told once, not by each connection: ${codes.join()}`);
  await rig.sink.close(1000);
  listener.close();
  await again.close();
  await broker.stop();
});

test('a broker that does not let us write there is told of, and holds up nothing else', async () => {
  const acl = ['user harkd', 'topic readwrite harkd/#', 'user all', 'topic readwrite #'];
  const broker = await startMosquitto({ users: { harkd: 'h', all: 'a' }, acl });
  const all = { protocolVersion: 5, username: 'all', password: 'a' } as const;
  const listener = await listenTo(broker.url, '#', all);
  const rig = rigOf(broker.url, { homie, username: 'harkd', password: 'h' });
  rig.sink.publish(said(1));
  await listener.until('harkd/test/transcript', ({ length }) => length === 1);
  await rig.log.until('told', () => rig.log.of('fault').length > 0);
  assert.match(rig.log.of('fault')[0]?.hint ?? '', /homie\.enabled: false/);
  assert.equal(states(listener), []);
  await rig.sink.close(1000);
  listener.close();
  await broker.stop();
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt with homie', mosquittoMissing);
