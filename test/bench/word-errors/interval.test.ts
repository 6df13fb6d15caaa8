import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rateOf } from './interval.ts';

const interval = suite('bootstrap');

const repeated = (values: readonly number[], times: number): number[] =>
  Array.from({ length: times }, () => values).flat();

interval('is the rate over all, not the mean of rates', () => {
  const got = rateOf([1, 0], [1, 9]);
  assert.is(got?.rate, 0.1);
});

interval('holds what a normal approximation says of the mean of many', () => {
  // 400 utterances of one word, one in four wrong: 25 % and a standard error of sqrt(0.25 * 0.75 / 400)
  const got = rateOf(repeated([1, 0, 0, 0], 100), repeated([1], 400));
  const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400);
  assert.is(got?.rate, 0.25);
  assert.ok(Math.abs((got?.low ?? 0) - (0.25 - half)) < 0.006, `${got?.low}`);
  assert.ok(Math.abs((got?.high ?? 0) - (0.25 + half)) < 0.006, `${got?.high}`);
});

interval('a difference that is the same everywhere has no width, one that goes both ways holds zero', () => {
  const same = rateOf(repeated([1], 50), repeated([10], 50));
  assert.equal(same, { rate: 0.1, low: 0.1, high: 0.1 });
  const both = rateOf(repeated([1, -1], 50), repeated([10], 100));
  assert.is(both?.rate, 0);
  assert.ok((both?.low ?? 0) < 0 && (both?.high ?? 0) > 0);
});

interval('is the same each time', () => {
  const values = [3, 0, 1, 0, 2];
  assert.equal(rateOf(values, [5, 5, 5, 5, 5]), rateOf(values, [5, 5, 5, 5, 5]));
});

interval('without words there is no rate', () => {
  assert.is(rateOf([], []), undefined);
  assert.is(rateOf([1], [0]), undefined);
});

interval.run();
