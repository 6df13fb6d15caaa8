import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Segment } from '../../daemon/events.ts';
import { defaultCapacityS, SegmentQueue } from '../../daemon/queue.ts';
import { randomFrom } from '../random.ts';

const test = suite('queue');
const never = new AbortController().signal;

function segment(id: string, seconds: number, closedAtMs = 0): Segment {
  const endSample = seconds * 16_000;
  const samples = new Float32Array(endSample);
  return { id, startSample: 0, endSample, samples, startAtMs: 0, closedAtMs, cause: 'pause' };
}
const ids = (segments: readonly Segment[]): string => segments.map(({ id }) => id).join(' ');

test('gives segments in the order they came', async () => {
  const queue = new SegmentQueue();
  for (const id of ['a', 'b', 'c']) assert.equal(queue.push(segment(id, 1)), []);
  assert.is(queue.depthS, 3);
  assert.is((await queue.take(never))?.id, 'a');
  assert.is((await queue.take(never))?.id, 'b');
  assert.is(queue.depthS, 1);
  assert.is((await queue.take(never))?.id, 'c');
  assert.is(queue.depthS, 0);
});

test('a taker waits for the next segment', async () => {
  const queue = new SegmentQueue();
  const taken = queue.take(never);
  queue.push(segment('late', 1));
  assert.is((await taken)?.id, 'late');
});

test('when full, the oldest make room and are handed back', async () => {
  const queue = new SegmentQueue(10);
  assert.is(ids(queue.push(segment('a', 4))), '');
  assert.is(ids(queue.push(segment('b', 4))), '');
  assert.is(ids(queue.push(segment('c', 2))), '');
  assert.is(ids(queue.push(segment('d', 5))), 'a b');
  assert.is(queue.depthS, 7);
  assert.is((await queue.take(never))?.id, 'c');
});

test('the newest is kept even if it is longer than the queue', async () => {
  const queue = new SegmentQueue(10);
  queue.push(segment('a', 4));
  assert.is(ids(queue.push(segment('long', 28))), 'a');
  assert.is(ids(queue.push(segment('next', 1))), 'long');
  assert.is((await queue.take(never))?.id, 'next');
});

test('an abort ends the wait and takes nothing', async () => {
  const queue = new SegmentQueue();
  const controller = new AbortController();
  const taken = queue.take(controller.signal);
  controller.abort();
  assert.is(await taken, undefined);
  queue.push(segment('a', 1));
  assert.is(await queue.take(controller.signal), undefined);
  assert.is((await queue.take(never))?.id, 'a');
});

test('a segment pushed in the moment of the abort is not lost', async () => {
  const queue = new SegmentQueue();
  const controller = new AbortController();
  const taken = queue.take(controller.signal);
  queue.push(segment('a', 1));
  controller.abort();
  assert.is(await taken, undefined);
  assert.is((await queue.take(never))?.id, 'a');
});

test('a second taker is a bug and says so', async () => {
  const queue = new SegmentQueue();
  const first = queue.take(never);
  try {
    await queue.take(never);
    assert.unreachable('two takers');
  } catch (error) {
    assert.match(String(error), /taker already/);
  }
  queue.push(segment('a', 1));
  assert.is((await first)?.id, 'a');
});

test('a closed queue gives what it holds, then ends', async () => {
  const queue = new SegmentQueue();
  queue.push(segment('a', 1));
  queue.close();
  assert.throws(() => queue.push(segment('b', 1)), /closed queue/);
  assert.is((await queue.take(never))?.id, 'a');
  assert.is(await queue.take(never), undefined);

  const empty = new SegmentQueue();
  const taken = empty.take(never);
  empty.close();
  assert.is(await taken, undefined);
});

test('a source that can wait is let on when there is room', async () => {
  const queue = new SegmentQueue();
  for (const id of ['a', 'b', 'c']) queue.push(segment(id, 10));
  let on = false;
  const room = queue.below(15, never).then(() => {
    on = true;
  });
  await queue.take(never);
  await new Promise(setImmediate);
  assert.not(on, 'let on with 20 s waiting');
  await queue.take(never);
  await room;
  assert.ok(on);

  const controller = new AbortController();
  const aborted = queue.below(5, controller.signal);
  controller.abort();
  await aborted;
});

test('says how long the oldest has waited', () => {
  const queue = new SegmentQueue();
  assert.is(queue.oldestMs(5000), 0);
  queue.push(segment('a', 1, 1000));
  queue.push(segment('b', 1, 4000));
  assert.is(queue.oldestMs(5000), 4000);
});

test('holds two minutes unless told, and more than nothing', () => {
  assert.is(defaultCapacityS, 120);
  assert.throws(() => new SegmentQueue(0), RangeError);
});

test('whatever comes: what went in comes out once, taken or dropped, in order, and the bound holds', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = randomFrom(seed);
    const queue = new SegmentQueue(20);
    const out: number[] = [];
    let pushed = 0;
    for (let step = 0; step < 60; step++) {
      if (random() < 0.6) {
        const dropped = queue.push(segment(String(pushed++), 1 + Math.floor(random() * 12)));
        out.push(...dropped.map(({ id }) => Number(id)));
      } else if (queue.length > 0) {
        out.push(Number((await queue.take(never))?.id));
      }
      assert.ok(queue.depthS <= 20, `seed ${seed}: ${queue.depthS} s wait`);
    }
    queue.close();
    for (let s = await queue.take(never); s !== undefined; s = await queue.take(never))
      out.push(Number(s.id));
    assert.equal(
      out,
      Array.from({ length: pushed }, (_, i) => i),
      `seed ${seed}`,
    );
  }
});

test.run();
