import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packetSizeGuard } from '../../daemon/packet-guard.ts';
import { randomFrom } from '../random.ts';

const test = suite('daemon/packet-guard');

function packetOf(bodyBytes: number): Buffer {
  const length: number[] = [];
  for (let left = bodyBytes; ; left >>= 7) {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    if (left <= 0x7f) break;
  }
  // a body of bytes that look like long packets
  return Buffer.concat([Buffer.from([0x30, ...length]), Buffer.alloc(bodyBytes, 0xff)]);
}

test('lets pass what is short enough, and tells the first that is not, however the bytes are cut', () => {
  const random = randomFrom(20261122);
  const int = (below: number) => Math.floor(random() * below);
  for (let round = 0; round < 300; round++) {
    const fine = Array.from({ length: 1 + int(8) }, () => packetOf(int(random() < 0.5 ? 5 : 900)));
    const tooLong = packetOf(1001 + int(100_000));
    const stream = Buffer.concat([...fine, tooLong]);
    const guard = packetSizeGuard(1000);
    const fineBytes = stream.length - tooLong.length;
    let told: number | undefined;
    let at = 0;
    while (told === undefined && at < stream.length) {
      const chunk = stream.subarray(at, at + 1 + int(400));
      at += chunk.length;
      told = guard(chunk);
      if (at <= fineBytes) assert.is(told, undefined, `round ${round}`);
    }
    assert.is(told, tooLong.length);
    assert.ok(at < fineBytes + 410, 'known from the header, not when it is whole');
  }
});

test('counts the header, and refuses a length of five bytes', () => {
  assert.is(packetSizeGuard(1000)(packetOf(997)), undefined);
  assert.is(packetSizeGuard(1000)(packetOf(998)), 1001);
  assert.ok(packetSizeGuard(2 ** 40)(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80])) !== undefined);
});

test.run();
