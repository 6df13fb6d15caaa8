import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { editDistance, nearest } from '../../daemon/nearest.ts';

const test = suite('nearest');

test('counts insertions, deletions, substitutions and swaps', () => {
  assert.is(editDistance('', ''), 0);
  assert.is(editDistance('', 'abc'), 3);
  assert.is(editDistance('kitten', 'sitting'), 3);
  assert.is(editDistance('ulr', 'url'), 1);
  assert.is(editDistance('flaw', 'lawn'), 2);
});

test('is a symmetric distance on random words', () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed;
  };
  const word = () => Array.from({ length: random() % 8 }, () => 'abc'[random() % 3]).join('');
  for (let i = 0; i < 300; i++) {
    const [a, b] = [word(), word()];
    const distance = editDistance(a, b);
    assert.is(distance, editDistance(b, a));
    assert.ok(distance >= Math.abs(a.length - b.length) && distance <= Math.max(a.length, b.length));
    assert.is(distance === 0, a === b);
  }
});

test('suggests what is near, and nothing otherwise', () => {
  const names = ['hangoverMs', 'threshold', 'url'];
  assert.is(nearest('treshold', names), 'threshold');
  assert.is(nearest('HANGOVER_MS', names), 'hangoverMs');
  assert.is(nearest('hang-over-ms', names), 'hangoverMs');
  assert.is(nearest('ulr', names), 'url');
  assert.is(nearest('telephone', names), undefined);
  assert.is(nearest('x'.repeat(1e6), names), undefined);
});

test.run();
