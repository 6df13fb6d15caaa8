import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../daemon/faults.ts';
import type { Overflow } from '../../daemon/outbox.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import {
  bytesOnDisk,
  cannotMount,
  drain,
  drainIds,
  entryOf,
  logFiles,
  openRig,
  tinyDisk,
} from '../fixtures/outbox.ts';
import { randomFrom } from '../random.ts';
import { announceSkip } from '../skip.ts';

const test = suite<{ directory: string }>('daemon/outbox-file');

test.before.each((world) => {
  world.directory = path.join(mkdtempSync(path.join(tmpdir(), 'harkd-outbox-')), 'outbox');
});
test.after.each(({ directory }) => rmSync(path.dirname(directory), { recursive: true, force: true }));

const idsUpTo = (n: number) => Array.from({ length: n }, (_, i) => String(i));

/** Lets go of a folder as a killed process would: nothing is written any more, and the lock stays. */
async function leave(directory: string): Promise<string> {
  const copy = `${directory}-after-the-crash`;
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy);
  for (const name of logFiles(directory)) {
    writeFileSync(path.join(copy, name), readFileSync(path.join(directory, name)));
  }
  return copy;
}

test('what was appended is there after a crash, as it was, in order', async ({ directory }) => {
  const { outbox } = await openRig(directory);
  const entries = [entryOf('b'), entryOf('a', 'ÿ 東京 "\n'), entryOf('c', '')];
  for (const entry of entries) outbox.append(entry);
  await outbox.safe();
  const again = await openRig(await leave(directory));
  assert.is(again.damage, undefined);
  assert.is(again.outbox.depth(), 3);
  again.outbox.append(entryOf('d'));
  assert.equal(await drain(again.outbox).then((all) => all.slice(0, 3)), entries);
  await again.outbox.close();
  await outbox.close();
});

test('what was acknowledged does not come back', async ({ directory }) => {
  const { outbox } = await openRig(directory);
  for (const id of idsUpTo(10)) outbox.append(entryOf(id));
  await outbox.safe();
  for (const id of idsUpTo(4)) await outbox.acknowledge(id);
  await outbox.close();
  const again = await openRig(directory);
  assert.equal(await drainIds(again.outbox), ['4', '5', '6', '7', '8', '9']);
  await again.outbox.close();
});

test('nothing that was said stays on the disk once it is delivered', async ({ directory }) => {
  const { outbox } = await openRig(directory, { segmentBytes: 500 });
  for (const id of idsUpTo(50)) outbox.append(entryOf(id));
  await outbox.safe();
  assert.ok(bytesOnDisk(directory) > 2000);
  await drain(outbox);
  await eventually('empty', () => bytesOnDisk(directory) === 0);
  outbox.append(entryOf('later'));
  await outbox.safe();
  await drain(outbox);
  await outbox.close();
  assert.equal(readdirSync(directory), [], 'nor anything else after a clean end');
});

test('what is delivered before it is written is never written', async ({ directory }) => {
  const { outbox } = await openRig(directory, { flushAfterMs: 30 });
  for (let i = 0; i < 100; i++) {
    outbox.append(entryOf(`${i}`));
    await outbox.acknowledge(`${i}`);
  }
  await outbox.safe();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(logFiles(directory), []);
  await outbox.close();
});

test('files are deleted from the front; their size follows what waits, not what passed through', async ({
  directory,
}) => {
  const { outbox } = await openRig(directory, { segmentBytes: 4096 });
  outbox.append(entryOf('first'));
  let most = 0;
  for (let i = 0; i < 3000; i++) {
    outbox.append(entryOf(`${i}`, 'x'.repeat(50)));
    if (i % 20 === 0) await outbox.safe();
    const oldest = await outbox.peek();
    await outbox.acknowledge(oldest?.id ?? '');
    if (i % 100 === 0) most = Math.max(most, bytesOnDisk(directory));
  }
  assert.ok(most > 0 && most < 6 * 4096, `${most} bytes for one entry that waits`);
  assert.is(outbox.depth(), 1);
  await outbox.close();
  const again = await openRig(directory);
  assert.equal(await drainIds(again.outbox), ['2999']);
  await again.outbox.close();
});

test('is readable for nobody else', async ({ directory }) => {
  mkdirSync(directory, { mode: 0o755 });
  const { outbox } = await openRig(directory);
  outbox.append(entryOf('a'));
  await outbox.safe();
  assert.is(statSync(directory).mode & 0o777, 0o700);
  for (const name of logFiles(directory)) {
    assert.is(statSync(path.join(directory, name)).mode & 0o777, 0o600);
  }
  await outbox.close();
});

