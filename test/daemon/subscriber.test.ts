import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startEmbeddedBroker } from '../../daemon/broker.ts';
import { Fault } from '../../daemon/faults.ts';
import type { Heard } from '../../daemon/subscriber.ts';
import { follow, parseSiteMessage } from '../../daemon/subscriber.ts';
import type { Mosquitto } from '../fixtures/broker.ts';
import { freePort, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { eventually, healthOf, said, transcriptOf } from '../fixtures/daemon-events.ts';
import { rigOf } from '../fixtures/sink.ts';
import { announceSkip } from '../skip.ts';

const parsing = suite('daemon/subscriber parses');

function parse(topic: string, payload: string | object, base = 'harkd/+') {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return parseSiteMessage({ topic, payload: Buffer.from(text) }, base);
}
const final = { event_type: 'final', ...transcriptOf(1), replayed: false };
const health = { ...healthOf(), mqtt: { reconnects: 0, outbox: 0, outboxDropped: 0 } };

parsing('what the daemon says, with the site it said it at', () => {
  assert.equal(parse('harkd/kitchen/status', 'online'), {
    site: 'kitchen',
    type: 'status',
    status: 'online',
  });
  assert.equal(parse('harkd/kitchen/speech', 'OFF'), { site: 'kitchen', type: 'speech', speaking: false });
  assert.equal(parse('harkd/kitchen/mute', 'ON'), { site: 'kitchen', type: 'mute', muted: true });
  assert.equal(parse('harkd/kitchen/transcript', final), {
    site: 'kitchen',
    type: 'transcript',
    transcript: final,
  });
  assert.equal(parse('harkd/kitchen/health', health), { site: 'kitchen', type: 'health', health });
  assert.is(parse('home/up/x/status', 'offline', 'home/+/x')?.site, 'x');
  assert.is(parse('harkd/attic/status', 'offline', 'harkd/attic')?.site, 'attic');
});

parsing('what is not for us is nothing', () => {
  for (const topic of [
    'harkd',
    'harkd/x',
    'harkd/x/transcript/text',
    'harkd/x/mute/set',
    'harkd/x/y/status',
  ]) {
    assert.is(parse(topic, 'ON'), undefined, topic);
  }
  assert.is(parse('harkd/x/status', ''), undefined, 'a topic cleaned away');
});

parsing('what is not as it should be is unreadable, never half-read', () => {
  const cases: [string, string | object][] = [
    ['status', 'Online'],
    ['status', '__proto__'],
    ['speech', 'true'],
    ['mute', 'toString'],
    ['transcript', '{'],
    ['transcript', 'null'],
    ['transcript', '[]'],
    ['transcript', { ...final, text: 7 }],
    ['transcript', { ...final, latencyMs: null }],
    ['transcript/partial', { id: 'a', rev: '1', text: '', stableChars: 0 }],
    ['health', { ...health, microphone: null }],
    ['health', { ...health, queue: { ...health.queue, depthS: 'deep' } }],
    ['info', '"info"'],
    ['event', { type: 'overload' }],
  ];
  for (const [name, payload] of cases) {
    assert.is(parse(`harkd/x/${name}`, payload)?.type, 'unreadable', `${name} ${JSON.stringify(payload)}`);
  }
});

parsing('bytes that are no UTF-8, and JSON that is no end of depth', () => {
  const deep = Buffer.from('['.repeat(50_000));
  for (const payload of [Buffer.from([0xff, 0xfe, 0x00]), deep]) {
    for (const name of ['status', 'transcript', 'health', 'event', 'info']) {
      assert.is(parseSiteMessage({ topic: `harkd/x/${name}`, payload }, 'harkd/+')?.type, 'unreadable');
    }
  }
});

parsing.run();

const following = suite('daemon/subscriber follows');

/** Collects what is heard in the background. */
function collect(url: string, options: Partial<Parameters<typeof follow>[0]> = {}) {
  const stop = new AbortController();
  const heard: Heard[] = [];
  const ended = (async () => {
    for await (const one of follow({ url, base: 'harkd/+', signal: stop.signal, ...options }))
      heard.push(one);
  })();
  ended.catch(() => undefined);
  const of = <T extends Heard['type']>(type: T) =>
    heard.filter((one): one is Extract<Heard, { type: T }> => one.type === type);
  return { heard, of, ended, stop: () => stop.abort() };
}

following('two sites, what is retained first, then what is said, until told to stop', async () => {
  const broker = await startEmbeddedBroker({ port: 0 });
  const kitchen = rigOf(broker.url, { base: 'harkd/kitchen', muted: true });
  const attic = rigOf(broker.url, { base: 'harkd/attic' });
  await Promise.all([kitchen.online(), attic.online()]);
  const follower = collect(broker.url);
  await eventually('both known', () => follower.of('health').length >= 2 && follower.of('info').length === 2);
  assert.equal(
    follower
      .of('status')
      .map(({ site, status }) => `${site} ${status}`)
      .sort(),
    ['attic online', 'kitchen online'],
  );
  assert.is(follower.of('mute').find(({ site }) => site === 'kitchen')?.muted, true);
  kitchen.sink.publish(said(1, 'kettle'));
  attic.sink.publish(said(1, 'spider'));
  await eventually('finals', () => follower.of('transcript').length === 2);
  assert.equal(
    follower
      .of('transcript')
      .map(({ site, transcript }) => `${site} ${transcript.text}`)
      .sort(),
    ['attic spider', 'kitchen kettle'],
    'the same id at two sites is two finals',
  );
  await attic.sink.close(1000);
  await eventually('offline', () => follower.of('status').at(-1)?.status === 'offline');
  assert.equal(follower.of('unreadable'), []);
  follower.stop();
  await follower.ended;
  await kitchen.sink.close(1000);
  await broker.close();
});

following('a final that comes twice is handed out once', async () => {
  const broker = await startEmbeddedBroker({ port: 0 });
  const follower = collect(broker.url);
  await eventually('connected', () => follower.of('broker').length === 1);
  const one = rigOf(broker.url);
  one.sink.publish(said(1));
  await eventually('heard', () => follower.of('transcript').length === 1);
  await one.sink.close(1000);
  // the same final from a daemon that did not learn that it was taken
  const again = rigOf(broker.url);
  again.sink.publish(said(1));
  again.sink.publish(said(2));
  await eventually('heard', () => follower.of('transcript').length > 1);
  assert.equal(
    follower.of('transcript').map(({ transcript }) => transcript.id),
    ['boot-1', 'boot-2'],
  );
  follower.stop();
  await follower.ended;
  await again.sink.close(1000);
  await broker.close();
});

following('a broker that was never there is a fault; one that goes and comes back is news', async () => {
  const port = await freePort();
  const failure = await collect(`mqtt://127.0.0.1:${port}`).ended.catch((thrown) => thrown);
  assert.instance(failure, Fault);
  assert.is(failure.code, 'BROKER_UNREACHABLE');

  const first = await startEmbeddedBroker({ port });
  const follower = collect(first.url);
  await eventually('connected', () => follower.of('broker').length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await first.close();
  await eventually('away', () => follower.of('broker').at(-1)?.state === 'offline');
  const second = await startEmbeddedBroker({ port });
  await eventually('back', () => follower.of('broker').at(-1)?.state === 'online');
  const rig = rigOf(second.url);
  rig.sink.publish(said(1));
  await eventually('heard', () => follower.of('status').length > 0);
  follower.stop();
  await follower.ended;
  await rig.sink.close(1000);
  await second.close();
});

following('a base that is no base', async () => {
  for (const base of ['', 'harkd/#', 'harkd/', '/harkd', 'harkd/a+']) {
    const failure = await collect('mqtt://127.0.0.1:1', { base }).ended.catch((thrown) => thrown);
    assert.is(failure?.code, 'CONFIG_INVALID', base);
  }
});

following.run();

const refusing = suite<{ mosquitto: Mosquitto }>('daemon/subscriber is refused');

refusing('by password, and by access list', async () => {
  const mosquitto = await startMosquitto({
    users: { guest: 'g', reader: 'r' },
    acl: ['user reader', 'topic read harkd/#', 'user guest', 'topic read other/#'],
  });
  const wrong = await collect(mosquitto.url, { username: 'guest', password: 'x' }).ended.catch(
    (thrown) => thrown,
  );
  assert.is(wrong.code, 'BROKER_CREDENTIALS');
  const right = collect(mosquitto.url, { username: 'reader', password: 'r' });
  await eventually('connected', () => right.of('broker').length === 1);
  right.stop();
  await right.ended;
  await mosquitto.stop();
});

if (mosquittoMissing === undefined) refusing.run();
else announceSkip('daemon/subscriber is refused', mosquittoMissing);
