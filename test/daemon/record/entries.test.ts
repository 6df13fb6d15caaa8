import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeEntry, encodeEntry, wholeBytesOf } from '../../../daemon/record/entries.ts';
import { transcriptOf } from '../../fixtures/daemon-events.ts';
import { randomFrom } from '../../random.ts';
import { timeBox } from '../../time-box.ts';

const test = suite('daemon/record/entries');

const lineOf = (text: string) => encodeEntry(transcriptOf(1, text)).toString('utf8');

test('a transcript is one line, and comes back as it was', () => {
  for (const text of ['turn on the lamp', '', 'a\nb\r\nc', 'ÿ 東京 "\\', '\u2028\u0000', '\ud800']) {
    const line = lineOf(text);
    assert.is(line.indexOf('\n'), line.length - 1, text);
    assert.equal(decodeEntry(line.slice(0, -1)), transcriptOf(1, text));
  }
});

test('what is no transcript is none', () => {
  const { text: _, ...withoutText } = transcriptOf(1);
  for (const value of [null, 7, 'text', [], {}, withoutText, { ...transcriptOf(1), start: 'yesterday' }]) {
    assert.is(decodeEntry(JSON.stringify(value)), undefined);
  }
  assert.is(decodeEntry(''), undefined);
  assert.is(decodeEntry('{"id":"a"'), undefined);
});

test('cut at every byte: whole up to the last line that has its end', () => {
  const lines = ['one', 'zwei — 2', '三', ''].map((text) => encodeEntry(transcriptOf(1, text)));
  const bytes = Buffer.concat(lines);
  for (let length = 0; length <= bytes.length; length++) {
    let wholeBytes = 0;
    for (const line of lines) {
      if (wholeBytes + line.length > length) break;
      wholeBytes += line.length;
    }
    assert.is(wholeBytesOf(bytes.subarray(0, length)), wholeBytes, `${length}`);
  }
});

test('whatever stands behind the last whole line is cut, whatever stands before it is kept', () => {
  const seed = 20261122;
  const random = randomFrom(seed);
  const another = timeBox(1000, 500);
  const line = encodeEntry(transcriptOf(1));
  const noise = () =>
    Buffer.from(
      Array.from(
        { length: Math.floor(random() * 40) },
        () => [0, 10, 123, 255][Math.floor(random() * 4)] ?? 0,
      ),
    );
  for (let round = 1; another(); round++) {
    const before = Buffer.concat([noise(), Buffer.from('\n'), line]);
    assert.is(
      wholeBytesOf(Buffer.concat([before, noise()])),
      before.length,
      `round ${round} of seed ${seed}`,
    );
    assert.is(wholeBytesOf(noise()), 0);
  }
});

test.run();
