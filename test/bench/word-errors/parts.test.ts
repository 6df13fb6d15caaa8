import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { judge, type Trial } from './heard.ts';
import { partsOf } from './parts.ts';

const parts = suite('parts of the test set');

const texts = ['stop the music', 'lock the door', 'call mom'];
const said = (text: string) => judge({ text, avgLogProb: 0 }, -0.6);
const noisy = { kind: 'babble', snrDb: 10 };

/** Three sentences by two voices, clean and in babble; int8 mishears the last one, and everything in noise. */
const trials = texts.flatMap((text, utterance): Trial[] => {
  const about = { utterance, text, voice: utterance === 2 ? 'b' : 'a', heardInTraining: utterance !== 2 };
  const clean = utterance === 2 ? 'call tom' : text;
  return [
    { ...about, noise: undefined, heard: { fp32: said(text), int8: said(clean) } },
    { ...about, noise: noisy, heard: { fp32: said(text), int8: said('') } },
  ];
});
const found = partsOf(trials, ['fp32', 'int8']);
const ratesOf = (of: readonly { readonly of: string; readonly scores: object }[] | undefined) =>
  of?.map((part) => [
    part.of,
    (part.scores as Record<string, { wer?: { rate: number } }>)['int8']?.wer?.rate,
  ]);

parts('have the words of their own sentences, and those of all sounds count once', () => {
  assert.equal([found.clean?.utterances, found.clean?.words], [3, 8]);
  assert.equal([found.everything?.utterances, found.everything?.words], [3, 8]);
  assert.is(found.clean?.scores['int8']?.wer?.rate, 1 / 8);
  assert.is(found.everything?.scores['int8']?.wer?.rate, 9 / 16);
});

parts('are by ratio, kind of noise, voice and training, and only what there is', () => {
  assert.equal(ratesOf(found.bySnr), [
    ['clean', 1 / 8],
    ['10 dB', 1],
  ]);
  assert.equal(ratesOf(found.byNoise), [['babble', 1]]);
  assert.equal(ratesOf(found.byVoice), [
    ['a', 0],
    ['b', 1 / 2],
  ]);
  assert.equal(ratesOf(found.byTraining), [
    ['all heard in training', 0],
    ['all others', 1 / 2],
  ]);
});

parts('differences are those of clean sentences', () => {
  assert.equal(found.differences, [{ voice: 'b', said: 'call mom', base: 'call mom', other: 'call tom' }]);
});

parts('without a sound there is none', () => {
  const none = partsOf([], ['fp32', 'int8']);
  assert.equal([none.clean, none.everything, none.byVoice], [undefined, undefined, []]);
});

parts.run();
