import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fourier } from '../../models/fourier.ts';
import { randomFrom } from '../random.ts';

const test = suite('Fourier transform');

type Complex = readonly [re: number, im: number];

const transformed = (
  values: readonly Complex[],
  { imaginary, place, real, transform, size } = fourier(values.length),
) => {
  for (const [n, [re, im]] of values.entries()) {
    real[place[n] as number] = re;
    imaginary[place[n] as number] = im;
  }
  transform();
  return Array.from({ length: size }, (_, k): Complex => [real[k] as number, imaginary[k] as number]);
};
const swapped = (values: readonly Complex[]) => values.map(([re, im]): Complex => [im, re]);
const largest = (values: readonly Complex[], others: readonly Complex[]): number =>
  Math.max(
    ...values.map(([re, im], n) => Math.hypot(re - (others[n]?.[0] ?? 0), im - (others[n]?.[1] ?? 0))),
  );
const randomValues = (size: number): Complex[] => {
  const random = randomFrom(size);
  return Array.from({ length: size }, (): Complex => [random() - 0.5, random() - 0.5]);
};

test('is the sum that defines it', () => {
  for (const size of [2, 8, 64, 512]) {
    const values = randomValues(size);
    const expected = values.map((_, k): Complex => {
      let [re, im] = [0, 0];
      for (const [n, [x, y]] of values.entries()) {
        const angle = (-2 * Math.PI * k * n) / size;
        re += x * Math.cos(angle) - y * Math.sin(angle);
        im += x * Math.sin(angle) + y * Math.cos(angle);
      }
      return [re, im];
    });
    assert.ok(largest(transformed(values), expected) < 1e-10, `${size} points`);
  }
});

test('with real and imaginary exchanged is the way back', () => {
  const values = randomValues(512);
  const back = swapped(transformed(swapped(transformed(values))));
  assert.ok(
    largest(
      values,
      back.map(([re, im]): Complex => [re / 512, im / 512]),
    ) < 1e-12,
  );
});

test('is of powers of two only', () => {
  for (const size of [0, 1, 3, 400, 131_072]) assert.throws(() => fourier(size), /power of two/);
});

test.run();
