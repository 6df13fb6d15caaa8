import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../daemon/faults.ts';
import { outputFault } from '../../daemon/replace-file.ts';
import { type FinishedSegment, openJournal } from '../../daemon/transcript-journal.ts';

const subject = { file: '/talk.wav', 'size of the file': 1234, language: 'en', vad: true };

function segment(index: number): FinishedSegment {
  const pieces = [
    { startMs: index * 1000, endMs: index * 1000 + 900, text: `nº ${index} — “ø”`, avgLogProb: -0.1 / 3 },
  ].map((piece) => ({ ...piece, noSpeechProb: index / 7 }));
  return {
    startSample: index * 16_000,
    endSample: index * 16_000 + 15_000,
    language: 'en',
    pieces: index % 3 === 0 ? [] : pieces,
    timings: { melMs: 0, encodeMs: 12.3456789, decodeMs: 1 / 3 },
    elapsedMs: index * 100.5,
  };
}

const test = suite('transcript journal');
let folder: string;
let file: string;
test.before.each(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'harkd-journal-'));
  file = path.join(folder, 'talk.srt.partial');
});
test.after.each(() => rmSync(folder, { recursive: true }));

function write(count: number): FinishedSegment[] {
  const journal = openJournal(file, subject);
  const segments = Array.from({ length: count }, (_, i) => segment(i));
  for (const each of segments) journal.append(each);
  journal.close();
  return segments;
}

function reopen(of = subject) {
  const { finished, startedOver, close } = openJournal(file, of);
  close();
  return { finished, startedOver };
}

test('gives back what was put in, digit for digit, and goes on behind it', () => {
  const segments = write(5);
  assert.equal(reopen(), { finished: segments, startedOver: undefined });
  const journal = openJournal(file, subject);
  journal.append(segment(5));
  journal.close();
  assert.equal(reopen().finished, [...segments, segment(5)]);
});

test('cut off anywhere, it keeps every line that is whole and can be written on', () => {
  const segments = write(4);
  const whole = readFileSync(file);
  const firstLineEnd = whole.indexOf(10) + 1;
  let mostKept = 0;
  for (let length = firstLineEnd; length <= whole.length; length++) {
    writeFileSync(file, whole.subarray(0, length));
    const lines = whole.subarray(firstLineEnd, length).filter((byte) => byte === 10).length;
    const journal = openJournal(file, subject);
    assert.equal(journal.finished, segments.slice(0, lines), `cut to ${length} bytes`);
    journal.append(segment(9));
    journal.close();
    assert.equal(reopen().finished, [...segments.slice(0, lines), segment(9)], `cut to ${length} bytes`);
    mostKept = Math.max(mostKept, lines);
  }
  assert.is(mostKept, 4);
});

test('what a disk put there after power loss is cut away, with all behind it', () => {
  const segments = write(3);
  for (const rubbish of ['\0'.repeat(512), '{"startSample":1}\n', 'null\n', '[]\n7\n', '{"startSam\n']) {
    const before = readFileSync(file);
    appendFileSync(file, `${rubbish}\n${JSON.stringify(segment(4))}\n`);
    assert.equal(reopen().finished, segments, JSON.stringify(rubbish));
    assert.equal(readFileSync(file), before, JSON.stringify(rubbish));
  }
});

test('another recording or other options start over, and it says which', () => {
  write(2);
  const changed = reopen({ ...subject, language: 'de', 'size of the file': 99 });
  assert.equal(changed, { finished: [], startedOver: 'size of the file, language changed' });
  assert.equal(reopen({ ...subject, language: 'de', 'size of the file': 99 }), {
    finished: [],
    startedOver: undefined,
  });
  const header = JSON.parse(readFileSync(file, 'utf8')) as { journal: number };
  writeFileSync(file, `${JSON.stringify({ ...header, journal: 0 })}\n`);
  assert.match(reopen().startedOver ?? '', /another version/);
});

test('a file of somebody else is refused and left as it is', () => {
  for (const content of ['my own notes\n', '{"a":1}\n', '"journal"\n', 'null\n', '{"journal":1}\n']) {
    writeFileSync(file, content);
    try {
      openJournal(file, subject);
      assert.unreachable(`took ${content}`);
    } catch (thrown) {
      assert.is((thrown as Fault).code, 'OUTPUT_UNWRITABLE', content);
    }
    assert.is(readFileSync(file, 'utf8'), content);
  }
});

test('a folder that is not there is named', () => {
  try {
    openJournal(path.join(folder, 'nowhere', 'x.partial'), subject);
    assert.unreachable('was written');
  } catch (thrown) {
    assert.instance(thrown, Fault);
    assert.is((thrown as Fault).code, 'OUTPUT_UNWRITABLE');
    assert.match((thrown as Fault).message, /nowhere.*ENOENT/);
  }
});

test('a full disk is told, and a device is no place for a journal', () => {
  try {
    // always full
    writeFileSync('/dev/full', 'x');
    assert.unreachable('there was room');
  } catch (thrown) {
    const fault = outputFault(thrown, 'talk.srt');
    assert.instance(fault, Fault);
    assert.is((fault as Fault).code, 'DISK_FULL');
  }
  try {
    openJournal('/dev/zero', subject);
    assert.unreachable('was read to its end');
  } catch (thrown) {
    assert.is((thrown as Fault).code, 'OUTPUT_UNWRITABLE');
  }
});

test.run();
