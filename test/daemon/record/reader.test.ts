import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Transcript } from '../../../daemon/events.ts';
import { encodeEntry } from '../../../daemon/record/entries.ts';
import { dayOf, recordFile } from '../../../daemon/record/files.ts';
import type { RecordRange } from '../../../daemon/record/reader.ts';
import { readRecord } from '../../../daemon/record/reader.ts';
import { readAll, recordRig, saidAt, textsIn } from '../../fixtures/record.ts';
import { randomFrom } from '../../random.ts';
import { timeBox } from '../../time-box.ts';

const test = suite<{ directory: string }>('daemon/record/reader');

test.before.each((world) => {
  world.directory = mkdtempSync(path.join(tmpdir(), 'harkd-record-'));
});
test.after.each(({ directory }) => rmSync(directory, { recursive: true, force: true }));

const startMs = Date.UTC(2026, 10, 22);
const dayMs = 86_400_000;

/** A file as the writer makes it. */
function fileOf(directory: string, number: number, transcripts: readonly Transcript[]): string {
  const { path: file } = recordFile(directory, number, dayOf(transcripts[0]?.start ?? startMs));
  writeFileSync(file, Buffer.concat(transcripts.map(encodeEntry)));
  return file;
}

test('no folder is an empty record', async ({ directory }) => {
  assert.equal(await readAll(path.join(directory, 'none')), { transcripts: [], damagedLines: 0 });
});

test('a range, and the last ones of it, are what they are for a list in memory', async ({ directory }) => {
  const seed = 20261122;
  const random = randomFrom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  // some an hour apart, some at once, over many days and files
  const all: Transcript[] = [];
  for (let seq = 1, atMs = startMs; seq <= 400; seq++) {
    atMs += random() < 0.3 ? 0 : below(5 * 3_600_000);
    all.push(saidAt(seq, atMs, 'x'.repeat(below(600))));
  }
  const { record } = recordRig(directory, startMs, { segmentBytes: 4000 });
  for (const transcript of all) record.append(transcript);
  await record.close();
  assert.equal((await readAll(directory)).transcripts, all);

  const endMs = Date.parse(all.at(-1)?.start ?? '');
  const another = timeBox(1500, 20);
  for (let round = 1; another(); round++) {
    const timeMs = () => (random() < 0.3 ? undefined : startMs - dayMs + below(endMs - startMs + 2 * dayMs));
    const range: RecordRange = {
      sinceMs: timeMs(),
      untilMs: timeMs(),
      limit: random() < 0.4 ? undefined : 1 + below(random() < 0.5 ? 10 : 500),
    };
    const inRange = all.filter(
      ({ start }) =>
        Date.parse(start) >= (range.sinceMs ?? 0) && Date.parse(start) < (range.untilMs ?? Infinity),
    );
    const expected = range.limit === undefined ? inRange : inRange.slice(-range.limit);
    const { transcripts } = await readAll(directory, range);
    assert.equal(
      transcripts.map(({ seq }) => seq),
      expected.map(({ seq }) => seq),
      `round ${round} of seed ${seed}: ${JSON.stringify(range)}`,
    );
  }
});

test('damage costs its lines, and is told', async ({ directory }) => {
  const file = fileOf(directory, 1, [saidAt(1, startMs, 'one'), saidAt(2, startMs, 'two')]);
  appendFileSync(file, `${'\0'.repeat(300)}\n{"id":\nnull\n`);
  appendFileSync(file, encodeEntry(saidAt(3, startMs, 'three')));
  const { transcripts, damagedLines } = await readAll(directory);
  assert.equal(
    transcripts.map(({ text }) => text),
    ['one', 'two', 'three'],
  );
  assert.is(damagedLines, 3);
});

test('a line without an end is not gathered in memory', async ({ directory }) => {
  const file = fileOf(directory, 1, [saidAt(1, startMs, 'one')]);
  // sparse: 64 MiB of nothing
  truncateSync(file, 64 * 2 ** 20);
  appendFileSync(file, '\n');
  appendFileSync(file, encodeEntry(saidAt(2, startMs, 'two')));
  const beforeBytes = process.memoryUsage.rss();
  assert.equal(await textsIn(directory), ['one', 'two']);
  const grownMb = (process.memoryUsage.rss() - beforeBytes) / 1e6;
  assert.ok(grownMb < 40, `grown by ${grownMb} MB`);
});

test('a line that is being written is left out, and there is more the next time', async ({ directory }) => {
  const file = fileOf(directory, 1, [saidAt(1, startMs, 'one')]);
  const line = encodeEntry(saidAt(2, startMs, 'two'));
  appendFileSync(file, line.subarray(0, 50));
  assert.equal(await readAll(directory).then(({ damagedLines }) => damagedLines), 0);
  assert.equal(await textsIn(directory), ['one']);
  appendFileSync(file, line.subarray(50));
  assert.equal(await textsIn(directory), ['one', 'two']);
});

test('files that are deleted while it reads are over', async ({ directory }) => {
  const files = [1, 2, 3].map((number) => fileOf(directory, number, [saidAt(number, startMs)]));
  const seen: string[] = [];
  for await (const block of readRecord({ directory, onDamage: () => assert.unreachable() })) {
    seen.push(...block.map(({ text }) => text));
    rmSync(files[1] ?? '', { force: true });
  }
  assert.equal(seen, ['sentence 1', 'sentence 3']);
});

test('looks at its own files only', async ({ directory }) => {
  fileOf(directory, 1, [saidAt(1, startMs)]);
  mkdirSync(path.join(directory, '0000000002-2026-11-22.jsonl'));
  for (const name of [
    'lock',
    '2026-11-22.jsonl',
    '0000000003-2026-99-99.jsonl',
    '0000000004-2026-11-22.jsonl~',
  ]) {
    writeFileSync(path.join(directory, name), encodeEntry(saidAt(9, startMs, 'not ours')));
  }
  assert.equal(await textsIn(directory), ['sentence 1']);
});

test('what cannot be read is a fault that names the folder', async ({ directory }) => {
  const file = path.join(directory, 'file');
  writeFileSync(file, '');
  try {
    await readAll(file);
    assert.unreachable();
  } catch (fault) {
    assert.is((fault as { code: string }).code, 'RECORD_UNREADABLE');
    assert.match((fault as Error).message, file);
  }
});

test.run();