test('has one owner: a living one is respected, a dead one is not waited for', async ({ directory }) => {
  const { outbox } = await openRig(directory);
  const lock = path.join(directory, 'lock');
  const held = readlinkSync(lock);
  try {
    await openRig(directory);
    assert.unreachable();
  } catch (fault) {
    assert.instance(fault, Fault);
    assert.is((fault as Fault).code, 'OUTBOX_BUSY');
    assert.match((fault as Fault).message, String(process.pid));
  }
  assert.is(readlinkSync(lock), held, 'the lock of the owner is untouched');
  await outbox.close();

  const [, start, ...machine] = held.split('-');
  for (const stale of [
    `${process.pid}-${Number(start) - 1}-${machine.join('-')}`,
    `${process.pid}-${start}-another-start-of-the-machine`,
    `999999999-1-${machine.join('-')}`,
    'nonsense',
  ]) {
    symlinkSync(stale, lock);
    const next = await openRig(directory);
    assert.is(readlinkSync(lock), held, stale);
    await next.outbox.close();
  }
  assert.equal(readdirSync(directory), []);
});

test('a folder that cannot be is a fault that names it', async ({ directory }) => {
  writeFileSync(directory, 'a file');
  try {
    await openRig(directory);
    assert.unreachable();
  } catch (fault) {
    assert.is((fault as Fault).code, 'OUTBOX_UNWRITABLE');
    assert.match((fault as Fault).message, directory);
  }
});

test('bounds hold across a restart, and what falls out is announced to those who come later', async ({
  directory,
}) => {
  const first = await openRig(directory);
  for (const id of idsUpTo(10)) first.outbox.append(entryOf(id));
  await first.outbox.close();
  const overflows: Overflow[] = [];
  const second = await openRig(directory, { maxEntries: 4 });
  second.outbox.onOverflow((overflow) => overflows.push(overflow));
  await Promise.resolve();
  assert.equal(
    overflows.flatMap(({ entries }) => entries.map(({ id }) => id)),
    ['0', '1', '2', '3', '4', '5'],
  );
  assert.is(second.outbox.dropped(), 6);
  await second.outbox.close();
  const third = await openRig(directory);
  assert.equal(await drainIds(third.outbox), ['6', '7', '8', '9']);
  await third.outbox.close();
});

test('age goes on while the machine is off; a clock that was never set makes nobody old', async ({
  directory,
}) => {
  const nowMs = Date.UTC(2026, 10, 22);
  const hourMs = 3_600_000;
  const first = await openRig(directory);
  first.outbox.append({ ...entryOf('three hours old'), createdAtMs: nowMs - 3 * hourMs });
  first.outbox.append({ ...entryOf('of 1970'), createdAtMs: 5000 });
  first.outbox.append({ ...entryOf('of tomorrow'), createdAtMs: nowMs + 24 * hourMs });
  first.outbox.append({ ...entryOf('an hour old'), createdAtMs: nowMs - hourMs });
  assert.is(first.outbox.depth(), 4, 'in the run that made it, an entry is as old as that run says');
  await first.outbox.close();
  const second = await openRig(directory, { maxAgeMs: 2 * hourMs, wallClockMs: () => nowMs });
  assert.equal(await drainIds(second.outbox), ['of 1970', 'of tomorrow', 'an hour old']);
  assert.is(second.outbox.dropped(), 1);
  await second.outbox.close();
});

test('cut at any byte: a part of what was said, in order, from the beginning', async ({ directory }) => {
  const { outbox } = await openRig(directory, { segmentBytes: 1 << 20 });
  const ids = idsUpTo(30);
  for (const id of ids) outbox.append(entryOf(id));
  await outbox.safe();
  const [name = ''] = logFiles(directory);
  const whole = readFileSync(path.join(directory, name));
  const random = randomFrom(7);
  let lengths = new Set<number>();
  let before = 0;
  for (let i = 0; i < 30; i++) lengths.add(Math.floor(random() * (whole.length + 1)));
  lengths = new Set([0, ...[...lengths].sort((a, b) => a - b), whole.length]);
  for (const length of lengths) {
    const copy = await leave(directory);
    writeFileSync(path.join(copy, name), whole.subarray(0, length));
    const again = await openRig(copy);
    assert.is(again.damage, undefined, 'a torn end is nothing to be told');
    again.outbox.append(entryOf('new'));
    await again.outbox.close();
    const once = await openRig(copy);
    const got = await drainIds(once.outbox);
    assert.equal(got, [...ids.slice(0, got.length - 1), 'new']);
    assert.ok(got.length >= before, 'a longer file never gives less');
    before = got.length;
    await once.outbox.close();
  }
  assert.is(before, 31);
  await outbox.close();
});

test('damage in the middle of several files: the rest is delivered in order, and the loss is told', async ({
  directory,
}) => {
  const { outbox } = await openRig(directory, { segmentBytes: 600 });
  for (const id of idsUpTo(60)) {
    outbox.append(entryOf(id));
    if (Number(id) % 4 === 3) await outbox.safe();
  }
  await outbox.safe();
  const random = randomFrom(99);
  const names = logFiles(directory);
  assert.ok(names.length > 5);
  for (let round = 0; round < 25; round++) {
    const copy = await leave(directory);
    const victim = path.join(copy, names[Math.floor(random() * (names.length - 1))] ?? '');
    const bytes = readFileSync(victim);
    const bit = Math.floor(random() * bytes.length * 8);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    writeFileSync(victim, bytes);
    const again = await openRig(copy);
    const got = (await drainIds(again.outbox)).map(Number);
    assert.is(got.length, 59);
    assert.equal(
      got,
      got.toSorted((a, b) => a - b),
    );
    const torn = readFileSync(victim).length < bytes.length;
    if (!torn) {
      assert.is(again.damage?.code, 'OUTBOX_DAMAGED');
      assert.match(again.damage?.message ?? '', path.basename(victim));
    }
    await again.outbox.close();
  }
  await outbox.close();
});

