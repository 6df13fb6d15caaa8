import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { argMax, drawToken, logProbAt, logSumExp, seededUniform } from '../../../models/whisper/sampling.ts';

const sampling = suite('sampling');
const never = Number.NEGATIVE_INFINITY;

sampling('the largest, the first among equals, never a suppressed one', () => {
  assert.is(argMax(Float32Array.of(never, 2, 3, 3)), 2);
  assert.is(argMax(Float32Array.of(never, -90)), 1);
});

sampling('log-sums survive large and suppressed logits', () => {
  assert.ok(Math.abs(logSumExp(Float32Array.of(1000, 1000)) - (1000 + Math.LN2)) < 1e-9);
  assert.ok(Math.abs(logSumExp(Float32Array.of(never, -1000, never)) + 1000) < 1e-9);
  assert.is(logSumExp(Float32Array.of(never, never)), never);
  assert.is(logSumExp(Float32Array.of(5, 7), 1, 1), never);
  assert.ok(Math.abs(logProbAt(Float32Array.of(0, 0, never, 0, 0), 1) + Math.log(4)) < 1e-9);
});

sampling('draws as often as softmax(logits / temperature) says', () => {
  const logits = Float32Array.of(0, Math.log(2), never, Math.log(5));
  for (const temperature of [0.5, 1, 2]) {
    const weights = [1, 2, 0, 5].map((weight) => weight ** (1 / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const uniform = seededUniform(4);
    const counts = [0, 0, 0, 0];
    const draws = 20_000;
    for (let i = 0; i < draws; i++) {
      const token = drawToken(logits, temperature, uniform());
      counts[token] = (counts[token] as number) + 1;
    }
    for (const [i, weight] of weights.entries()) {
      const share = (counts[i] as number) / draws;
      // four standard deviations of a share of 1/2 are 0.014
      assert.ok(Math.abs(share - weight / total) < 0.014, `${i} at ${temperature}: ${share}`);
    }
    assert.is(counts[2], 0);
  }
});

sampling('both ends of the distribution are tokens that may be', () => {
  const logits = Float32Array.of(never, 1, 1, never);
  assert.is(drawToken(logits, 1, 0), 1);
  assert.is(drawToken(logits, 1, 1 - 2 ** -53), 2);
});

sampling('the same seed gives the same numbers, another seed others', () => {
  const take = (seed: number): number[] => {
    const uniform = seededUniform(seed);
    return Array.from({ length: 1000 }, uniform);
  };
  assert.equal(take(9), take(9));
  assert.not.equal(take(9), take(10));
  const numbers = take(9);
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  assert.ok(Math.abs(mean - 0.5) < 0.04);
});

sampling.run();
