import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Outbox, OutboxEntry, Overflow } from '../../daemon/outbox.ts';
import { memoryOutbox } from '../../daemon/outbox.ts';

const test = suite('daemon/outbox');

function entryOf(id: string, body = 'x'): OutboxEntry {
  return { id, createdAtMs: 1_700_000_000_000, bootId: 'b', body };
}

async function drain(outbox: Outbox): Promise<string[]> {
  const ids: string[] = [];
  for (let entry = await outbox.peek(); entry !== undefined; entry = await outbox.peek()) {
    ids.push(entry.id);
    await outbox.acknowledge(entry.id);
  }
  return ids;
}

test('hands out in order, and keeps the first until it is acknowledged', async () => {
  const outbox = memoryOutbox();
  for (const id of ['c', 'a', 'b']) outbox.append(entryOf(id));
  assert.is((await outbox.peek())?.id, 'c');
  assert.is((await outbox.peek())?.id, 'c');
  assert.is(outbox.depth(), 3);
  assert.equal(await drain(outbox), ['c', 'a', 'b']);
  assert.is(outbox.depth(), 0);
  assert.is(outbox.dropped(), 0);
});

test('the same id twice is one delivery, in the first place', async () => {
  const outbox = memoryOutbox();
  for (const id of ['a', 'b', 'a']) outbox.append(entryOf(id));
  assert.equal(await drain(outbox), ['a', 'b']);
});

test('acknowledging what is not there changes nothing', async () => {
  const outbox = memoryOutbox();
  outbox.append(entryOf('a'));
  await outbox.acknowledge('nobody');
  assert.is(outbox.depth(), 1);
});

test('too many: the oldest falls out, is counted and is announced by name', async () => {
  const overflows: Overflow[] = [];
  const outbox = memoryOutbox({ maxEntries: 2 });
  outbox.onOverflow((overflow) => overflows.push(overflow));
  for (const id of ['a', 'b', 'c', 'd']) outbox.append(entryOf(id));
  assert.equal(
    overflows.map(({ reason, entries }) => [reason, entries.map(({ id }) => id)]),
    [
      ['count', ['a']],
      ['count', ['b']],
    ],
  );
  assert.is(outbox.dropped(), 2);
  assert.equal(await drain(outbox), ['c', 'd']);
});

test('too many bytes: as many fall out as make room', async () => {
  const overflows: Overflow[] = [];
  // an entry with one letter of id, of boot and n of body takes 2 * (2 + n) bytes
  const outbox = memoryOutbox({ maxBytes: 100 });
  outbox.onOverflow((overflow) => overflows.push(overflow));
  for (const id of ['a', 'b', 'c']) outbox.append(entryOf(id, 'x'.repeat(14)));
  assert.is(outbox.depth(), 3, '96 of 100 bytes');
  outbox.append(entryOf('d', 'x'.repeat(20)));
  assert.equal(
    overflows.map(({ reason, entries }) => [reason, entries.map(({ id }) => id)]),
    [['bytes', ['a', 'b']]],
  );
  assert.equal(await drain(outbox), ['c', 'd']);
});

test('one entry larger than the box is given up alone', async () => {
  const overflows: Overflow[] = [];
  const outbox = memoryOutbox({ maxBytes: 100 });
  outbox.onOverflow((overflow) => overflows.push(overflow));
  outbox.append(entryOf('a'));
  outbox.append(entryOf('b', 'x'.repeat(100)));
  assert.equal(
    overflows.map(({ entries }) => entries.map(({ id }) => id)),
    [['b']],
  );
  assert.equal(await drain(outbox), ['a']);
});

test('too old by a clock that never steps: falls out on append and on peek', async () => {
  let nowMs = 0;
  const outbox = memoryOutbox({ maxAgeMs: 1000, nowMs: () => nowMs });
  outbox.append(entryOf('a'));
  nowMs = 600;
  outbox.append(entryOf('b'));
  nowMs = 1001;
  assert.is((await outbox.peek())?.id, 'b');
  assert.is(outbox.dropped(), 1);
  nowMs = 1601;
  outbox.append(entryOf('c'));
  assert.is(outbox.dropped(), 2);
  assert.equal(await drain(outbox), ['c']);
});

test('an entry made years ago by the wall clock is not old: the clock may have been wrong', async () => {
  const outbox = memoryOutbox({ maxAgeMs: 1000 });
  outbox.append({ ...entryOf('a'), createdAtMs: 0 });
  assert.equal(await drain(outbox), ['a']);
});

test('room is given back: a box kept under its limits never drops, however much passes through', async () => {
  const outbox = memoryOutbox({ maxEntries: 3, maxBytes: 1000 });
  for (let i = 0; i < 1000; i++) {
    outbox.append(entryOf(`a${i}`));
    outbox.append(entryOf(`b${i}`));
    assert.equal(await drain(outbox), [`a${i}`, `b${i}`]);
  }
  assert.is(outbox.dropped(), 0);
});

test.run();