test('killed again and again in the middle of writing: nothing that was safe is lost', async ({
  directory,
}) => {
  const program = path.join(import.meta.dirname, '../fixtures/outbox-process.js');
  const random = randomFrom(3);
  let next = 1;
  let lastSafe = 0;
  const mayBeGone = new Set<string>();
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, [program, directory, String(next)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const enough = 20 + Math.floor(random() * 60);
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.split('safe').length > enough) child.kill('SIGKILL');
    });
    const [, signal] = await once(child, 'close');
    assert.is(signal, 'SIGKILL', output);
    for (const [, what, number = ''] of output.matchAll(/^(safe|forget) (\d+)$/gm)) {
      if (what === 'safe') lastSafe = Number(number);
      else mayBeGone.add(number);
    }
    // killed without a word: the lock is stale, and the next one must not wait for it
    assert.ok(readdirSync(directory).includes('lock'));
    const { outbox, damage } = await openRig(await leave(directory));
    assert.is(damage, undefined);
    const got = (await drainIds(outbox)).map(Number);
    assert.equal(
      got,
      got.toSorted((a, b) => a - b),
      'in order',
    );
    const lost = Array.from({ length: lastSafe }, (_, i) => i + 1).filter(
      (number) => !got.includes(number) && !mayBeGone.has(String(number)),
    );
    assert.equal(lost, [], `of ${lastSafe} that were safe`);
    next = Math.max(lastSafe, ...got) + 1;
    await outbox.close();
  }
  assert.ok(lastSafe > 200 && mayBeGone.size > 10, `${lastSafe} safe, ${mayBeGone.size} forgotten`);
});

const full = suite('daemon/outbox-file on a full disk');

full('goes on in memory, says so once, and is safe again when there is room', async () => {
  const disk = tinyDisk(128);
  assert.ok(disk !== undefined, cannotMount);
  try {
    const directory = path.join(disk.dir, 'outbox');
    const ballast = path.join(disk.dir, 'ballast');
    const { outbox, troubles, wells } = await openRig(directory, { segmentBytes: 8192 });
    for (const id of idsUpTo(5)) outbox.append(entryOf(id));
    await outbox.safe();
    writeFileSync(ballast, '');
    try {
      writeFileSync(ballast, Buffer.alloc(1 << 20));
    } catch {
      // as much as there is room for
    }
    for (let i = 5; i < 400; i++) outbox.append(entryOf(`${i}`, 'x'.repeat(40)));
    await eventually('said', () => troubles.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.is(troubles.length, 1, 'tried several times, said once');
    assert.is(troubles[0]?.code, 'DISK_FULL');
    assert.is(outbox.depth(), 400, 'nothing is given up');
    assert.equal(wells, []);

    // a crash now loses what is in memory only, and nothing of what was safe
    const crashed = await openRig(await leave2(directory));
    const kept = await drainIds(crashed.outbox);
    assert.ok(kept.length >= 5, `${kept.length} were safe`);
    assert.equal(kept, idsUpTo(kept.length));
    await crashed.outbox.close();

    // delivering makes room by itself
    for (const id of idsUpTo(10)) await outbox.acknowledge(id);
    rmSync(ballast);
    await outbox.safe();
    assert.is(wells.length, 1);
    await outbox.close();
    assert.is(troubles.length, 1);
    const again = await openRig(directory);
    assert.is(again.damage, undefined);
    assert.equal(await drainIds(again.outbox), idsUpTo(400).slice(10));
    await again.outbox.close();
  } finally {
    disk.remove();
  }
});

full('opens on a disk that is full, with what was there', async () => {
  const disk = tinyDisk(64);
  assert.ok(disk !== undefined, cannotMount);
  try {
    const directory = path.join(disk.dir, 'outbox');
    const first = await openRig(directory);
    for (const id of idsUpTo(5)) first.outbox.append(entryOf(id));
    await first.outbox.close();
    try {
      writeFileSync(path.join(disk.dir, 'ballast'), Buffer.alloc(1 << 20));
    } catch {
      // as much as there is room for
    }
    const { outbox } = await openRig(directory);
    assert.equal(await drainIds(outbox), idsUpTo(5));
    await outbox.close();
    assert.equal(logFiles(directory), []);
  } finally {
    disk.remove();
  }
});

/** Like `leave`, to where there is room. */
async function leave2(directory: string): Promise<string> {
  const copy = mkdtempSync(path.join(tmpdir(), 'harkd-outbox-'));
  for (const name of logFiles(directory)) {
    writeFileSync(path.join(copy, name), readFileSync(path.join(directory, name)));
  }
  return copy;
}

test.run();
const probe = tinyDisk(64);
probe?.remove();
if (probe === undefined) announceSkip('daemon/outbox-file on a full disk', cannotMount);
else full.run();
