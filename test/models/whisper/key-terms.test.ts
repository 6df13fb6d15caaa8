import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { searchBeam } from '../../../models/whisper/beam-search.ts';
import {
  buildKeyTerms,
  creditOf,
  extendCredit,
  favouredNext,
  type KeyTerms,
  noCredit,
} from '../../../models/whisper/key-terms.ts';
import { readTokenizer } from '../../../models/whisper/tokenizer.ts';
import { beamSourceOf } from './scripted-session.ts';

const repoDir = path.join(import.meta.dirname, '../../../..');
const read = (file: string, size: number) =>
  readTokenizer(readFileSync(path.join(repoDir, file), 'utf8'), size);
/** Lower case, pieces up to whole words. */
const nano = read('models/embedded/tokenizer.json', 1000);
/** Cases and all of Unicode, almost letter by letter. */
const letters = read('test/golden/tokenizer/whisper-like.json', 568 + 14 + 1501);

const terms = (words: readonly string[], tokenizer = nano): KeyTerms =>
  buildKeyTerms(words, tokenizer, 1) as KeyTerms;

/** What `text` has earned when it has ended, and the most it had earned on the way. */
const earned = (all: KeyTerms, text: string, tokenizer = nano) => {
  let credit = noCredit;
  let most = 0;
  for (const token of tokenizer.encode(text)) {
    credit = extendCredit(all, credit, token);
    most = Math.max(most, creditOf(credit));
  }
  return { ended: creditOf(extendCredit(all, credit, undefined)), most };
};

const keyTerms = suite('key terms');

keyTerms('a term earns for each of its tokens, once it is whole', () => {
  const anna = terms(['Anna']);
  assert.is(nano.encode(' anna').length, 3);
  assert.equal(earned(anna, ' call anna'), { ended: 3, most: 3 });
  assert.equal(earned(anna, ' anna and anna'), { ended: 6, most: 6 });
  assert.equal(earned(anna, ' call an'), { ended: 0, most: 1 }, 'given back');
  assert.equal(earned(anna, ' turn on the lights'), { ended: 0, most: 0 });
});

keyTerms('the beginning of a longer word is not the term', () => {
  assert.equal(earned(terms(['anna']), ' annabel'), { ended: 0, most: 3 });
  assert.equal(earned(terms(['anna', 'annabel']), ' annabel'), { ended: 5, most: 5 });
  assert.equal(earned(terms(['anna', 'annabel']), ' annab'), { ended: 0, most: 4 });
});

keyTerms('a shorter term on the way to a longer one is kept where the longer one fails', () => {
  const rooms = terms(['living', 'living room lights']);
  assert.is(earned(rooms, ' living room lights').ended, 3);
  assert.is(earned(rooms, ' living room').ended, 1);
  assert.is(earned(rooms, ' the living room is dark').ended, 1);
});

keyTerms(
  'of terms that overlap, the first counts; one that begins inside of a failed one is not lost',
  () => {
    const rooms = terms(['living room', 'room lights']);
    assert.is(earned(rooms, ' living room lights').ended, 2);
    assert.is(earned(terms(['living room door', 'room lights']), ' living room lights').ended, 2);
  },
);

keyTerms('cases, other scripts, the beginning of a text, and after a hyphen', () => {
  const all = terms(['zoë', 'Kitchen Light', '厨房'], letters);
  for (const text of [
    ' Zoë',
    ' zoë',
    'Zoë!',
    ' (zoë)',
    ' Kitchen light',
    ' kitchen light.',
    ' Kitchen Light',
  ]) {
    assert.ok(earned(all, text, letters).ended > 0, text);
  }
  for (const text of [' zoëy', ' Zo', ' kitchen', ' ezoë'])
    assert.is(earned(all, text, letters).ended, 0, text);
  assert.ok(earned(all, ' 把厨房的灯打开', letters).ended > 0, 'words that no space parts');
});

keyTerms('what the vocabulary cannot write is no other term instead', () => {
  assert.is(nano.decode(nano.encode(' annä')), ' ann');
  assert.is(buildKeyTerms(['annä', '', ' ! '], nano, 1), undefined);
  assert.is(buildKeyTerms([], nano, 1), undefined);
  assert.is(buildKeyTerms(['anna'], nano, 0), undefined, 'worth nothing');
});

keyTerms('names the tokens that would earn something', () => {
  const all = terms(['pantry', 'living room']);
  const [pantry, living, room] = [' pantry', ' living', ' room'].map(
    (text) => nano.encode(text)[0] as number,
  );
  assert.equal(new Set(favouredNext(all, noCredit)), new Set([pantry, living]));
  const after = extendCredit(all, noCredit, living as number);
  assert.equal(new Set(favouredNext(all, after)), new Set([pantry, living, room]));
});

/** Says one of the texts with these probabilities at their first different token, and that text's tokens after it. */
const sayingOneOf = (texts: readonly (readonly [string, number])[]) => {
  const all = texts.map(([text, probability]) => ({ tokens: nano.encode(text), probability }));
  return (sampled: readonly number[]): Float32Array => {
    const left = all.filter(({ tokens }) => sampled.every((token, i) => tokens[i] === token));
    const total = left.reduce((sum, { probability }) => sum + probability, 0);
    const logits = new Float32Array(1000).fill(Number.NEGATIVE_INFINITY);
    for (const { tokens, probability } of left) {
      const next = tokens[sampled.length] ?? 0;
      logits[next] = Math.log(Math.exp(logits[next] as number) + (0.999 * probability) / total);
    }
    return logits;
  };
};
const search = async (score: (sampled: readonly number[]) => Float32Array, all: KeyTerms | undefined) => {
  const options = { beamSize: 4, endOfText: 0, maxTokens: 30, firstNoText: Number.POSITIVE_INFINITY };
  const found = await searchBeam(beamSourceOf(score), score([]), {
    ...options,
    keyTerms: all,
    restrict: () => undefined,
  });
  return { ...found, text: nano.decode(found.tokens).trim() };
};

keyTerms('a term that is nearly as likely is heard; its log-probability stays the honest one', async () => {
  const score = sayingOneOf([
    ['open the kitchen door', 0.7],
    ['open the pantry door', 0.3],
  ]);
  assert.is((await search(score, undefined)).text, 'open the kitchen door');
  const found = await search(score, terms(['pantry']));
  assert.is(found.text, 'open the pantry door');
  const inModel = found.logProbs.reduce((sum, p) => sum + p, 0);
  assert.ok(found.sum <= inModel && found.sum < Math.log(0.31), 'without the bonus');
});

keyTerms(
  'a term the sound does not allow is not heard, nor is a word that only begins like one',
  async () => {
    const unlikely = sayingOneOf([
      ['open the kitchen door', 0.97],
      ['open the pantry door', 0.03],
    ]);
    assert.is((await search(unlikely, terms(['pantry']))).text, 'open the kitchen door');
    // "annab…" would earn for " an", "n" and "a" if the failed term did not give it back
    const beginning = sayingOneOf([
      ['call the office', 0.7],
      ['call annabel', 0.3],
    ]);
    assert.is((await search(beginning, terms(['anna']))).text, 'call the office');
    assert.is((await search(beginning, terms(['annabel']))).text, 'call annabel');
  },
);

keyTerms.run();
