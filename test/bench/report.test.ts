import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attribution, renderReport } from './report.ts';
import { goals, isMet, type Results, type ThreadResults } from './results.ts';
import { sample } from './sample.ts';

const report = suite('speed report');
const page = (results: Results): string => renderReport(results, 'picture.svg', 'data.json');
const one = sample.threads[0] as ThreadResults;

report('every goal has a row with its figure for each number of threads', () => {
  const text = page(sample);
  for (const { what } of goals) {
    const row = text.split('\n').find((line) => line.startsWith(`| ${what} `));
    assert.ok(row !== undefined, what);
    assert.is(row.split('|').length, 7, row);
    assert.match(row, /\| met +\|$/, row);
  }
  assert.match(text, /\| ≥ 8 x +\| 40\.0 x +\| 40\.0 x +\| met/);
});

report('a goal that one number of threads misses is missed', () => {
  const slow = { ...one, starts: { ...one.starts, wallMs: { ...one.starts.wallMs, median: 1200 } } };
  assert.match(
    page({ ...sample, threads: [slow, one] }),
    /\| process start .* 1200 ms +\| 700 ms +\| \*\*missed\*\*/,
  );
});

report('a goal is met on its edge, in its direction', () => {
  const at = (atLeast: boolean) => ({ what: '', unit: '', goal: 8, atLeast, of: () => 0 });
  assert.equal(
    [7.9, 8, 8.1].map((value) => isMet(at(true), value)),
    [false, true, true],
  );
  assert.equal(
    [7.9, 8, 8.1].map((value) => isMet(at(false), value)),
    [true, true, false],
  );
});

report('shares of length, graphs and weights multiply to the whole', () => {
  const text = attribution(one);
  assert.match(
    text,
    /^40\.0x = length 10\.0x \(62 %\) · graphs .* 2\.00x \(19 %\) · int8 weights 2\.00x \(19 %\)/,
  );
  // 360 ms without log-mel against 10
  assert.match(text, /it would be 36\.0x\.$/);
});

report('tables are whole, and other programs are mentioned when there were any', () => {
  for (const table of page(sample).match(/(^\|.*\n)+/gm) ?? []) {
    const widths = table
      .trim()
      .split('\n')
      .map((line) => line.length);
    assert.is(new Set(widths).size, 1, table);
  }
  assert.not.match(page(sample), /Other programs/);
  assert.match(
    page({ ...sample, load: { before: 3, least: 3, most: 9 } }),
    /Other programs.*load up to 9 on 4 cores/,
  );
});

report('nothing is undefined or not a number', () => {
  assert.not.match(page(sample), /undefined|NaN|Infinity/);
});

report.run();
