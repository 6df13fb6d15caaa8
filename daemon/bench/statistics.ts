/** What is left of many measurements of the same thing. */

export type Summary = {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
};

/**
 * The value below which `fraction` of the values lie, between neighbours in proportion (definition 7 of Hyndman & Fan
 * 1996, that of numpy and R). Throws RangeError without values.
 */
export function quantile(values: readonly number[], fraction: number): number {
  if (values.length === 0) throw new RangeError('no values, at least one expected');
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const low = sorted[Math.floor(position)] as number;
  const high = sorted[Math.ceil(position)] as number;
  return low + (high - low) * (position - Math.floor(position));
}

/** Throws RangeError without values. */
export function summarize(values: readonly number[]): Summary {
  return {
    count: values.length,
    min: quantile(values, 0),
    median: quantile(values, 0.5),
    p95: quantile(values, 0.95),
    max: quantile(values, 1),
  };
}

/** The same in another unit. */
export function scaled({ count, ...values }: Summary, factor: number): Summary {
  const { min, median, p95, max } = values;
  return { count, min: min * factor, median: median * factor, p95: p95 * factor, max: max * factor };
}
