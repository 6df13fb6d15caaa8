import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { figure, renderMarkdown, renderText } from '../../../daemon/bench/table.ts';

const table = suite('table');

table('a figure has three digits that mean something, and says when there is none', () => {
  assert.equal([0, 0.00123456, 0.5, 1.239, 12.34, 123.4, 1234.6, -3.777, 9.999].map(figure), [
    '0',
    '0.00123',
    '0.500',
    '1.24',
    '12.3',
    '123',
    '1235',
    '-3.78',
    '10.0',
  ]);
  assert.equal([undefined, Number.NaN, Number.POSITIVE_INFINITY].map(figure), ['-', '-', '-']);
});

table('on a terminal, words stand to the left and numbers to the right', () => {
  const text = renderText(
    ['', 'median', 'unit'],
    [
      ['load', 123.4, 'ms'],
      ['a longer name', undefined, ''],
    ],
  );
  assert.is(text, '               median  unit\nload              123  ms\na longer name       -\n');
});

table('in a document, every line has every column, and no cell breaks out of its own', () => {
  const text = renderMarkdown(['what', 'ms'], [['a|b', 1], ['c']]);
  assert.is(text, '| what |   ms |\n| ---- | ---: |\n| a\\|b | 1.00 |\n| c    |      |\n');
});

table.run();
