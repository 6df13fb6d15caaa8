import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Gate } from './gates.ts';
import { judge, scoreOf, type Trial } from './heard.ts';
import { type Part, type Report, renderReport, verdictOn } from './report.ts';

const report = suite('word error report');

const names = ['fp32', 'int8'];

/** `wrongs` utterances of ten words each: how many words fp32 and int8 get wrong in each. */
function partOf(of: string, wrongs: readonly (readonly [number, number])[]): Part {
  const text = 'a b c d e f g h i j';
  const withErrors = (count: number) => judge({ text: text.slice(2 * count), avgLogProb: 0 }, -0.6);
  const trials = wrongs.map(([fp32, int8], utterance): Trial => {
    const heard = { fp32: withErrors(fp32), int8: withErrors(int8) };
    return { utterance, text, voice: 'flite slt', heardInTraining: true, noise: undefined, heard };
  });
  const scores = Object.fromEntries(names.map((name) => [name, scoreOf(trials, name, 'fp32')]));
  return { of, utterances: wrongs.length, words: 10 * wrongs.length, scores };
}

const repeated = (wrong: readonly [number, number], times: number) =>
  Array.from({ length: times }, () => wrong);

const part = partOf('clean', [[0, 0], ...repeated([1, 1], 9)]);

const sample: Report = {
  at: '2026-11-22T12:00:00.000Z',
  command: 'npm run bench:wer',
  harkd: '0.1.0',
  commit: 'abc1234',
  machine: { board: 'a board', cpu: 'cpu', cores: 4, memoryMb: 4000, kernel: 'Linux', node: 'v20' },
  model: { name: 'nano', version: '0' },
  versions: { 'espeak-ng': '1.51', flite: '2.2' },
  skipped: [],
  seed: 1,
  cpuSeconds: 60,
  minAvgLogProb: -0.6,
  variants: names.map((name) => ({ name, megabytes: 5, usualOn: name === 'int8' ? ['avx2'] : [] })),
  clean: part,
  everything: part,
  bySnr: [part],
  byNoise: [part],
  byTraining: [part],
  byVoice: [part],
  differences: [],
  inventions: [
    { sound: 'white noise', minutes: 5, segments: 4, written: 3, published: 2, examples: ['stop | it'] },
  ],
  recordings: undefined,
};
const page = (changed: Partial<Report> = {}): string => renderReport({ ...sample, ...changed }, 'data.json');

report('the promise is kept by a difference whose whole interval is within it', () => {
  const verdict = (...wrongs: (readonly [number, number])[]) =>
    verdictOn(partOf('', wrongs).scores['int8'] as NonNullable<Part['scores'][string]>);
  assert.is(verdict(...repeated([1, 1], 20)), 'kept');
  assert.is(verdict(...repeated([2, 1], 20)), 'kept');
  assert.is(verdict(...repeated([1, 2], 20)), 'broken');
  // as often better as worse, on few words
  assert.is(verdict([1, 2], [2, 1], [1, 2], [2, 1]), 'kept, but not beyond chance');
});

report('rates are percent with their interval, hours are made of minutes', () => {
  assert.match(
    page(),
    /\*\*clean: kept\.\*\* int8 9\.0 \(7\.0 to 10\.0\) %, fp32 9\.0 .* 0\.00 \(0\.00 to 0\.00\) points/,
  );
  assert.match(page(), /\| white noise \| 5 +\| 4 .*\| 3 .*\| 2 +\| 24 +\| "stop \\\| it"/);
});

report('what was skipped is said, and nothing is claimed of speech that was not heard', () => {
  const nothing = { clean: undefined, everything: undefined, bySnr: [], byNoise: [], byVoice: [] };
  const skipped = [{ what: 'all voices of flite', reason: 'sudo apt install flite' }];
  const text = page({ ...nothing, skipped, versions: {} });
  assert.match(text, /\*\*Skipped, all voices of flite\*\*: sudo apt install flite/);
  assert.match(text, /No speech was measured/);
  assert.not.match(text, /promised|kept|broken/);
});

report('people are in it only where there were recordings', () => {
  assert.not.match(page(), /## People/);
  const found = { rate: 0.7, low: 0.65, high: 0.75 };
  const of = { fp32: found, int8: found };
  const recordings = { recordings: 3, labels: 12, found: of, foundPublished: of, difference: of };
  assert.match(page({ recordings }), /\| int8 +\| 70\.0 \(65\.0 to 75\.0\)/);
});

const share = (rate: number) => ({ rate, low: rate, high: rate });
const gate = (minAvgLogProb: number | undefined, of: Partial<Gate> = {}): Gate => ({
  minAvgLogProb,
  clean: { passed: share(0.9), wer: share(0.1) },
  noisy: { passed: share(0.6), wer: share(0.25) },
  people: undefined,
  babble: { passed: 3, segments: 16 },
  otherSounds: { passed: 0, segments: 2 },
  ...of,
});
const gates = [gate(undefined), gate(-1), gate(-0.6)];

report('gates are in it where they were counted, the one of the card in bold', () => {
  assert.not.match(page(), /## Gates/);
  const text = page({ gates });
  assert.match(text, /What int8 would publish/);
  assert.match(text, /\| none +\| 90\.0 +\| 10\.0 +\| 60\.0 +\| 25\.0 +\| 3 of 16 +\| 0 of 2 +\|/);
  assert.match(text, /\| -1\.0 /);
  assert.match(text, /\| \*\*-0\.6\*\* /);
  // as it is read again with --render
  assert.is(page({ gates: JSON.parse(JSON.stringify(gates)) as Gate[] }), text);
});

report(
  'gates have a column of people only where there were recordings, and no figure of what was not heard',
  () => {
    assert.not.match(page({ gates }), /labelled words published/);
    const of = { fp32: share(0.7), int8: share(0.7) };
    const recordings = { recordings: 3, labels: 12, found: of, foundPublished: of, difference: of };
    const nothing = { passed: undefined, wer: undefined };
    const silent = gate(-0.6, { clean: nothing, noisy: nothing, people: share(0.65), babble: undefined });
    const text = page({ recordings, gates: [silent] });
    assert.match(text, /\| \*\*-0\.6\*\* +(\| - +){4}\| 65\.0 +\| - +\| 0 of 2 +\|/);
  },
);

report('it says how it was decoded, greedily where it does not say', () => {
  for (const greedy of [page(), page({ beamSize: 1 })]) assert.match(greedy, /nano 0, greedy decoding, one/);
  assert.match(page({ beamSize: 4 }), /nano 0, beam of 4, one thread/);
});

report('nothing is undefined or not a number, and tables are whole', () => {
  const text = page({ gates });
  assert.not.match(text, /undefined|NaN|Infinity/);
  for (const table of text.match(/(^\|.*\n)+/gm) ?? []) {
    const widths = table
      .trim()
      .split('\n')
      .map(({ length }) => length);
    assert.is(new Set(widths).size, 1, table);
  }
});

report.run();
