import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EmbeddedBroker } from '../../daemon/broker.ts';
import { startEmbeddedBroker } from '../../daemon/broker.ts';
import { Fault } from '../../daemon/faults.ts';
import type { Heard } from '../../daemon/subscriber.ts';
import { follow, parseSiteMessage } from '../../daemon/subscriber.ts';
import { freePort, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { eventually, healthOf, said, transcriptOf } from '../fixtures/daemon-events.ts';
import type { Rig } from '../fixtures/sink.ts';
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
/** What a test started; ended whether it passes or not. */
const endings: (() => Promise<unknown>)[] = [];
following.after.each(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function brokerOf(port = 0): Promise<EmbeddedBroker> {
  const broker = await startEmbeddedBroker({ port });
  endings.push(() => broker.close());
  return broker;
}
function daemonOf(...args: Parameters<typeof rigOf>): Rig {
  const rig = rigOf(...args);
  endings.push(() => rig.sink.close(500));
  return rig;
}

/** Collects what is heard in the background. */
function collect(url: string, options: Partial<Parameters<typeof follow>[0]> = {}) {
  const stop = new AbortController();
  const heard: Heard[] = [];
  const ended = (async () => {
    for await (const one of follow({ url, base: 'harkd/+', signal: stop.signal, ...options }))
      heard.push(one);
  })();
  const settled = ended.catch(() => undefined);
  endings.push(() => {
    stop.abort();
    return settled;
  });
  const of = <T extends Heard['type']>(type: T) =>
    heard.filter((one): one is Extract<Heard, { type: T }> => one.type === type);
  return { heard, of, ended, stop: () => stop.abort() };
}

following('two sites, what is retained first, then what is said, until told to stop', async () => {
  const broker = await brokerOf();
  const kitchen = daemonOf(broker.url, { base: 'harkd/kitchen', muted: true });
  const attic = daemonOf(broker.url, { base: 'harkd/attic' });
  await Promise.all([kitchen.online(), attic.online()]);
  const follower = collect(broker.url);
  const known = (['status', 'info', 'mute', 'health'] as const).map((type) => () => {
    return new Set(follower.of(type).map(({ site }) => site)).size === 2;
  });
  await eventually('both known', () => known.every((isKnown) => isKnown()));
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
});

following('a final that comes twice is handed out once', async () => {
  const broker = await brokerOf();
  const follower = collect(broker.url);
  await eventually('connected', () => follower.of('broker').length === 1);
  const one = daemonOf(broker.url);
  one.sink.publish(said(1));
  await eventually('heard', () => follower.of('transcript').length === 1);
  await one.sink.close(1000);
  // the same final from a daemon that did not learn that it was taken
  const again = daemonOf(broker.url);
  again.sink.publish(said(1));
  again.sink.publish(said(2));
  await eventually('heard', () => follower.of('transcript').length > 1);
  assert.equal(
    follower.of('transcript').map(({ transcript }) => transcript.id),
    ['boot-1', 'boot-2'],
  );
});

following('a broker that was never there is a fault; one that goes and comes back is news', async () => {
  const port = await freePort();
  const failure = await collect(`mqtt://127.0.0.1:${port}`).ended.catch((thrown) => thrown);
  assert.instance(failure, Fault);
  assert.is(failure.code, 'BROKER_UNREACHABLE');

  const first = await brokerOf(port);
  const follower = collect(first.url);
  await eventually('connected', () => follower.of('broker').length === 1);
  await first.close();
  await eventually('away', () => follower.of('broker').at(-1)?.state === 'offline');
  const second = await brokerOf(port);
  await eventually('back', () => follower.of('broker').at(-1)?.state === 'online');
  const rig = daemonOf(second.url);
  rig.sink.publish(said(1));
  await eventually('heard', () => follower.of('status').length > 0);
});

following('a base that is no base', async () => {
  for (const base of ['', 'harkd/#', 'harkd/', '/harkd', 'harkd/a+']) {
    const failure = await collect('mqtt://127.0.0.1:1', { base }).ended.catch((thrown) => thrown);
    assert.is(failure?.code, 'CONFIG_INVALID', base);
  }
});

following.run();

const refusing = suite('daemon/subscriber is refused');
refusing.after.each(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

refusing('by password, and by access list', async () => {
  const mosquitto = await startMosquitto({
    users: { guest: 'g', reader: 'r' },
    acl: ['user reader', 'topic read harkd/#', 'user guest', 'topic read other/#'],
  });
  endings.push(() => mosquitto.stop());
  const wrong = await collect(mosquitto.url, { username: 'guest', password: 'x' }).ended.catch(
    (thrown) => thrown,
  );
  assert.is(wrong.code, 'BROKER_CREDENTIALS');
  const right = collect(mosquitto.url, { username: 'reader', password: 'r' });
  await eventually('connected', () => right.of('broker').length === 1);
});

if (mosquittoMissing === undefined) refusing.run();
else announceSkip('daemon/subscriber is refused', mosquittoMissing);
