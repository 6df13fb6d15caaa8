/** How far a rate may lie from the truth, by drawing the utterances again (bootstrap: Efron 1979, Bisani & Ney 2004). */
import { quantile } from '../../../daemon/bench/statistics.ts';
import { randomFrom } from '../../random.ts';

export type Rate = {
  /** The sum of the numerators over that of the denominators. */
  readonly rate: number;
  /** 95 % of the draws lie within. */
  readonly low: number;
  readonly high: number;
};

const draws = 2000;
const seed = 1;

/**
 * The rate over utterances that may come as well as others would have: errors over words for a word error rate, and
 * errors of one less errors of the other over words for the paired difference of two. Undefined without a denominator.
 */
export function rateOf(numerators: readonly number[], denominators: readonly number[]): Rate | undefined {
  const count = numerators.length;
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  if (total(denominators) === 0) return undefined;
  const random = randomFrom(seed);
  const rates: number[] = [];
  while (rates.length < draws) {
    let above = 0;
    let below = 0;
    for (let i = 0; i < count; i++) {
      const drawn = Math.floor(random() * count);
      above += numerators[drawn] as number;
      below += denominators[drawn] as number;
    }
    // a draw of nothing but utterances without words tells nothing
    if (below > 0) rates.push(above / below);
  }
  return {
    rate: total(numerators) / total(denominators),
    low: quantile(rates, 0.025),
    high: quantile(rates, 0.975),
  };
}
