import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  chosenVariant,
  joinReports,
  type ModelCounts,
  type Report,
  renderReport,
  variants,
  verdicts,
  waysOf,
} from './instruction-report.ts';
import type { Rate, Rates } from './marks.ts';

const report = suite('report of instructions');
const rate = (inLibrary: number, all = inLibrary): Rate => ({ unit: '', runs: 1, all, inLibrary });
const stages = (name: string, encoder: number, prompt: number, token: number): Rates => ({
  [`${name} encoder`]: rate(encoder, encoder + 10),
  [`${name} prompt`]: rate(prompt, prompt + 20),
  [`${name} token`]: rate(token, token + 1),
});

const rates: Rates = {
  'log-mel sound': rate(5, 9),
  ...stages('int8', 100, 40, 8),
  ...stages('int8, decoder int4', 100, 60, 4),
};
const model: ModelCounts = {
  name: 'one',
  modelWidth: 384,
  promptTokens: 2,
  tokens: 10,
  rates: { 'cortex-a53': rates, 'cortex-a76': rates },
  float32: {
    cpu: 'cortex-a53',
    rates: { ...stages('fp32', 300, 70, 16), ...stages('plain', 2000, 90, 20), 'plain log-mel': rate(0, 50) },
  },
};

report('an utterance is its seconds, the prompt and the tokens', () => {
  const [int8] = waysOf(model, 3000);
  assert.is(int8?.utterance, 3 * 100 + 40 + 10 * 8);
  assert.is(int8?.outside, 3 * 10 + 20 + 10);
});

report('log-mel in JavaScript is part of plain graphs, though no library runs it', () => {
  const plain = waysOf(model, 3000).at(-1);
  assert.is(plain?.encoder, 2050);
  assert.is(plain?.utterance, 3 * 2050 + 90 + 10 * 20);
  assert.is(plain?.outside, 3 * 10 + 20 + 10);
});

report('what was not counted is missed, not taken for nothing', () => {
  const { 'int8 token': _, ...less } = rates;
  assert.throws(
    () => waysOf({ ...model, rates: { 'cortex-a72': less } }, 3000),
    /int8 token was not counted on cortex-a72/,
  );
});

report('what the compiler chooses is among what is counted, for each board and for narrow models', () => {
  assert.is(chosenVariant('cortex-a53', 384), 'int8');
  assert.is(chosenVariant('cortex-a72', 384), 'int8');
  assert.is(chosenVariant('cortex-a76', 384), 'int8, decoder int4');
  assert.is(chosenVariant('cortex-a76', 192), 'int8');
  assert.equal(Object.keys(variants), ['int8', 'int8, decoder int4']);
});

report('each processor is told what the other formats would need', () => {
  const [a53 = '', a76 = ''] = verdicts(model, 3000);
  assert.match(
    a53,
    /gets int8; .*int8, decoder int4 1\.00 times .* 0\.500 times a token; fp32 3\.00 .* 2\.00/,
  );
  assert.match(a76, /gets int8, decoder int4; .*: int8 1\.00 times .* 2\.00 times a token; fp32 .* 4\.00/);
});

const reportOf = (...models: ModelCounts[]): Report => ({
  parts: [{ at: '2026-11-22T14:00:00Z', command: 'one', commit: 'abc' }],
  harkd: '',
  qemu: '',
  onnxruntime: '1',
  soundMs: 3000,
  detector: { 'cortex-a53': rate(0, 1e6) },
  models,
});

report('before float32 was counted there is a report, without what it is compared with', () => {
  const page = (one: ModelCounts): string => renderReport(reportOf(one));
  assert.match(page(model), /\| cortex-a53 +\| \*\*int8\*\* .*\| 15\.3× /);
  assert.match(page({ ...model, float32: undefined }), /\| cortex-a53 +\| \*\*int8\*\* /);
  assert.match(page(model), /\| cortex-a53 \| Raspberry Pi 3, Zero 2 W \| +1\.00 \| +31\.3 \|/);
});

report('what is counted later is added, or takes the place of what was counted before', () => {
  const earlier = reportOf({ ...model, rates: { 'cortex-a53': rates } }, { ...model, name: 'other' });
  const again = { ...rates, 'int8 token': rate(7) };
  const later: Report = {
    ...reportOf({ ...model, rates: { 'cortex-a76': again }, float32: undefined }),
    parts: [{ at: '2026-11-22T15:00:00Z', command: 'two', commit: 'def' }],
    detector: { 'cortex-a76': rate(0, 2e6) },
  };
  const joined = joinReports(earlier, later);
  assert.match(renderReport(joined), /Written by `one` at abc, then `two` at def,/);
  assert.equal(joined.detector, { 'cortex-a53': rate(0, 1e6), 'cortex-a76': rate(0, 2e6) });
  const rewritten: ModelCounts = { ...model, rates: { 'cortex-a53': rates, 'cortex-a76': again } };
  assert.equal(joined.models, [rewritten, { ...model, name: 'other' }]);
});

report('reports of other versions and other models are not added to', () => {
  const one = reportOf(model);
  assert.throws(() => joinReports({ ...one, onnxruntime: '2' }, one), 'onnxruntime 2, here it is 1');
  assert.throws(() => joinReports(one, reportOf({ ...model, tokens: 11 })), 'one is another model');
});

report.run();
