import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addErrors, countErrors, errorsOf, labelsFound, wordsIn } from './alignment.ts';

const alignment = suite('word errors');

const kindsOf = (said: string, heard: string) => {
  const { words, substitutions, insertions, deletions } = countErrors(said, heard);
  return [words, substitutions, insertions, deletions];
};

alignment('each kind of error is counted as what it is', () => {
  assert.equal(kindsOf('turn on the light', 'turn on the light'), [4, 0, 0, 0]);
  assert.equal(kindsOf('turn on the light', 'turn off the light'), [4, 1, 0, 0]);
  assert.equal(kindsOf('turn on the light', 'turn on light'), [4, 0, 0, 1]);
  assert.equal(kindsOf('turn on the light', 'turn on the night light'), [4, 0, 1, 0]);
  const heard = 'please turn on the lights the garden';
  assert.equal(kindsOf('turn on the light in the garden', heard), [7, 1, 1, 1]);
});

alignment('nothing heard is everything left out, and nothing said is all invented', () => {
  assert.equal(kindsOf('stop the music', ''), [3, 0, 0, 3]);
  assert.equal(kindsOf('', 'stop the music'), [0, 0, 3, 0]);
  assert.equal(kindsOf('', ''), [0, 0, 0, 0]);
});

alignment('of ways equally cheap the one with most substitutions counts, in either direction', () => {
  assert.equal(kindsOf('a b', 'c d'), [2, 2, 0, 0]);
  assert.equal(kindsOf('a b c', 'x y'), [3, 2, 0, 1]);
  assert.equal(kindsOf('x y', 'a b c'), [2, 2, 1, 0]);
});

alignment('swapped sentences have insertions for deletions, and as many errors', () => {
  const [said, heard] = ['a small latte with oat milk', 'large latte and with milk please'];
  const one = countErrors(said, heard);
  const other = countErrors(heard, said);
  assert.is(errorsOf(one), errorsOf(other));
  assert.is(one.insertions, other.deletions);
  assert.is(one.words + one.insertions - one.deletions, wordsIn(heard).length);
});

alignment('case and punctuation are no errors, apostrophes inside words are', () => {
  assert.equal(kindsOf("i'm on my way", "I'm on my way."), [4, 0, 0, 0]);
  assert.equal(kindsOf("i'm on my way", 'im on my way'), [4, 1, 0, 0]);
});

alignment('sums keep the kinds apart', () => {
  const sum = addErrors(countErrors('a b', 'a'), countErrors('a b', 'a b c'));
  assert.equal(sum, { words: 4, substitutions: 0, insertions: 1, deletions: 1 });
});

alignment('a word of the text is found for one label only', () => {
  assert.is(labelsFound(['milk', 'milk', 'sugar'], 'oat milk and brown sugar'), 2);
  assert.is(labelsFound(['Milk', 'milk'], 'milk with milk'), 2);
  assert.is(labelsFound(['milk'], ''), 0);
});

alignment.run();
