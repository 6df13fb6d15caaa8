import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually, said } from '../../fixtures/daemon-events.ts';
import { rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

const daemons = 50;
const finalsEach = 5;

/** Where all daemons connect: writes down when, and passes them on to the broker, or hangs up while that is away. */
async function doorkeeper() {
  const arrivedAtMs: number[] = [];
  const sockets = new Set<Socket>();
  let brokerPort: number | undefined;
  const server = createServer((near) => {
    arrivedAtMs.push(performance.now());
    near.on('error', () => {});
    if (brokerPort === undefined) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(brokerPort, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('data', (bytes) => to.write(bytes));
      from.once('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivedAtMs,
    passTo(port: number | undefined) {
      brokerPort = port;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The most of `times` that lie within `windowMs` of each other. */
function mostWithin(windowMs: number, times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.max(...sorted.map((from) => sorted.filter((at) => at >= from && at < from + windowMs).length));
}

const test = suite('daemon/sinks/mqtt, fifty of them');

test('a broker that was killed is not run down by fifty daemons, has them all back soon, and gets every final', async () => {
  const first = await startMosquitto();
  const door = await doorkeeper();
  door.passTo(first.port);
  const rigs = Array.from({ length: daemons }, (_, i) =>
    // the pauses are those of a real daemon
    rigOf(door.url, { base: `harkd/d${i}`, bootId: `boot${i}`, willDelayS: 10, retry: {} }),
  );
  await Promise.all(rigs.map(({ online }) => online()));

  door.passTo(undefined);
  const before = door.arrivedAtMs.length;
  const killedAtMs = performance.now();
  await first.kill();
  for (const { sink } of rigs) for (let seq = 1; seq <= finalsEach; seq++) sink.publish(said(seq));
  // everybody has tried at least once, in vain
  await eventually('tried', () => door.arrivedAtMs.length >= before + 2 * daemons);
  const tries = door.arrivedAtMs.slice(before).map((atMs) => atMs - killedAtMs);

  const second = await startMosquitto({ port: first.port });
  const listener = await listenTo(second.url, 'harkd/#');
  const arrivals = door.arrivedAtMs.length;
  door.passTo(second.port);
  const openedAtMs = performance.now();
  await Promise.all(rigs.map(({ online }) => online()));
  const backAfterMs = performance.now() - openedAtMs;
  await eventually('delivered', () => rigs.every(({ outbox }) => outbox.depth() === 0));
  for (let i = 0; i < daemons; i++) {
    const finals = await listener.until(`harkd/d${i}/transcript`, ({ length }) => length >= finalsEach);
    const seqs = finals.map(({ text }) => JSON.parse(text).seq as number);
    assert.equal([...new Set(seqs)], [1, 2, 3, 4, 5], `daemon ${i}`);
  }
  assert.ok(rigs.every(({ outbox }) => outbox.dropped() === 0));

  // in step, all would be within a few milliseconds; the pauses before the first try are spread over 250 ms
  const firstTries = tries.slice(0, daemons);
  const crowd = mostWithin(50, firstTries);
  assert.ok(
    crowd < daemons * 0.7,
    `${crowd} of ${daemons} first tries within 50 ms: ${firstTries.map(Math.round)}`,
  );
  assert.ok(Math.min(...tries) >= 200, `tried again after ${Math.min(...tries)} ms`);
  // the broker was away for a second or two: nobody has got used to long pauses yet
  assert.ok(backAfterMs < 10_000, `all back after ${backAfterMs} ms`);
  assert.ok(door.arrivedAtMs.length - arrivals < 2 * daemons, 'who is let in does not come again at once');

  listener.close();
  await Promise.all(rigs.map(({ sink }) => sink.close(500)));
  door.close();
  await second.kill();
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt, fifty of them', mosquittoMissing);
