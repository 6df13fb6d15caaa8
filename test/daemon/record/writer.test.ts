import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../fixtures/daemon-events.ts';
import { cannotMount, tinyDisk } from '../../fixtures/outbox.ts';
import { readAll, recordRig, saidAt, textsIn } from '../../fixtures/record.ts';
import { randomFrom } from '../../random.ts';
import { announceSkip } from '../../skip.ts';

const test = suite<{ directory: string }>('daemon/record/writer');

test.before.each((world) => {
  world.directory = path.join(mkdtempSync(path.join(tmpdir(), 'harkd-record-')), 'state', 'record');
});
test.after.each(({ directory }) => rmSync(path.join(directory, '../..'), { recursive: true, force: true }));

const nowMs = Date.UTC(2026, 10, 22, 12);
const dayMs = 86_400_000;

const filesIn = (directory: string) => readdirSync(directory).filter((name) => name.endsWith('.jsonl'));
const bytesIn = (directory: string) =>
  filesIn(directory).reduce((sum, name) => sum + statSync(path.join(directory, name)).size, 0);

/** One run of a daemon that hears these. */
async function keep(
  directory: string,
  said: readonly [seq: number, atMs: number][],
  options: Parameters<typeof recordRig>[2] = {},
  clockMs = nowMs,
) {
  const rig = recordRig(directory, clockMs, options);
  for (const [seq, atMs] of said) rig.record.append(saidAt(seq, atMs));
  await rig.record.close();
  return rig;
}

test('keeps what was said over many runs, as it was, in one file a day', async ({ directory }) => {
  for (let run = 0; run < 3; run++) await keep(directory, [[run, nowMs + run]]);
  await keep(directory, [[3, nowMs + dayMs]]);
  assert.equal((await readAll(directory)).transcripts, [
    ...[0, 1, 2].map((seq) => saidAt(seq, nowMs + seq)),
    saidAt(3, nowMs + dayMs),
  ]);
  assert.equal(filesIn(directory), ['0000000001-2026-11-22.jsonl', '0000000002-2026-11-23.jsonl']);
});

test('is readable for nobody else', async ({ directory }) => {
  const { record } = recordRig(directory, nowMs);
  record.append(saidAt(1, nowMs));
  await record.settled();
  assert.is(statSync(directory).mode & 0o777, 0o700);
  for (const name of filesIn(directory)) assert.is(statSync(path.join(directory, name)).mode & 0o777, 0o600);
  await record.close();
  assert.is(readdirSync(directory).includes('lock'), false);
});

test('grows no larger than it may; the oldest go', async ({ directory }) => {
  const maxBytes = 40_000;
  const { record } = recordRig(directory, nowMs, { maxBytes });
  let mostBytes = 0;
  for (let seq = 0; seq < 600; seq++) {
    record.append(saidAt(seq, nowMs + seq));
    if (seq % 10 !== 0) continue;
    await record.settled();
    mostBytes = Math.max(mostBytes, bytesIn(directory));
  }
  await record.close();
  assert.ok(mostBytes <= maxBytes + 500 && mostBytes > maxBytes * 0.7, `${mostBytes} of ${maxBytes}`);
  const seqs = (await readAll(directory)).transcripts.map(({ seq }) => seq);
  assert.equal(
    seqs,
    Array.from({ length: seqs.length }, (_, index) => 600 - seqs.length + index),
  );
  assert.ok(bytesIn(directory) > maxBytes / 2);
});

test('a smaller record than before is made smaller at the start', async ({ directory }) => {
  await keep(
    directory,
    Array.from({ length: 100 }, (_, seq) => [seq, nowMs]),
    { segmentBytes: 2000 },
  );
  await keep(directory, [], { maxBytes: 8000 });
  assert.ok(bytesIn(directory) <= 8000);
  assert.is((await textsIn(directory)).at(-1), 'sentence 99');
});

