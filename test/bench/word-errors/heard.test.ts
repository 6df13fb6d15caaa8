import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { judge, passes, scoreOf, type Trial } from './heard.ts';

const scores = suite('scores');

const said = (text: string, avgLogProb = -0.1) => judge({ text, avgLogProb }, -0.6);

function trial(utterance: number, text: string, fp32: string, int8: string): Trial {
  const heard = { fp32: said(fp32), int8: said(int8) };
  return { utterance, text, voice: 'one', heardInTraining: true, noise: undefined, heard };
}

const trials = [
  trial(0, 'stop the music', 'stop the music', 'stop the music'),
  trial(1, 'lock the front door', 'lock the door', 'lock the back door'),
  trial(2, 'call mom at ten', 'call tom at ten', 'call mom at ten now'),
  trial(3, 'good morning', 'good morning', ''),
];

scores('count errors by kind, and the sounds that gave another text', () => {
  const { errors, wer, otherTexts, sounds, empty } = scoreOf(trials, 'int8', 'fp32');
  assert.equal(errors, { words: 13, substitutions: 1, insertions: 1, deletions: 2 });
  assert.is(wer?.rate, 4 / 13);
  assert.equal([otherTexts, sounds, empty], [3, 4, 1]);
});

scores('the difference is that of the two rates, and none to itself', () => {
  assert.ok(Math.abs((scoreOf(trials, 'int8', 'fp32').difference?.rate ?? 0) - (4 - 2) / 13) < 1e-12);
  assert.equal(scoreOf(trials, 'fp32', 'fp32').difference, { rate: 0, low: 0, high: 0 });
});

scores('a text that is withheld counts as written, and as left out of what is published', () => {
  const withheld: Trial = {
    ...trial(4, 'play jazz', 'play jazz', 'play jazz'),
    heard: { fp32: said('play jazz'), int8: said('play jazz', -0.7) },
  };
  const score = scoreOf([withheld], 'int8', 'fp32');
  assert.equal([score.wer?.rate, score.publishedWer?.rate], [0, 1]);
  assert.equal([score.difference?.rate, score.publishedDifference?.rate], [0, 1]);
  assert.equal([score.withheld, score.empty], [1, 0]);
});

scores('a text at the gate passes; one below, none at all and one that cannot be told do not', () => {
  const published = (text: string, avgLogProb: number) => judge({ text, avgLogProb }, -0.6).published;
  assert.equal([published('yes', -0.6), published('yes', -0.61), published('', 0)], [true, false, false]);
  assert.is(passes({ text: 'yes', avgLogProb: Number.NaN }, Number.NEGATIVE_INFINITY), false);
});

scores('the sounds of one sentence are drawn together', () => {
  // one sentence is always wrong and the other never: four sounds of each say no more than one
  const often = (times: number) =>
    Array.from({ length: times }, () => [trial(0, 'yes', 'no', 'no'), trial(1, 'yes', 'yes', 'yes')]).flat();
  assert.equal(scoreOf(often(4), 'fp32', 'fp32').wer, scoreOf(often(1), 'fp32', 'fp32').wer);
});

scores.run();
