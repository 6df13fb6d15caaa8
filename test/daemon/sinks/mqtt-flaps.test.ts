import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Listener, Mosquitto } from '../../fixtures/broker.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually } from '../../fixtures/daemon-events.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import { base, rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

type World = { broker: Mosquitto; listener: Listener; endings: (() => unknown)[] };

const test = suite<World>('daemon/sinks/mqtt, gone for a moment');

test.before.each(async (world) => {
  world.endings = [];
  world.broker = await startMosquitto();
  world.listener = await listenTo(world.broker.url, `${base}/#`);
});
test.after.each(async ({ broker, listener, endings }) => {
  for (const end of endings.reverse()) await end();
  listener.close();
  await broker.kill();
});

const status = `${base}/status`;
const isLast = (text: string) => (all: readonly { readonly text: string }[]) => all.at(-1)?.text === text;
const statusesOf = (listener: Listener) => listener.on(status).map(({ text }) => text);

/** A daemon on a line that can be cut; it takes its time to come back. */
async function daemonOf(world: World, options: Parameters<typeof rigOf>[1]) {
  const proxy = await cuttingProxy(world.broker.port);
  const rig = rigOf(proxy.url, { retry: { firstMs: 600, mostMs: 600, stableMs: 0 }, ...options });
  world.endings.push(
    () => proxy.close(),
    () => rig.sink.close(1000),
  );
  await rig.online();
  await world.listener.until(status, isLast('online'));
  async function flap(meanwhile: () => Promise<unknown> = async () => undefined): Promise<void> {
    const before = rig.log.of('broker').length;
    proxy.cut();
    await rig.log.until('offline', () => rig.log.of('broker').length > before);
    await meanwhile();
    await rig.online();
  }
  return { ...rig, flap };
}
/** A daemon in a process of its own, killed when it has said that it is there. */
async function crash({ broker, listener }: World, delayS: number): Promise<number> {
  const file = path.join(import.meta.dirname, '../../fixtures/sink-process.js');
  const child = fork(file, [broker.url, 'delayed', String(delayS)]);
  await listener.until(status, isLast('online'));
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  return performance.now();
}

test('a line that is back within the delay is nobody’s business, and a command sent meanwhile is obeyed', async (world) => {
  const { listener } = world;
  const { flap, mutes } = await daemonOf(world, { willDelayS: 30 });
  const introduced = listener.on(`${base}/info`).length;
  await flap(() => listener.client.publishAsync(`${base}/mute/set`, 'ON', { qos: 1 }));
  await eventually('muted', () => mutes.length === 1);
  await listener.until(`${base}/info`, ({ length }) => length > introduced);
  assert.equal(statusesOf(listener), ['offline', 'online', 'online']);
});

test('with 3.1.1, which has no delay, everybody hears of it', async (world) => {
  const { flap } = await daemonOf(world, { willDelayS: 30, protocol: '3.1.1' });
  await flap(() => world.listener.until(status, isLast('offline')));
  await world.listener.until(status, isLast('online'));
  assert.equal(statusesOf(world.listener), ['online', 'offline', 'online']);
});

test('who does not come back is offline when the delay is over, and not before', async (world) => {
  const killedAtMs = await crash(world, 1);
  await world.listener.until(status, isLast('offline'));
  const afterMs = performance.now() - killedAtMs;
  assert.ok(afterMs > 700, `offline after ${afterMs} ms`);
});

test('a crash is seen even when the next run comes within the delay, and takes no command meant for the last', async (world) => {
  const { listener, broker } = world;
  await crash(world, 60);
  await listener.client.publishAsync(`${base}/mute/set`, 'ON', { qos: 1 });
  const next = rigOf(broker.url, { willDelayS: 60 });
  world.endings.push(() => next.sink.close(1000));
  await next.online();
  await listener.until(status, (all) => all.filter(({ text }) => text === 'online').length === 2);
  assert.equal(statusesOf(listener).slice(-3), ['online', 'offline', 'online']);
  // it answers in order
  await listener.client.publishAsync(`${base}/request/ping`, '', { qos: 1 });
  await listener.until(`${base}/response/ping`, ({ length }) => length === 1);
  assert.equal(next.mutes, []);
});

test('what others wrote over or took away of what is retained is there again', async (world) => {
  const { listener, broker } = world;
  const repaired: (readonly string[])[] = [];
  await daemonOf(world, { muted: true, onRepaired: (topics) => repaired.push(topics) });
  await listener.until(`${base}/mute`, isLast('ON'));
  await listener.client.publishAsync(status, 'offline', { qos: 1, retain: true });
  await listener.client.publishAsync(`${base}/mute`, '', { qos: 1, retain: true });
  await eventually('repaired', () => repaired.length === 1);
  assert.equal([...(repaired[0] ?? [])].sort(), [`${base}/mute`, status]);
  await listener.until(status, isLast('online'));
  const late = await listenTo(broker.url, `${base}/#`);
  world.endings.push(() => late.close());
  const [muted] = await late.until(`${base}/mute`, ({ length }) => length > 0);
  assert.equal([muted?.text, muted?.retained], ['ON', true]);
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt, gone for a moment', mosquittoMissing);
