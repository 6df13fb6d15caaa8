import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryOf, readMemory } from '../../peers/memory.ts';
import { drawLengths, type ProcessMemory } from './measured.ts';
import { describeWork, type ModelMemory, type Report, renderReport, spreadOf } from './report.ts';

const report = suite('memory report');

const processOf = (loadedMb: number, usedMb: number, peakMb: number): ProcessMemory => ({
  loaded: { residentMb: loadedMb, peakMb: loadedMb },
  used: { residentMb: usedMb, peakMb },
});

const tiny: ModelMemory = {
  model: 'tiny.en',
  commands: [processOf(113, 129, 131), processOf(112, 126, 127), processOf(114, 130, 133)],
  mixture: [processOf(111, 135, 140), processOf(115, 132, 136), processOf(113, 136, 141)],
};

const sample: Report = {
  at: '2026-11-22T16:05:00.000Z',
  command: 'npm run bench:memory',
  harkd: '0.1.0',
  commit: 'abc1234',
  onnxruntime: '1.30.0',
  machine: { board: undefined, cpu: 'a cpu', cores: 2, memoryMb: 4000, kernel: 'Linux', node: 'v20' },
  load: { before: 0.1, after: 1 },
  threads: 1,
  processes: 3,
  commands: { utterances: 12, lengthS: 5 },
  mixture: { utterances: 30, lengthS: [1, 11] },
  models: [
    tiny,
    { model: 'embedded', commands: [processOf(80, 90, 91)], mixture: [processOf(80, 103, 104)] },
  ],
};

report('rows have the median of the processes that did that work, and of all when loaded', () => {
  const rows = renderReport(sample, 'data.json')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  assert.equal(rows.map(([, what, tinyEn, embedded]) => [what, tinyEn, embedded]).toSpliced(1, 1), [
    ['resident MB', 'tiny.en', 'embedded'],
    ['loaded', '113 (111 to 115)', '80.0'],
    ['after 12 utterances of 5 s', '129 (126 to 130)', '90.0'],
    ['peak until then', '131 (127 to 133)', '91.0'],
    ['after 30 utterances of 1 to 11 s', '135 (132 to 136)', '103'],
    ['peak until then', '140 (136 to 141)', '104'],
  ]);
});

report('says on what, of what and how it was measured', () => {
  const text = renderReport(sample, 'data.json');
  assert.match(text, /^# Memory of the recognizer, 2026-11-22\n/);
  assert.match(text, /`npm run bench:memory`, harkd 0\.1\.0 at abc1234\. a cpu, 2 cores, Linux, Node v20, /);
  assert.match(text, /\[data\.json\]\(data\.json\)/);
  assert.match(text, /1 thread, by itself.* 3 processes for each model/);
  assert.not.match(text, /undefined|NaN|Infinity/);
});

report('a spread of nothing is a dash, of an even number the middle of two', () => {
  assert.is(spreadOf([]), '-');
  assert.is(spreadOf([130]), '130');
  assert.is(spreadOf([140, 110, 120, 130]), '125 (110 to 140)');
});

report('work is told with its lengths', () => {
  assert.is(describeWork({ utterances: 1, lengthS: 5 }), '1 utterance of 5 s');
  assert.is(describeWork({ utterances: 2, lengthS: [1, 11] }), '2 utterances of 1 to 11 s');
});

report('lengths are drawn from the seed, within their ends', () => {
  assert.equal(drawLengths(2, 5, 1), [80_000, 80_000]);
  const lengths = drawLengths(200, [1, 11], 1);
  assert.ok(Math.min(...lengths) >= 16_000 && Math.min(...lengths) < 20_000);
  assert.ok(Math.max(...lengths) <= 176_000 && Math.max(...lengths) > 170_000);
  assert.equal(drawLengths(200, [1, 11], 1), lengths);
  assert.not.equal(drawLengths(200, [1, 11], 2), lengths);
});

report('the kernel counts in 1024 bytes, and says nothing of who has ended', () => {
  const status = 'Name:\tnode\nVmHWM:\t  200000 kB\nVmRSS:\t  125000 kB\nThreads:\t11\n';
  assert.equal(memoryOf(status), { residentMb: 128, peakMb: 204.8 });
  assert.throws(() => memoryOf('Name:\tnode\nState:\tZ (zombie)\n'), /no VmRSS .* has the process ended/);
  const { residentMb, peakMb } = readMemory(process.pid);
  assert.ok(residentMb > 20 && peakMb >= residentMb, `${residentMb} of ${peakMb}`);
});

report.run();
