import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Caption } from '../../../../daemon/sinks/http/page/caption-lines.ts';
import { stillShown, withFinal, withPartial } from '../../../../daemon/sinks/http/page/caption-lines.ts';
import { captionSettings, tokenOf } from '../../../../daemon/sinks/http/page/settings.ts';
import { randomFrom } from '../../../random.ts';

const test = suite('the captions page, without the page');

const partial = (id: string, rev: number, text: string, stableChars = 0) => ({
  id,
  rev,
  text,
  stableChars,
  language: 'en',
});
const final = (id: string, text: string, ageMs = 0) => ({ id, text, language: 'en', ageMs });
const texts = (captions: readonly Caption[]) =>
  captions.map(({ stable, tail, state }) => `${stable}|${tail}${state === 'final' ? '.' : ''}`);

test('a partial is parted where it is stable, revised in its place, and settled by its final', () => {
  let captions = withPartial([], partial('a', 1, 'turn of', 0), 0);
  captions = withPartial(captions, partial('a', 2, 'turn on the', 5), 10);
  assert.equal(texts(captions), ['turn |on the']);
  captions = withPartial(captions, partial('b', 1, 'and'), 20);
  captions = withFinal(captions, final('a', 'turn on the lamp'), 30);
  assert.equal(texts(captions), ['turn on the lamp|.', '|and']);
});

test('what comes too late changes nothing', () => {
  let captions = withPartial([], partial('a', 3, 'three'), 0);
  assert.is(withPartial(captions, partial('a', 3, 'again'), 1), captions);
  assert.is(withPartial(captions, partial('a', 2, 'two'), 1), captions);
  captions = withFinal(captions, final('a', 'done'), 2);
  assert.is(withPartial(captions, partial('a', 4, 'four'), 3), captions);
  assert.is(withFinal(captions, final('a', 'replayed'), 3), captions);
});

test('a final of which nothing was shown stands before what is still being said', () => {
  let captions = withFinal([], final('a', 'a'), 0);
  captions = withPartial(captions, partial('c', 1, 'c'), 0);
  captions = withFinal(captions, final('b', 'b'), 0);
  assert.equal(texts(captions), ['a|.', 'b|.', '|c']);
});

test('nothing said takes the line away', () => {
  const captions = withPartial([], partial('a', 1, 'uh'), 0);
  assert.equal(withPartial(captions, partial('a', 2, ' '), 1), []);
  assert.equal(withFinal(captions, final('a', ''), 1), []);
});

test('finals go after their hold, counted from when they were ready; abandoned partials go too', () => {
  const hold = { holdMs: 8000, most: 3 };
  let captions = withFinal([], final('old', 'old', 7000), 1000);
  captions = withFinal(captions, final('new', 'new'), 1000);
  captions = withPartial(captions, partial('p', 1, 'p'), 1000);
  assert.is(stillShown(captions, { ...hold, nowMs: 1999 }), captions);
  assert.equal(texts(stillShown(captions, { ...hold, nowMs: 2000 })), ['new|.', '|p']);
  assert.equal(texts(stillShown(captions, { ...hold, nowMs: 9000 })), ['|p']);
  assert.equal(stillShown(captions, { ...hold, nowMs: 11_000 }), []);
  const forever = { nowMs: 1e12, holdMs: Number.POSITIVE_INFINITY, most: 3 };
  assert.equal(texts(stillShown(captions, forever)), ['old|.', 'new|.']);
  assert.equal(texts(stillShown(captions, { ...hold, nowMs: 1000, most: 2 })), ['new|.', '|p']);
});

test('does not part a word where words have spaces, and parts where it is told to where they have none', () => {
  const stableOf = (text: string, stableChars: number) =>
    withPartial([], partial('a', 1, text, stableChars), 0)[0]?.stable;
  assert.is(stableOf('set the table', 9), 'set the ');
  assert.is(stableOf('set the table', 8), 'set the ');
  assert.is(stableOf('set the table', 7), 'set the');
  assert.is(stableOf('set the table', 13), 'set the table');
  assert.is(stableOf('don’t know', 4), '');
  assert.is(stableOf('المصباح في المطبخ', 12), 'المصباح في ');
  assert.is(stableOf('打开厨房的灯', 4), '打开厨房');
  assert.is(stableOf('ปิดไฟในครัว', 5), 'ปิดไฟ');
  assert.is(stableOf('12 345', 4), '12 ');
});

test('never parts a character in two, wherever it is told to', () => {
  const random = randomFrom(20261122);
  const alphabet = ['a', 'ß', '明', '🍎', '👩‍🚀', ' ', 'ا', 'ل'];
  for (let round = 0; round < 2000; round++) {
    const text = Array.from(
      { length: 1 + Math.floor(random() * 8) },
      () => alphabet[Math.floor(random() * 8)],
    ).join('');
    const stableChars = [random() * 20, -3, Number.NaN, 1e9, random() * 5][round % 5] ?? 0;
    const [caption] = withPartial([], partial('a', 1, `${text}.`, stableChars), 0);
    assert.is(`${caption?.stable}${caption?.tail}`, `${text}.`);
    // throws at half a surrogate pair
    encodeURIComponent(caption?.stable ?? '');
    encodeURIComponent(caption?.tail ?? '');
  }
});

test('reads its settings, and goes on with its own where they make no sense', () => {
  const settings = (query: string) => captionSettings(new URLSearchParams(query));
  assert.equal(settings('lines=2&size=6vh&theme=dark&hold=8s'), {
    lines: 2,
    size: '6vh',
    theme: 'dark',
    holdMs: 8000,
  });
  const usual = { lines: 4, size: undefined, theme: 'auto', holdMs: 8000 };
  assert.equal(settings(''), usual);
  assert.equal(settings('lines=0&size=6&theme=pink&hold=soon'), usual);
  assert.equal(settings('lines=1.5&size=calc(1px)&theme=Dark&hold=-1s'), usual);
  assert.equal(settings('lines=999&size=6vh;color:red&hold=1e9'), usual);
  assert.is(settings('hold=0').holdMs, Number.POSITIVE_INFINITY);
  assert.is(settings('hold=900ms').holdMs, 900);
  assert.is(settings('hold=2.5').holdMs, 2500);
  assert.is(settings('hold=1min').holdMs, 60_000);
});

test('takes the token from behind # or ?', () => {
  assert.is(tokenOf({ search: '?lines=2&token=a', hash: '' }), 'a');
  assert.is(tokenOf({ search: '?token=a', hash: '#token=b' }), 'b');
  assert.is(tokenOf({ search: '', hash: '' }), '');
});

test.run();
