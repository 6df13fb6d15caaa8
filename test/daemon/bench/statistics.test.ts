import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { quantile, scaled, summarize } from '../../../daemon/bench/statistics.ts';
import { randomFrom } from '../../random.ts';

const statistics = suite('statistics');

statistics('the median of an odd count is a value, of an even count lies between two', () => {
  assert.is(quantile([9, 1, 5], 0.5), 5);
  assert.is(quantile([1, 2, 10, 4], 0.5), 3);
  assert.is(quantile([7], 0.95), 7);
});

statistics('quantiles are those of numpy', () => {
  // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6, 5, 3], [.05, .25, .5, .95])
  const values = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
  const want = [1, 2.25, 3.5, 7.65];
  for (const [i, fraction] of [0.05, 0.25, 0.5, 0.95].entries()) {
    assert.ok(Math.abs(quantile(values, fraction) - (want[i] ?? 0)) < 1e-12, `${fraction}`);
  }
});

statistics('a summary is in order, ignores the order of the values and leaves them as they were', () => {
  const random = randomFrom(11);
  for (let round = 0; round < 200; round++) {
    const values = Array.from({ length: 1 + Math.floor(random() * 40) }, () => random() * 100 - 50);
    const before = [...values];
    const { count, min, median, p95, max } = summarize(values);
    assert.equal(values, before);
    assert.is(count, values.length);
    assert.ok(min <= median && median <= p95 && p95 <= max);
    assert.is(min, Math.min(...values));
    assert.is(max, Math.max(...values));
    assert.ok(values.filter((value) => value <= median).length >= count / 2);
    assert.ok(values.filter((value) => value >= median).length >= count / 2);
    assert.equal(summarize(values.toReversed()), summarize(values));
  }
});

statistics('of nothing there is no median', () => {
  assert.throws(() => summarize([]), /no values/);
});

statistics('another unit changes every value and no count', () => {
  assert.equal(scaled(summarize([1, 2, 3]), 100), { count: 3, min: 100, median: 200, p95: 290, max: 300 });
});

statistics.run();