test('forgets what is too old, also while nobody speaks', async ({ directory }) => {
  await keep(directory, [
    [1, nowMs - 40 * dayMs],
    [2, nowMs - 31 * dayMs],
    [3, nowMs - 30 * dayMs],
    [4, nowMs],
  ]);
  await keep(directory, []);
  assert.equal(await textsIn(directory), ['sentence 3', 'sentence 4']);
  let clockMs = nowMs;
  const { record } = recordRig(directory, nowMs, { ageEveryMs: 10, wallClockMs: () => clockMs });
  record.append(saidAt(5, nowMs));
  await record.settled();
  clockMs = nowMs + 32 * dayMs;
  await eventually('forgotten', () => filesIn(directory).length === 0);
  record.append(saidAt(6, clockMs));
  await record.close();
  assert.equal(await textsIn(directory), ['sentence 6'], 'and goes on in a new file');
});

test('a clock that was wrong makes nobody old, and keeps nobody for ever', async ({ directory }) => {
  await keep(directory, [[1, 5000]], {}, 5000);
  await keep(directory, [
    [2, nowMs],
    [3, nowMs + 4000 * dayMs],
    [4, nowMs + dayMs],
  ]);
  assert.is(filesIn(directory).length, 4);
  await keep(directory, [], {}, nowMs + 20 * dayMs);
  assert.is(filesIn(directory).length, 4);
  // 1970 was before today, and the far future before tomorrow: the row of the files says so
  await keep(directory, [], {}, nowMs + 31 * dayMs);
  assert.equal(await textsIn(directory), ['sentence 3', 'sentence 4']);
  await keep(directory, [], {}, nowMs + 33 * dayMs);
  assert.equal(await textsIn(directory), []);
});

test('a line that was torn at any byte is cut off, and told', async ({ directory }) => {
  await keep(directory, [
    [1, nowMs],
    [2, nowMs + 1],
  ]);
  const [name = ''] = filesIn(directory);
  const file = path.join(directory, name);
  const whole = readFileSync(file);
  const firstBytes = whole.indexOf(10) + 1;
  // each single byte is tried in entries.test.ts; here some of them, and both sides of the ends of lines
  const lengths = new Set([firstBytes - 1, firstBytes, firstBytes + 1, whole.length - 1, whole.length]);
  for (let length = 0; length < whole.length; length += 9) lengths.add(length);
  for (const length of lengths) {
    writeFileSync(file, whole.subarray(0, length));
    const kept = length === whole.length ? 2 : length >= firstBytes ? 1 : 0;
    const cutBytes = length - (kept === 2 ? whole.length : kept * firstBytes);
    const { cuts } = await keep(directory, [[3, nowMs + 2]]);
    assert.equal(cuts, cutBytes === 0 ? [] : [{ file, cutBytes }], `${length}`);
    const { transcripts, damagedLines } = await readAll(directory);
    assert.equal(
      transcripts.map(({ seq }) => seq),
      [1, 2, 3].filter((seq) => seq <= kept || seq === 3),
      `${length}`,
    );
    assert.is(damagedLines, 0);
  }
});

test('killed again and again in the middle of writing: what was kept is there', async ({ directory }) => {
  const program = path.join(import.meta.dirname, '../../fixtures/record-process.js');
  const random = randomFrom(3);
  let next = 1;
  let lastKept = 0;
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [program, directory, String(next)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const enough = 30 + Math.floor(random() * 60);
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.split('kept').length > enough) child.kill('SIGKILL');
    });
    const [, signal] = await once(child, 'close');
    assert.is(signal, 'SIGKILL', output);
    lastKept = Number([...output.matchAll(/^kept (\d+)$/gm)].at(-1)?.[1]);
    const { transcripts, damagedLines } = await readAll(directory);
    const seqs = transcripts.map(({ seq }) => seq);
    assert.equal(
      seqs,
      Array.from({ length: seqs.length }, (_, index) => index + 1),
    );
    assert.ok(seqs.length >= lastKept, `${seqs.length} of ${lastKept}`);
    assert.is(damagedLines, 0);
    next = seqs.length + 1;
  }
  assert.ok(filesIn(directory).length > 2);
});

