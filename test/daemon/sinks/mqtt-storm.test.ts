import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually, said } from '../../fixtures/daemon-events.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import { rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

const daemons = 50;
const finalsEach = 5;

/** The most of `times` that lie within `windowMs` of each other. */
function mostWithin(windowMs: number, times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.max(...sorted.map((from) => sorted.filter((at) => at >= from && at < from + windowMs).length));
}

/** Answers a function that tells for how long ahead timers have been set until it is called. */
function timersSet(): () => readonly number[] {
  const real = globalThis.setTimeout;
  const delaysMs: number[] = [];
  globalThis.setTimeout = Object.assign((...args: Parameters<typeof setTimeout>) => {
    delaysMs.push(args[1] ?? 0);
    return real(...args);
  }, real);
  return () => {
    globalThis.setTimeout = real;
    return delaysMs;
  };
}

const endings: (() => unknown)[] = [];
const test = suite('daemon/sinks/mqtt, fifty of them');
test.after(async () => {
  for (const end of endings.reverse()) await end();
});

test('a broker that was killed is not run down by fifty daemons, has them all back soon, and gets every final', async () => {
  const first = await startMosquitto();
  const door = await cuttingProxy(first.port);
  endings.push(first.kill, door.close);
  const rigs = Array.from({ length: daemons }, (_, i) =>
    // the pauses are those of a real daemon
    rigOf(door.url, { base: `harkd/d${i}`, bootId: `boot${i}`, willDelayS: 10, retry: {} }),
  );
  endings.push(() => Promise.all(rigs.map(({ sink }) => sink.close(500))));
  await Promise.all(rigs.map(({ online }) => online()));

  const before = door.accepted();
  const endListening = timersSet();
  await first.kill();
  for (const { sink } of rigs) for (let seq = 1; seq <= finalsEach; seq++) sink.publish(said(seq));
  // everybody has tried at least once, in vain
  await eventually('tried', () => door.accepted() >= before + 2 * daemons);
  const firstPausesMs = endListening().filter((ms) => ms >= 250 && ms <= 500);

  // nobody is faster than the listener, for whom brokers keep nothing
  door.hold('to-broker');
  const second = await startMosquitto({ port: first.port });
  const listener = await listenTo(second.url, 'harkd/#');
  endings.push(second.kill, listener.close);
  const arrivals = door.accepted();
  door.letGo();
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

  // when they arrive depends on how busy this machine is, so what counts is for when they set themselves
  assert.ok(firstPausesMs.length >= daemons, `${firstPausesMs.length} pauses`);
  const crowd = mostWithin(50, firstPausesMs);
  assert.ok(crowd < daemons * 0.6, `${crowd} of ${daemons} first tries are within 50 ms: ${firstPausesMs}`);
  // the broker was away for a second or two: nobody has got used to long pauses yet
  assert.ok(backAfterMs < 10_000, `all back after ${backAfterMs} ms`);
  assert.ok(door.accepted() - arrivals < 2 * daemons, 'who is let in does not come again at once');
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt, fifty of them', mosquittoMissing);
