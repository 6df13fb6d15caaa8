import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readTokenizer } from '../../../models/whisper/tokenizer.ts';
import { embeddedModelDir } from '../../golden.ts';
import { numberInWords, wordsOfGrammar, writeSentences } from './sentences.ts';

const sentences = suite('sentences of the test set');

sentences('are all different, the same for a seed and others for another', () => {
  const written = writeSentences(500, 1);
  assert.is(new Set(written).size, 500);
  assert.equal(writeSentences(500, 1), written);
  assert.equal(writeSentences(20, 1), written.slice(0, 20), 'more of them do not change the first');
  assert.is.not(writeSentences(500, 2)[0], written[0]);
});

sentences('are commands of some words, in letters alone', () => {
  for (const text of writeSentences(2000, 3)) {
    assert.match(text, /^[a-z']+( [a-z']+)+$/);
    const words = text.split(' ').length;
    assert.ok(words >= 2 && words <= 18, text);
  }
});

sentences('use most of the words there are', () => {
  const words = wordsOfGrammar();
  const used = new Set(writeSentences(3000, 5).flatMap((text) => text.split(' ')));
  assert.equal(
    [...used].filter((word) => !words.includes(word)),
    [],
  );
  assert.ok(used.size > 0.97 * words.length, `${used.size} of ${words.length}`);
});

sentences('are written in the model’s own pieces: a word it was never taught takes more of them', () => {
  const json = readFileSync(path.join(embeddedModelDir, 'tokenizer.json'), 'utf8');
  const { encode } = readTokenizer(json, 1000);
  const words = wordsOfGrammar();
  const pieces = (of: readonly string[]) =>
    of.reduce((sum, word) => sum + encode(` ${word}`).length, 0) / of.length;
  assert.ok(pieces(words) < 1.7, `${pieces(words)}`);
  const strange = ['quarterly', 'photosynthesis', 'parliament', 'bankruptcy', 'molecular', 'litigation'];
  assert.ok(pieces(strange) > 3, `${pieces(strange)}`);
});

sentences('numbers are words', () => {
  const written = [0, 9, 13, 20, 21, 99, 100].map(numberInWords);
  const wanted = ['zero', 'nine', 'thirteen', 'twenty', 'twenty one', 'ninety nine', 'one hundred'];
  assert.equal(written, wanted);
  for (const value of [-1, 101, 1.5, Number.NaN]) assert.throws(() => numberInWords(value), /0 to 100/);
});

sentences.run();
