import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryOutbox } from '../../../daemon/outbox.ts';
import type { Listener, Mosquitto, MosquittoOptions, Received } from '../../fixtures/broker.ts';
import { freePort, listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually, said, transcriptOf } from '../../fixtures/daemon-events.ts';
import type { CuttingProxy } from '../../fixtures/proxy.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import type { Rig } from '../../fixtures/sink.ts';
import { base, rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

type World = { brokers: Mosquitto[]; rigs: Rig[]; listeners: Listener[]; proxies: CuttingProxy[] };

const test = suite<World>('daemon/sinks/mqtt through outages of mosquitto');

test.before.each((world) => {
  world.brokers = [];
  world.rigs = [];
  world.proxies = [];
  world.listeners = [];
});
test.after.each(async (world) => {
  for (const { close } of world.listeners) close();
  await Promise.all(world.rigs.map(({ sink }) => sink.close(100)));
  await Promise.all(world.proxies.map(({ close }) => close()));
  await Promise.all(world.brokers.map(({ kill }) => kill()));
});

async function brokerOf(world: World, options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await startMosquitto(options);
  world.brokers.push(broker);
  return broker;
}
function rig(world: World, url: string, options: Parameters<typeof rigOf>[1] = {}): Rig {
  const made = rigOf(url, options);
  world.rigs.push(made);
  return made;
}
/** A broker that the daemon can reach at `port` only after somebody listens: brokers keep nothing for strangers. */
async function listenedTo(
  world: World,
  port: number,
  options: MosquittoOptions = {},
  listenOptions?: Parameters<typeof listenTo>[2],
): Promise<Listener> {
  const broker = await brokerOf(world, options);
  const listener = await listen(world, broker.url, listenOptions);
  world.proxies.push(await cuttingProxy(broker.port, port));
  return listener;
}
async function listen(
  world: World,
  url: string,
  options?: Parameters<typeof listenTo>[2],
): Promise<Listener> {
  const listener = await listenTo(url, `${base}/#`, options);
  world.listeners.push(listener);
  return listener;
}
const seqOf = ({ text }: Received): number => JSON.parse(text).seq;
const replayedOf = ({ text }: Received): boolean => JSON.parse(text).replayed;
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test('a broker that comes later than the daemon gets everything, in order; trouble is said once, then over', async (world) => {
  const port = await freePort();
  const { sink, log, outbox, online } = rig(world, `mqtt://127.0.0.1:${port}`, { replayAfterMs: 150 });
  await log.until('unreachable', () => log.of('fault').length > 0);
  for (const seq of upTo(20)) sink.publish(said(seq));
  // enough for several tries, and for the finals to get old
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.is(log.of('fault').length, 1);
  assert.is(log.of('fault')[0]?.code, 'BROKER_UNREACHABLE');
  assert.match(log.of('fault')[0]?.hint ?? '', /start the broker/);
  assert.equal(log.of('recovered'), []);
  assert.is(outbox.depth(), 20);
  assert.is(log.of('outbox').at(-1)?.depth, 20);

  const listener = await listenedTo(world, port);
  await online();
  const finals = await listener.until(`${base}/transcript`, ({ length }) => length >= 20);
  assert.equal(finals.map(seqOf), upTo(20));
  assert.ok(finals.every(replayedOf), 'old by then');
  assert.is(log.of('recovered').length, 1);
  assert.equal(
    log.of('broker').map(({ state }) => state),
    ['connecting', 'offline', 'online'],
  );
  await log.until('drained', () => log.of('outbox').at(-1)?.depth === 0);
});

test('a broker killed in mid-stream loses no final; what comes twice has the same id and says so', async (world) => {
  let broker = await brokerOf(world);
  const { port } = broker;
  const heard: Received[] = [];
  const { sink, outbox, log, online } = rig(world, broker.url);
  await online();
  const total = 300;
  let seq = 0;
  const speaker = setInterval(() => {
    if (seq < total) sink.publish(said(++seq));
  }, 2);
  for (let outage = 0; outage < 3; outage++) {
    const listener = await listen(world, broker.url);
    await listener.until(`${base}/transcript`, ({ length }) => length >= 10);
    await broker.kill();
    heard.push(...listener.on(`${base}/transcript`));
    listener.close();
    await new Promise((resolve) => setTimeout(resolve, 60));
    broker = await brokerOf(world, { port });
  }
  await eventually('all said', () => seq === total);
  await eventually('delivered', () => outbox.depth() === 0);
  clearInterval(speaker);
  assert.is(outbox.dropped(), 0);
  assert.ok(log.of('broker').filter(({ state }) => state === 'online').length >= 3);
  // in each of the stretches we listened to, the order is that of speech, and only a marked one may repeat
  const seqs = heard.map(seqOf);
  for (let i = 1; i < seqs.length; i++) {
    const [before, now] = [seqs[i - 1] ?? 0, seqs[i] ?? 0];
    assert.ok(now > before || (now === before && replayedOf(heard[i] as Received)), `${now} after ${before}`);
  }
});

test('every final reaches a subscriber with a session of its own, through a proxy that cuts the line', async (world) => {
  const broker = await brokerOf(world);
  const proxy = await cuttingProxy(broker.port);
  world.proxies.push(proxy);
  const listener = await listen(world, broker.url);
  const { sink, outbox } = rig(world, proxy.url);
  const total = 400;
  for (const seq of upTo(total)) sink.publish(said(seq));
  for (const cutAt of [20, 90, 91, 150, 280]) {
    await listener.until(`${base}/transcript`, ({ length }) => length >= cutAt);
    proxy.cut();
  }
  await eventually('delivered', () => outbox.depth() === 0);
  const finals = await listener.until(`${base}/transcript`, (all) => all.some((one) => seqOf(one) === total));
  const texts = listener.on(`${base}/transcript/text`).map(({ text }) => text);
  const seqs = finals.map(seqOf);
  assert.equal([...new Set(seqs)], upTo(total), 'none lost, first arrivals in order');
  assert.equal(
    [...new Set(texts)],
    upTo(total).map((seq) => `sentence ${seq}`),
  );
  finals.forEach((final, i) => {
    const again = seqs.indexOf(seqOf(final)) < i;
    if (!again) return;
    assert.is(seqOf(final), seqs[i - 1], 'a repeat follows its first at once');
    assert.ok(replayedOf(final), 'a repeat says that it may be one');
  });
});

test('a frozen broker is found out by keepalive, and gets everything when it thaws', async (world) => {
  const broker = await brokerOf(world);
  const listener = await listen(world, broker.url, { protocolVersion: 5, keepalive: 60 });
  const { sink, log, outbox, online } = rig(world, broker.url, { keepaliveS: 1, connectTimeoutMs: 400 });
  await online();
  broker.freeze();
  sink.publish(said(1));
  await log.until('offline', () => log.of('broker').at(-1)?.state === 'offline');
  await log.until('unreachable', () => log.of('fault').length > 0);
  assert.is(log.of('fault')[0]?.code, 'BROKER_UNREACHABLE');
  assert.is(outbox.depth(), 1);
  const back = online();
  broker.thaw();
  await back;
  const finals = await listener.until(`${base}/transcript`, ({ length }) => length > 0);
  assert.is(seqOf(finals[0] as Received), 1);
  await log.until('recovered', () => log.of('recovered').length > 0);
});

test('after the broker lost its memory, all that is retained is there again', async (world) => {
  const first = await brokerOf(world);
  const { sink, mutes, log, online } = rig(world, first.url);
  await online();
  sink.publish({ type: 'mute', muted: true });
  sink.publish({ type: 'speech-started', atMs: 0 });
  await first.kill();
  await log.until('offline', () => log.of('broker').at(-1)?.state === 'offline');
  const back = online();
  const second = await brokerOf(world, { port: first.port });
  await back;
  const listener = await listen(world, second.url);
  await listener.until(`${base}/health`, ({ length }) => length > 0);
  const retained = new Map(listener.received.map((message) => [message.topic, message.text]));
  assert.is(retained.get(`${base}/status`), 'online');
  assert.is(retained.get(`${base}/mute`), 'ON');
  assert.ok(retained.has(`${base}/info`));
  assert.is(JSON.parse(retained.get(`${base}/health`) ?? '').mqtt.reconnects, 1);
  // and the commands are subscribed to again
  await listener.client.publishAsync(`${base}/mute/set`, 'OFF', { qos: 1 });
  await eventually('asked', () => mutes.length === 1);
});

test('wrong credentials are said once with a hint, tried again slowly, and right ones end it', async (world) => {
  const users = { harkd: 'right' };
  const first = await brokerOf(world, { users: { harkd: 'other' } });
  for (const protocol of ['auto', '3.1.1'] as const) {
    const { log } = rig(world, first.url, {
      username: 'harkd',
      password: 'right',
      protocol,
      base: `b/${protocol}`,
    });
    await log.until('refused', () => log.of('fault').length > 0);
    assert.is(log.of('fault')[0]?.code, 'BROKER_CREDENTIALS');
    assert.match(log.of('fault')[0]?.hint ?? '', /mqtt\.username/);
    assert.not.match(JSON.stringify(log.all), /right/);
  }
  const [auto] = world.rigs;
  // retries are 150 to 300 ms apart: several of them, still one announcement
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.is(auto?.log.of('fault').length, 1);
  await first.kill();
  await brokerOf(world, { port: first.port, users });
  await auto?.online();
  await auto?.log.until('recovered', () => auto.log.of('recovered').length > 0);
});

test('user and password may be in the url, and never come out of it', async (world) => {
  const broker = await brokerOf(world, { users: { 'ha rkd': 'p@ss/word' } });
  const { log, online } = rig(world, broker.url.replace('//', '//ha%20rkd:p%40ss%2Fword@'));
  await online();
  assert.is(log.of('broker')[0]?.url, broker.url);
  assert.not.match(JSON.stringify(log.all), /word/);
});

test('a publication the broker refuses is announced, kept and delivered when it is allowed', async (world) => {
  const users = { harkd: 'x', reader: 'y' };
  const readable = [`user reader`, `topic read #`];
  const allowed = [...readable, 'user harkd', `topic readwrite ${base}/#`];
  const forbidden = [
    ...readable,
    'user harkd',
    ...['status', 'info', 'health', 'mute', 'language', 'model', 'microphone', 'speech'].map(
      (topic) => `topic write ${base}/${topic}`,
    ),
    `topic read ${base}/#`,
  ];
  const first = await brokerOf(world, { users, acl: forbidden });
  const { sink, log, outbox, online } = rig(world, first.url, {
    username: 'harkd',
    password: 'x',
    refusedRetryMs: 50,
  });
  await online();
  sink.publish(said(1));
  await log.until('refused', () => log.of('fault').length > 0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const faults = log.of('fault');
  assert.is(faults.length, 1, 'tried several times, said once');
  assert.is(faults[0]?.code, 'BROKER_REFUSED');
  assert.match(faults[0]?.message ?? '', new RegExp(`${base}/transcript: Not authorized`));
  assert.match(faults[0]?.hint ?? '', /let user harkd read and write/);
  assert.is(outbox.depth(), 1);

  const back = log.until(
    'again',
    () => log.of('broker').filter(({ state }) => state === 'online').length === 2,
  );
  await first.kill();
  const reader = { protocolVersion: 5, username: 'reader', password: 'y' } as const;
  const listener = await listenedTo(world, first.port, { users, acl: allowed }, reader);
  await back;
  await listener.until(`${base}/transcript/text`, ({ length }) => length > 0);
  await eventually('delivered', () => outbox.depth() === 0);
  await log.until('recovered', () => log.of('recovered').length > 0);
});

test('an outbox that overflows says so, on the event topic and inside', async (world) => {
  const port = await freePort();
  const outbox = memoryOutbox({ maxEntries: 5 });
  const { sink, log, online } = rig(world, `mqtt://127.0.0.1:${port}`, { outbox });
  await log.until('unreachable', () => log.of('fault').length > 0);
  for (const seq of upTo(7)) sink.publish(said(seq));
  await log.until('told', () => log.of('outbox').some(({ depth, dropped }) => depth === 5 && dropped === 2));
  const listener = await listenedTo(world, port);
  await online();
  const finals = await listener.until(`${base}/transcript`, ({ length }) => length === 5);
  assert.equal(finals.map(seqOf), [3, 4, 5, 6, 7]);
  const events = await listener.until(`${base}/event`, ({ length }) => length === 2);
  assert.equal(
    events.map(({ text }) => {
      const { type, reason, dropped, droppedSinceStart, firstId, lastId } = JSON.parse(text);
      return [type, reason, dropped, droppedSinceStart, firstId, lastId];
    }),
    [
      ['outbox-full', 'count', 1, 1, 'boot-1', 'boot-1'],
      ['outbox-full', 'count', 1, 2, 'boot-2', 'boot-2'],
    ],
  );
});

test('finals left over by the run before are replayed, before what is new', async (world) => {
  const broker = await brokerOf(world);
  const listener = await listen(world, broker.url);
  const outbox = memoryOutbox();
  const body = JSON.stringify({ ...transcriptOf(1), id: 'earlier-1' });
  outbox.append({ id: 'earlier-1', createdAtMs: Date.now(), bootId: 'earlier', body });
  const { sink } = rig(world, broker.url, { outbox });
  sink.publish(said(1));
  const finals = await listener.until(`${base}/transcript`, ({ length }) => length === 2);
  assert.equal(
    finals.map((final) => [JSON.parse(final.text).id, replayedOf(final)]),
    [
      ['earlier-1', true],
      ['boot-1', false],
    ],
  );
  const bootIds = finals.map(({ properties }) => properties?.userProperties?.['bootId']);
  assert.equal(bootIds, ['earlier', 'boot']);
});

test('close waits for a broker that is on its way, tells what is left when it does not come, and keeps its deadline', async (world) => {
  const port = await freePort();
  const late = rig(world, `mqtt://127.0.0.1:${port}`);
  late.sink.publish(said(1));
  const closing = late.sink.close(20_000);
  const broker = await brokerOf(world, { port });
  assert.equal(await closing, { undelivered: 0 });
  await broker.kill();

  const never = rig(world, `mqtt://127.0.0.1:${port}`);
  for (const seq of upTo(3)) never.sink.publish(said(seq));
  const startedAtMs = performance.now();
  assert.equal(await never.sink.close(400), { undelivered: 3 });
  assert.ok(performance.now() - startedAtMs < 5000);
  // with nothing to deliver there is nothing to wait for
  const idle = rig(world, `mqtt://127.0.0.1:${port}`);
  assert.equal(await idle.sink.close(60_000), { undelivered: 0 });
});

test('close keeps its deadline with a frozen broker, too', async (world) => {
  const broker = await brokerOf(world);
  const { sink, online } = rig(world, broker.url);
  await online();
  broker.freeze();
  sink.publish(said(1));
  const startedAtMs = performance.now();
  assert.equal(await sink.close(600), { undelivered: 1 });
  assert.ok(performance.now() - startedAtMs < 5000);
});

test('a process with a closed sink ends by itself', async (world) => {
  const broker = await brokerOf(world);
  const file = path.join(import.meta.dirname, '../../fixtures/sink-process.js');
  const child = fork(file, [broker.url, 'close']);
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(20_000) });
  assert.is(code, 0);
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt-outages', mosquittoMissing);