test('cleared while it is being written: it goes on in a new file', async ({ directory }) => {
  const { record, troubles } = recordRig(directory, nowMs);
  record.append(saidAt(1, nowMs));
  await record.settled();
  for (const name of filesIn(directory)) rmSync(path.join(directory, name));
  record.append(saidAt(2, nowMs));
  await record.settled();
  assert.equal(await textsIn(directory), ['sentence 2']);
  // and the whole folder
  rmSync(directory, { recursive: true });
  record.append(saidAt(3, nowMs));
  await eventually('there again', async () => (await textsIn(directory)).includes('sentence 3'));
  await record.close();
  assert.ok(troubles.length <= 1, 'said once at most');
});

test('a folder that cannot be is said once, and tried until it can', async ({ directory }) => {
  writeFileSync(path.join(directory, '../..', 'state'), 'a file');
  const { record, troubles, wells, lost } = recordRig(directory, nowMs, { maxWaiting: 3 });
  for (let seq = 1; seq <= 5; seq++) record.append(saidAt(seq, nowMs));
  await eventually('said', () => troubles.length > 0);
  record.append(saidAt(6, nowMs));
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(
    troubles.map(({ code }) => code),
    ['RECORD_UNWRITABLE'],
  );
  assert.match(troubles[0]?.message ?? '', directory);
  rmSync(path.join(directory, '..'));
  await eventually('well again', () => wells.length > 0);
  assert.equal(await textsIn(directory), ['sentence 4', 'sentence 5', 'sentence 6']);
  assert.equal(lost, [3], 'what there was no room for is counted');
  await record.close();
});

test('what is not in the record at the end is counted', async ({ directory }) => {
  writeFileSync(path.join(directory, '../..', 'state'), 'a file');
  const { lost, troubles } = await keep(directory, [
    [1, nowMs],
    [2, nowMs],
  ]);
  assert.equal(lost, [2]);
  assert.is(troubles.length, 1);
});

test('has one owner: the second waits, and goes on when the first has ended', async ({ directory }) => {
  const first = recordRig(directory, nowMs);
  await first.record.settled();
  const second = recordRig(directory, nowMs);
  second.record.append(saidAt(1, nowMs));
  await second.record.settled();
  assert.equal(
    second.troubles.map(({ code }) => code),
    ['RECORD_BUSY'],
  );
  await first.record.close();
  await eventually('kept', async () => (await textsIn(directory)).length === 1);
  await second.record.close();
  assert.is(second.wells.length, 1);
  // one that was killed is not waited for
  symlinkSync('999999999-1-another-start', path.join(directory, 'lock'));
  const { troubles } = await keep(directory, [[2, nowMs]]);
  assert.equal(troubles, []);
});

const full = suite('daemon/record/writer on a full disk');

full('says so once, and keeps what waited when there is room', async () => {
  const disk = tinyDisk(128);
  assert.ok(disk !== undefined, cannotMount);
  try {
    const directory = path.join(disk.dir, 'record');
    const ballast = path.join(disk.dir, 'ballast');
    const { record, troubles, wells, lost } = recordRig(directory, nowMs, { segmentBytes: 8192 });
    record.append(saidAt(1, nowMs));
    await record.settled();
    writeFileSync(ballast, '');
    try {
      writeFileSync(ballast, Buffer.alloc(1 << 20));
    } catch {
      // as much as there is room for
    }
    for (let seq = 2; seq <= 60; seq++) record.append(saidAt(seq, nowMs));
    await eventually('said', () => troubles.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(
      troubles.map(({ code }) => code),
      ['DISK_FULL'],
      'tried several times, said once',
    );
    const { transcripts, damagedLines } = await readAll(directory);
    assert.ok(transcripts.length >= 1 && transcripts.length < 60, `${transcripts.length}`);
    assert.is(damagedLines, 0, 'no half lines');
    assert.ok(filesIn(directory).length <= 2, 'nor a new file for each try');
    rmSync(ballast);
    await eventually('well again', () => wells.length > 0);
    await record.close();
    assert.equal(
      (await readAll(directory)).transcripts.map(({ seq }) => seq),
      Array.from({ length: 60 }, (_, index) => index + 1),
    );
    assert.equal(lost, []);
  } finally {
    disk.remove();
  }
});

test.run();
const probe = tinyDisk(64);
probe?.remove();
if (probe === undefined) announceSkip('daemon/record/writer on a full disk', cannotMount);
else full.run();
