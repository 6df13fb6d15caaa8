import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { audioFormatOf, isSameFormat, monoDecoder } from '../../../daemon/wyoming/audio.ts';
import { faultFrom } from '../../faults.ts';

const test = suite('wyoming/audio');

const decode = (width: number, channels: number, bytes: readonly number[]): number[] => [
  ...monoDecoder(audioFormatOf({ rate: 16_000, width, channels }))(Buffer.from(bytes)),
];

test('samples of every width are signed and little-endian, channels are averaged', () => {
  assert.equal(decode(1, 1, [0, 0x40, 0x80]), [0, 0.5, -1]);
  assert.equal(decode(2, 1, [0, 0, 0, 0x40, 0, 0x80]), [0, 0.5, -1]);
  assert.equal(decode(3, 1, [0, 0, 0x40, 0, 0, 0x80]), [0.5, -1]);
  assert.equal(decode(4, 1, [0, 0, 0, 0x40, 0, 0, 0, 0x80]), [0.5, -1]);
  assert.equal(decode(2, 2, [0, 0x40, 0, 0, 0, 0xc0, 0, 0x40]), [0.25, 0]);
});

test('a frame may be cut in two by a chunk', () => {
  const bytes = Buffer.from(Array.from({ length: 60 }, (_, i) => i));
  const format = audioFormatOf({ rate: 48_000, width: 3, channels: 2 });
  const whole = [...monoDecoder(format)(bytes)];
  assert.is(whole.length, 10);
  for (const length of [1, 4, 7, 59]) {
    const decoder = monoDecoder(format);
    const pieces: number[] = [];
    for (let at = 0; at < bytes.length; at += length)
      pieces.push(...decoder(bytes.subarray(at, at + length)));
    assert.equal(pieces, whole, `pieces of ${length}`);
  }
});

test('a format is taken only whole and within limits', () => {
  const good = { rate: 22_050, width: 2, channels: 1, timestamp: 12 };
  assert.is(audioFormatOf(good).sampleRateHz, 22_050);
  assert.ok(isSameFormat(audioFormatOf(good), audioFormatOf({ ...good, timestamp: null })));
  for (const other of [{ rate: 16_000 }, { width: 4 }, { channels: 2 }]) {
    assert.not(isSameFormat(audioFormatOf(good), audioFormatOf({ ...good, ...other })));
  }
  for (const bad of [
    { rate: 0 },
    { rate: 3999 },
    { rate: 384_001 },
    { rate: 16_000.5 },
    { rate: '16000' },
    { rate: null },
    { width: 0 },
    { width: 5 },
    { width: -2 },
    { channels: 0 },
    { channels: 17 },
    { channels: [1] },
    { channels: undefined },
  ]) {
    const fault = faultFrom(() => audioFormatOf({ ...good, ...bad }));
    assert.is(fault.code, 'WYOMING_REQUEST_INVALID', JSON.stringify(bad));
    assert.match(fault.message, new RegExp(`^the ${Object.keys(bad)[0]} of sound is a whole number`));
  }
});

test.run();
