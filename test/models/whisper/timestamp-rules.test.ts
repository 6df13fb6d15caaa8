import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { argMax, logProbAt } from '../../../models/whisper/sampling.ts';
import { applyTimestampRules } from '../../../models/whisper/timestamp-rules.ts';
import { readTimestampCases } from '../../timestamp-cases.ts';

const reference = readTimestampCases();
const { endOfText, firstTimestamp, noTimestamps } = reference;

const rules = suite('timestamp rules');

rules('leave what the reference leaves, and choose what it chooses', () => {
  assert.ok(reference.cases.length > 380);
  const seen = { timestampsForced: 0, textForced: 0, mixed: 0, pairClosed: 0 };
  for (const [
    i,
    { allowed, best, eighths, last, logProb, maxInitial, sampled },
  ] of reference.cases.entries()) {
    const logits = Float32Array.from(eighths, (eighth) => eighth / 8);
    for (const token of reference.suppressed) logits[token] = Number.NEGATIVE_INFINITY;
    applyTimestampRules(logits, sampled, { endOfText, noTimestamps, firstTimestamp, maxInitial, last });
    const left = [...logits.keys()].filter((token) => logits[token] !== Number.NEGATIVE_INFINITY);
    assert.equal(left, allowed, `case ${i} after ${sampled.join(' ')}`);
    // allowed logits are not changed
    for (const token of left) assert.is(logits[token], (eighths[token] as number) / 8);
    assert.is(argMax(logits), best);
    assert.ok(Math.abs(logProbAt(logits, best) - logProb) < 1e-6, `case ${i}`);
    const texts = left.filter((token) => token < firstTimestamp);
    if (texts.length === 0) seen.timestampsForced++;
    else if (texts.length === left.length) seen.textForced++;
    else seen.mixed++;
    if (texts.length === 1 && texts[0] === endOfText) seen.pairClosed++;
  }
  // the cases must reach every branch, or they prove nothing
  for (const [branch, count] of Object.entries(seen)) assert.ok(count > 10, `${branch}: ${count}`);
});

rules('a vocabulary of ours, with the end of text first, keeps its text', () => {
  const ours = { endOfText: 0, noTimestamps: 1, firstTimestamp: 6, maxInitial: 2, last: 3 };
  const allowedAfter = (...sampled: number[]): number[] => {
    const logits = Float32Array.from([1, 1, 5, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    applyTimestampRules(logits, sampled, ours);
    return [...logits.keys()].filter((token) => logits[token] !== Number.NEGATIVE_INFINITY);
  };
  assert.equal(allowedAfter(), [6, 7, 8]);
  assert.equal(allowedAfter(6), [0, 2, 3, 4, 5]);
  assert.equal(allowedAfter(6, 2), [0, 2, 3, 4, 5, 7, 8, 9]);
  assert.equal(allowedAfter(6, 2, 8), [0, 8, 9], 'closed: the same again, a later one, or the end');
  assert.equal(allowedAfter(6, 2, 9), [0, 9], 'the end of the sound: one timestamp or the end of the text');
});

rules.run();
