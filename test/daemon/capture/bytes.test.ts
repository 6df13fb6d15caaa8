import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteReader } from '../../../daemon/capture/bytes.ts';

const newline = 10;

/** A stream of `text` in pieces of so many bytes. */
async function* inPieces(text: string, length: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const test = suite('capture/bytes');

test('takes lines and what lies between them, however the stream is cut', async () => {
  for (const length of [1, 2, 3, 7, 100]) {
    const bytes = new ByteReader(inPieces('one\n\n12345two\nrest', length));
    const line = async () => (await bytes.takeThrough(newline, 8))?.toString();
    assert.is(await line(), 'one\n', `pieces of ${length}`);
    assert.is(await line(), '\n');
    assert.is((await bytes.take(5)).toString(), '12345');
    assert.is(await line(), 'two\n');
    assert.is(await line(), 'rest', 'the stream ends without one');
    assert.is(await line(), '');
  }
});

test('holds no more of a line than it was told to', async () => {
  for (const length of [1, 5, 100]) {
    const bytes = new ByteReader(inPieces(`12345678\n${'x'.repeat(200)}`, length));
    assert.is(await bytes.takeThrough(newline, 8), undefined, `pieces of ${length}`);
    assert.is((await bytes.takeThrough(newline, 9))?.toString(), '12345678\n', 'nothing was taken');
    assert.is(await bytes.takeThrough(newline, 64), undefined);
  }
});

test.run();
