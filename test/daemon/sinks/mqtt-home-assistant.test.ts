import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { discoveryTopicOf } from '../../../daemon/mqtt-contract.ts';
import type { HomeAssistantOptions } from '../../../daemon/sinks/mqtt/announcement.ts';
import type { Listener, Mosquitto, MosquittoOptions } from '../../fixtures/broker.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually } from '../../fixtures/daemon-events.ts';
import { leastDevice } from '../../fixtures/home-assistant.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import type { Rig } from '../../fixtures/sink.ts';
import { base, rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

type World = { brokers: Mosquitto[]; rigs: Rig[]; listeners: Listener[] };

const test = suite<World>('daemon/sinks/mqtt, announced to Home Assistant');

test.before.each((world) => {
  world.brokers = [];
  world.rigs = [];
  world.listeners = [];
});
test.after.each(async (world) => {
  for (const { close } of world.listeners) close();
  await Promise.all(world.rigs.map(({ sink }) => sink.close(100)));
  await Promise.all(world.brokers.map(({ kill }) => kill()));
});

const statusTopic = 'homeassistant/status';
const configTopic = discoveryTopicOf('homeassistant', base);
/** In the order in which Home Assistant can use them. */
const introduction = [
  configTopic,
  ...['status', 'info', 'mute', 'language', 'model', 'microphone', 'speech', 'health'].map(
    (name) => `${base}/${name}`,
  ),
];
const isBack = ({ length }: readonly unknown[]) => length > 0;

async function brokerOf(world: World, options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await startMosquitto(options);
  world.brokers.push(broker);
  return broker;
}
async function listen(world: World, url: string, filter = '#'): Promise<Listener> {
  const listener = await listenTo(url, filter);
  world.listeners.push(listener);
  return listener;
}
async function start(
  world: World,
  url: string,
  homeAssistant: Partial<HomeAssistantOptions> = {},
  options: Parameters<typeof rigOf>[1] = {},
): Promise<Rig> {
  const rig = rigOf(url, {
    homeAssistant: {
      enabled: true,
      prefix: 'homeassistant',
      statusTopic,
      birthDelayMs: 0,
      device: () => leastDevice,
      ...homeAssistant,
    },
    // so that health is said only when somebody asks for it
    healthIntervalS: 3600,
    ...options,
  });
  world.rigs.push(rig);
  await rig.online();
  return rig;
}
/**
 * What was asked of the daemon before is done when this returns: it answers in order. Asked again until there is an
 * answer, since a daemon that has just come back may not be subscribed yet.
 */
async function answered(listener: Listener): Promise<void> {
  const topic = `${base}/response/ping`;
  const before = listener.on(topic).length;
  const ask = () => listener.client.publish(`${base}/request/ping`, '', { qos: 1 });
  ask();
  const asking = setInterval(ask, 250);
  try {
    await listener.until(topic, ({ length }) => length > before);
  } finally {
    clearInterval(asking);
  }
}

test('whoever comes later finds the announcement, and can use the switch as it says', async (world) => {
  const broker = await brokerOf(world);
  const { mutes } = await start(world, broker.url);
  const listener = await listen(world, broker.url);
  const [announced] = await listener.until(configTopic, isBack);
  assert.equal([announced?.retained, announced?.qos], [true, 1]);
  const { components, availability } = JSON.parse(announced?.text ?? '');
  const { command_topic, payload_on, payload_off, state_topic } = components.mute;
  await listener.client.publishAsync(command_topic, payload_on, { qos: 1 });
  await listener.client.publishAsync(command_topic, payload_off, { qos: 1 });
  await eventually('switched', () => mutes.length === 2);
  assert.equal(mutes, [true, false]);
  assert.is(listener.on(state_topic).at(-1)?.text, payload_off);
  assert.is(listener.on(availability[0].topic).at(-1)?.text, availability[0].payload_available);
});

test('after a broker without persistence was restarted, all is back within 5 s', async (world) => {
  const first = await brokerOf(world);
  const { log } = await start(world, first.url);
  await first.kill();
  await log.until('offline', () => log.of('broker').at(-1)?.state === 'offline');
  const second = await brokerOf(world, { port: first.port });
  const listener = await listen(world, second.url);
  const withinMs = 5000;
  for (const topic of introduction.filter((topic) => topic !== `${base}/speech`)) {
    await listener.until(topic, isBack, withinMs);
  }
});

test('after a birth all is said again within 5 s: announcement, availability, states', async (world) => {
  const broker = await brokerOf(world);
  await start(world, broker.url, { birthDelayMs: 3000 });
  const listener = await listen(world, broker.url);
  await listener.until(`${base}/health`, isBack);
  const before = listener.received.length;
  await listener.client.publishAsync(statusTopic, 'online');
  const bornAtMs = performance.now();
  await listener.until(`${base}/health`, ({ length }) => length === 2);
  assert.ok(performance.now() - bornAtMs < 5000);
  const after = listener.received.slice(before).map(({ topic }) => topic);
  assert.equal(after, [statusTopic, ...introduction]);
});

test('many births are answered once; a death, a retained birth and nonsense are not answered', async (world) => {
  const broker = await brokerOf(world);
  for (const protocol of ['5', '3.1.1'] as const) {
    const listener = await listen(world, broker.url);
    // 3.1.1 gets what is retained
    await listener.client.publishAsync(statusTopic, 'online', { qos: 1, retain: true });
    const { sink } = await start(world, broker.url, { birthDelayMs: 50 }, { protocol });
    await listener.until(`${base}/health`, isBack);
    for (const payload of ['offline', '', 'ONLINE', '{"state":"online"}', 'x'.repeat(100_000)]) {
      await listener.client.publishAsync(statusTopic, payload, { qos: 1 });
    }
    await answered(listener);
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.is(
      listener.received.filter(({ topic, retained }) => topic === configTopic && !retained).length,
      1,
    );
    for (let i = 0; i < 50; i++) listener.client.publish(statusTopic, 'online', { qos: 1 });
    await listener.until(configTopic, (all) => all.filter(({ retained }) => !retained).length >= 2);
    await answered(listener);
    const answers = listener.on(configTopic).filter(({ retained }) => !retained).length - 1;
    assert.ok(answers < 10, `${answers} answers to 50 births`);
    await sink.close(1000);
    listener.close();
  }
});

test('switched off, it takes back what an earlier run announced, once', async (world) => {
  const broker = await brokerOf(world);
  const proxy = await cuttingProxy(broker.port);
  const earlier = await start(world, broker.url);
  const listener = await listen(world, broker.url);
  await listener.until(configTopic, isBack);
  await earlier.sink.close(1000);

  const { log } = await start(world, proxy.url, { enabled: false });
  await listener.until(configTopic, (all) => all.at(-1)?.text === '');
  await answered(listener);
  const later = await listen(world, broker.url);
  await later.until(`${base}/health`, isBack);
  assert.equal(later.on(configTopic), []);

  // nothing of Home Assistant's is heard
  await listener.client.publishAsync(statusTopic, 'online', { qos: 1 });
  proxy.cut();
  await log.until('back', () => log.of('broker').filter(({ state }) => state === 'online').length === 2);
  await answered(listener);
  assert.equal(
    listener.on(configTopic).map(({ text }) => text === ''),
    [false, true],
  );
  await proxy.close();
});

test('it announces itself anew when it knows more of its machine, and only then', async (world) => {
  const broker = await brokerOf(world);
  let model: string | undefined;
  const { sink } = await start(world, broker.url, { device: () => ({ ...leastDevice, model }) });
  const listener = await listen(world, broker.url);
  await listener.until(`${base}/health`, isBack);
  const provider = {
    type: 'provider',
    requested: 'auto',
    active: 'cpu',
    reason: 'the only one here',
    model: 'embedded',
    modelSha256: 'ab',
  } as const;
  sink.publish(provider);
  await answered(listener);
  assert.is(listener.on(configTopic).length, 1);
  model = 'Raspberry Pi 5 Model B';
  sink.publish(provider);
  const [, second] = await listener.until(configTopic, ({ length }) => length === 2);
  assert.is(JSON.parse(second?.text ?? '').device.model, model);
});

test('a broker that does not let it announce itself is named once, with a way out, and all else goes on', async (world) => {
  const acl = ['user harkd', `topic readwrite ${base}/#`];
  const broker = await brokerOf(world, { users: { harkd: 'x' }, acl });
  const credentials = { username: 'harkd', password: 'x' };
  const { log, sink } = await start(world, broker.url, {}, credentials);
  await log.until('refused', () => log.of('fault').length > 0);
  sink.publish({ type: 'mute', muted: true });
  assert.equal(
    log.of('fault').map(({ code }) => code),
    ['BROKER_REFUSED'],
  );
  const [fault] = log.of('fault');
  assert.match(fault?.message ?? '', /homeassistant\/device\/harkd_test\/config: Not authorized/);
  assert.match(fault?.hint ?? '', /read and write homeassistant\/.*set homeAssistant\.enabled: false/);
  const listener = await listenTo(broker.url, '#', { protocolVersion: 5, ...credentials });
  world.listeners.push(listener);
  await listener.until(`${base}/mute`, (all) => all.at(-1)?.text === 'ON');
});

test('the access list of the documentation is enough', async (world) => {
  const page = path.join(import.meta.dirname, '../../../../docs/home-assistant/README.md');
  const documented = /^ +user harkd\n(?: +topic .*\n)+/m.exec(readFileSync(page, 'utf8'))?.[0] ?? '';
  const acl = documented.split('\n').map((line) => line.trim());
  assert.is(acl.filter((line) => line.startsWith('topic')).length, 3);
  const users = { harkd: 'x', home: 'y' };
  const broker = await brokerOf(world, { users, acl: [...acl, 'user home', 'topic readwrite #'] });
  const { log } = await start(world, broker.url, {}, { username: 'harkd', password: 'x' });
  const listener = await listenTo(broker.url, '#', { protocolVersion: 5, username: 'home', password: 'y' });
  world.listeners.push(listener);
  await listener.until(configTopic, isBack);
  await listener.client.publishAsync(statusTopic, 'online', { qos: 1 });
  await listener.until(configTopic, ({ length }) => length === 2);
  await answered(listener);
  assert.equal(log.of('fault'), []);
});

if (mosquittoMissing !== undefined) announceSkip('Home Assistant with mosquitto', mosquittoMissing);
else test.run();
