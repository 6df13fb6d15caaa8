import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Agreement, agree, textOf } from '../../daemon/agreement.ts';
import { randomFrom } from '../random.ts';

const test = suite('agreement');

/** What is published after each recognition; `|` stands behind what is stable. */
function published(...texts: string[]): string[] {
  let agreement: Agreement | undefined;
  return texts.map((heard) => {
    agreement = agree(agreement, heard);
    const { text, stableChars } = textOf(agreement);
    return `${text.slice(0, stableChars)}|${text.slice(stableChars)}`;
  });
}

test('the first recognition is not stable; what the second repeats is', () => {
  assert.equal(published('turn on', 'turn on the lights', 'turn on the light in the hall'), [
    '|turn on',
    'turn on| the lights',
    'turn on the| light in the hall',
  ]);
});

test('two agree on whole words only', () => {
  assert.equal(published('turn', 'turned', 'turned on'), ['|turn', '|turned', 'turned| on']);
});

test('a full stop that comes and goes does not hold up the words before it', () => {
  assert.equal(published('Turn on.', 'Turn on the lights.', 'Turn on the lights now.'), [
    '|Turn on.',
    'Turn on| the lights.',
    'Turn on the lights| now.',
  ]);
});

test('what is stable stays when a recognition thinks better of it', () => {
  assert.equal(published('set a timer', 'set a timer for', 'sit at I am for ten', 'set a timer for ten'), [
    '|set a timer',
    'set a timer| for',
    'set a timer| am for ten',
    'set a timer| for ten',
  ]);
});

test('a recognition that is shorter than what is stable takes nothing away', () => {
  assert.equal(published('one two three', 'one two three', 'one', ''), [
    '|one two three',
    'one two three|',
    'one two three|',
    'one two three|',
  ]);
});

test('words are found where no spaces stand between them', () => {
  const [, second] = published('我喜欢音乐', '我喜欢音符');
  assert.is(second, '我喜欢|音符');
});

test('a character of two code units is not cut', () => {
  assert.equal(published('ok 👍🏽 now', 'ok 👍🏻 now'), ['|ok 👍🏽 now', 'ok| 👍🏻 now']);
});

test('whatever is recognised: text begins with what is stable, and what is stable only grows', () => {
  const random = randomFrom(5);
  const words = ['a', 'on', 'the', 'the.', 'lights', '音乐', 'é', '👍🏽', '', '\n', "don't"];
  for (let round = 0; round < 300; round++) {
    let agreement: Agreement | undefined;
    let stable = '';
    for (let step = 0; step < 6; step++) {
      const count = Math.floor(random() * 6);
      const heard = Array.from({ length: count }, () => words[Math.floor(random() ** 2 * words.length)]);
      agreement = agree(agreement, heard.join(' '));
      const { text, stableChars } = textOf(agreement);
      assert.ok(stableChars >= stable.length && stableChars <= text.length);
      assert.is(text.slice(0, stable.length), stable);
      stable = text.slice(0, stableChars);
    }
  }
});

test.run();
