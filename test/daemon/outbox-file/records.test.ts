import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OutboxRecord } from '../../../daemon/outbox-file/records.ts';
import { decodeRecords, encodeRecord } from '../../../daemon/outbox-file/records.ts';
import { randomFrom } from '../../random.ts';

const test = suite('daemon/outbox-file/records');

const texts = ['', 'turn on the lamp', 'ÿþ über 東京 🎤', '\ud800 alone', '"\\\n\0'];
function recordOf(number: number): OutboxRecord {
  if (number % 5 === 4) return { type: 'forgotten', ids: [`id-${number - 1}`, `id-${number - 2}`] };
  const body = (texts[number % texts.length] ?? '').repeat(number % 4);
  return { type: 'entry', entry: { id: `id-${number}`, createdAtMs: number, bootId: 'b', body } };
}
const records = Array.from({ length: 40 }, (_, number) => recordOf(number));
const encoded = records.map(encodeRecord);
const file = Buffer.concat(encoded);
const ends: number[] = [];
for (const { length } of encoded) ends.push((ends.at(-1) ?? 0) + length);

/** CRC-32 as in ISO 3309, bit by bit: another way than the one that is tested. */
function crc(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  return ~rest >>> 0;
}

test('a record is what the format says, byte by byte', () => {
  const payload = Buffer.from('["a"]');
  const head = Buffer.from([0x46, 5, 0, 0, 0]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc(Buffer.concat([head, payload])));
  assert.is(
    encodeRecord({ type: 'forgotten', ids: ['a'] }).toString('hex'),
    Buffer.concat([Buffer.from([0xff]), head, sum, payload]).toString('hex'),
  );
});

test('comes back as it went in', () => {
  assert.equal(decodeRecords(file), { records, wholeBytes: file.length, tornBytes: 0, damaged: [] });
  assert.equal(decodeRecords(Buffer.alloc(0)).records, []);
});

test('cut at every byte: what was whole before the cut is there, the rest is a torn end', () => {
  for (let length = 0; length <= file.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    const wholeBytes = ends[whole - 1] ?? 0;
    const decoded = decodeRecords(file.subarray(0, length));
    assert.equal(decoded.records, records.slice(0, whole), `cut at ${length}`);
    assert.is(decoded.wholeBytes, wholeBytes);
    assert.is(decoded.tornBytes, length - wholeBytes);
    assert.equal(decoded.damaged, [], 'a torn end is no damage');
  }
});

test('a power cut may leave zeros where the end was to be: they are no records, and are told', () => {
  for (const cut of [0, ends[3] ?? 0]) {
    const decoded = decodeRecords(Buffer.concat([file.subarray(0, cut), Buffer.alloc(100)]));
    assert.is(decoded.records.length, ends.filter((end) => end <= cut).length);
    assert.equal(decoded.damaged, [{ atByte: cut, bytes: 100 }]);
  }
});

test('one bit turned anywhere takes the record it is in, no other, and is noticed', () => {
  for (let bit = 0; bit < file.length * 8; bit += 11) {
    const damaged = Buffer.from(file);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const hit = ends.findIndex((end) => end > bit >> 3);
    const decoded = decodeRecords(damaged);
    assert.equal(decoded.records, records.toSpliced(hit, 1), `bit ${bit}`);
    // a length that grew may look like a record cut off by the end of the file only if nothing follows
    const noticed = decoded.damaged.length === 1 || (hit === records.length - 1 && decoded.tornBytes > 0);
    assert.ok(noticed, `bit ${bit}`);
  }
});

test('whatever is done to a file: nothing is made up, nothing out of order, nothing before the damage lost', () => {
  const random = randomFrom(20_261_122);
  const int = (below: number) => Math.floor(random() * below);
  const known = records.map((record) => JSON.stringify(record));
  for (let round = 0; round < 1000; round++) {
    const bytes = Buffer.from(file.subarray(0, int(file.length + 1)));
    let firstHit = bytes.length;
    for (let hits = int(6); hits > 0 && bytes.length > 0; hits--) {
      const at = int(bytes.length);
      const length = 1 + int(40);
      for (let i = at; i < Math.min(at + length, bytes.length); i++) {
        // the marker itself, more often than chance would have it
        bytes[i] = random() < 0.2 ? 0xff : int(256);
      }
      firstHit = Math.min(firstHit, at);
    }
    const got = decodeRecords(bytes).records.map((record) => JSON.stringify(record));
    const places = got.map((record) => known.indexOf(record));
    assert.ok(!places.includes(-1), `round ${round}: a record that was never written`);
    assert.equal(
      places.toSorted((a, b) => a - b),
      places,
      `round ${round}: order`,
    );
    const before = ends.filter((end) => end <= firstHit).length;
    assert.equal(
      places.slice(0, before),
      places.slice(0, before).map((_, i) => i),
    );
    assert.ok(places.length >= before, `round ${round}: ${before} records before the damage`);
  }
});

test('what is whole but no record of ours is damage', () => {
  for (const [letter, json] of [
    [0x45, 'not json'],
    [0x45, 'null'],
    [0x45, '{"id":"a"}'],
    [0x46, '{}'],
    [0x46, '[1]'],
    [0x47, '[]'],
  ] as const) {
    const payload = Buffer.from(json);
    const head = Buffer.from([letter, payload.length, 0, 0, 0]);
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc(Buffer.concat([head, payload])));
    const decoded = decodeRecords(Buffer.concat([Buffer.from([0xff]), head, sum, payload]));
    assert.equal(decoded.records, []);
    assert.is(decoded.damaged.length, 1, json);
  }
});

test.run();
