import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CleanOptions, clean } from '../../../daemon/commands/mqtt-clean.ts';
import { Fault } from '../../../daemon/faults.ts';
import type { Listener, Mosquitto } from '../../fixtures/broker.ts';
import { freePort, listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { harkd } from '../../fixtures/daemon.ts';
import { announceSkip } from '../../skip.ts';

type World = { broker: Mosquitto; other: Listener };

const test = suite<World>('daemon/commands/mqtt-clean');

const users = { admin: 'a', reader: 'r' };
const acl = ['user admin', 'topic readwrite #', 'user reader', 'topic read #'];
const ours = [
  'harkd/gone/health',
  'harkd/gone/info',
  'harkd/gone/mute',
  'harkd/gone/mute/set',
  'harkd/gone/status',
  'homeassistant/device/harkd_gone/config',
  'homie/5/harkd-gone/$description',
  'homie/5/harkd-gone/microphone/mute',
];
/** Removed first of all: with it the device is gone, says the convention. */
const homieState = 'homie/5/harkd-gone/$state';
const left = [homieState, ...ours];
const others = [
  'homie/5/harkd-here/$state',
  'harkd/here/status',
  'harkd/gone2/status',
  'homeassistant/device/harkd_here/config',
];

test.before(async (world) => {
  world.broker = await startMosquitto({ users, acl });
  const admin = { protocolVersion: 5, username: 'admin', password: 'a' } as const;
  world.other = await listenTo(world.broker.url, 'nothing', admin);
});
test.before.each(async ({ other }) => {
  for (const topic of [...left, ...others]) await say(other, topic, 'offline');
});
test.after(async (world) => {
  world.other.close();
  await world.broker.kill();
});

const say = (other: Listener, topic: string, payload: string) =>
  other.client.publishAsync(topic, payload, { qos: 1, retain: true });

async function retainedNow({ broker }: World): Promise<string[]> {
  const admin = { protocolVersion: 5, username: 'admin', password: 'a' } as const;
  const listener = await listenTo(broker.url, '#', admin);
  await listener.client.publishAsync('fence', '', { qos: 1 });
  await listener.until('fence', ({ length }) => length > 0);
  listener.close();
  return listener.received.filter(({ retained }) => retained).map(({ topic }) => topic);
}
async function run(
  { broker }: World,
  options: Partial<CleanOptions> = {},
): Promise<{ readonly lines: string[]; readonly asked: (readonly string[])[] }> {
  const written: string[] = [];
  const asked: (readonly string[])[] = [];
  await clean({
    url: broker.url,
    username: 'admin',
    password: 'a',
    base: 'harkd/gone',
    prefix: 'homeassistant',
    homie: 'homie/5/harkd-gone',
    dryRun: false,
    signal: new AbortController().signal,
    write: (text) => void written.push(text),
    confirm(topics) {
      asked.push(topics);
      return Promise.resolve(true);
    },
    quietMs: 200,
    ...options,
  });
  return { lines: written.join('').trimEnd().split('\n'), asked };
}
async function faultOf(running: Promise<unknown>): Promise<Fault> {
  const thrown = await running.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.instance(thrown, Fault);
  return thrown as Fault;
}

test('what one daemon left is listed, confirmed and removed, and nothing else', async (world) => {
  const { lines, asked } = await run(world);
  assert.equal(lines, [...left, 'removed 9']);
  assert.equal(asked, [left]);
  assert.equal((await retainedNow(world)).sort(), others.toSorted());
  assert.equal((await run(world)).lines, ['nothing is retained under harkd/gone']);
});

test('a dry run and a "no" remove nothing', async (world) => {
  const dry = await run(world, { dryRun: true });
  assert.equal([dry.lines, dry.asked], [left, []]);
  const no = await run(world, { confirm: () => Promise.resolve(false) });
  assert.equal(no.lines, [...left, 'nothing removed']);
  assert.equal((await retainedNow(world)).sort(), [...left, ...others].sort());
});

test('a daemon that is online keeps what it has', async (world) => {
  await say(world.other, 'harkd/gone/status', 'online');
  const fault = await faultOf(run(world));
  assert.is(fault.code, 'USAGE_INVALID');
  assert.match(fault.message, /harkd\/gone is online/);
  assert.is((await retainedNow(world)).length, left.length + others.length);
});

test('who may not write is told so, with a broker that says it and one that only does it (3.1.1)', async (world) => {
  for (const protocol of ['5', '3.1.1'] as const) {
    const fault = await faultOf(run(world, { username: 'reader', password: 'r', protocol }));
    assert.is(fault.code, 'BROKER_REFUSED');
    assert.match(fault.hint, /read and write homie\/5\/harkd-gone\/\$state/);
  }
});

test('a broker that is not there is a fault', async (world) => {
  const fault = await faultOf(run(world, { url: `mqtt://127.0.0.1:${await freePort()}` }));
  assert.is(fault.code, 'BROKER_UNREACHABLE');
});

test('on the command line it needs --yes where nobody can be asked', async (world) => {
  const environment = { HARKD_MQTT_PASSWORD: 'a' };
  const args = ['mqtt', 'clean', '--broker', world.broker.url, '--username', 'admin', '--site', 'gone'];
  const unsure = await harkd(args, environment);
  assert.is(unsure.code, 64, unsure.stderr);
  assert.match(unsure.stderr, /add --yes/);
  assert.is((await retainedNow(world)).length, left.length + others.length);
  const sure = await harkd([...args, '--yes'], environment);
  assert.equal([sure.code, sure.stdout], [0, `${[...left, 'removed 9'].join('\n')}\n`], sure.stderr);
  const everywhere = await harkd(['mqtt', 'clean', '--site', '+'], environment);
  assert.is(everywhere.code, 78);
});

if (mosquittoMissing !== undefined) announceSkip('harkd mqtt clean', mosquittoMissing);
else test.run();
