/** What the compile report says of likeness, held to the golden vectors and to models that are made unlike. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareWithPlain, recordAgreement } from '../../../models/compiler/agreement.ts';
import { type CompileResult, compile } from '../../../models/compiler/compile.ts';
import { openCompiled } from '../../../models/compiler/compiled.ts';
import type { CompileOptions } from '../../../models/compiler/options.ts';
import { provider } from '../../../providers/cpu.ts';
import { embeddedModelDir, readGolden } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';

const agreement = suite('agreement');
const golden = readGolden().slice(0, 4);
const sounds = golden.map(({ samples }) => samples);
const goldenTokens = golden.reduce((sum, { tokens }) => sum + tokens.length + 1, 0);

const compiledAs = (options: CompileOptions): CompileResult =>
  compile(embeddedModelDir, path.join(temporaryDir(), 'out'), options);
const compare = ({ model }: CompileResult, signal = new AbortController().signal) =>
  compareWithPlain({ modelDir: embeddedModelDir, compiled: model, provider, sounds, signal });

agreement('float32 is the plain model, token by token', async () => {
  const result = await compare(compiledAs({ weights: 'fp32' }));
  assert.is(result.sounds, 4);
  assert.is(result.tokens, goldenTokens);
  assert.is(result.sameTokens, goldenTokens);
  assert.ok(result.largestLogitDifference < 1e-4, `${result.largestLogitDifference}`);
});

agreement('8 and 4 bits are near it, 4 less so; without half its layers it is another model', async () => {
  const int8 = await compare(compiledAs({}));
  const int4 = await compare(compiledAs({ exceptions: { decoder: 'int4' } }));
  const pruned = await compare(compiledAs({ keepEncoderLayers: [0, 2] }));
  assert.is(int8.sameTokens, goldenTokens);
  assert.ok(int8.largestLogitDifference > 1e-3 && int8.largestLogitDifference < 0.4);
  assert.is(int4.sameTokens, goldenTokens);
  assert.ok(int4.largestLogitDifference > int8.largestLogitDifference && int4.largestLogitDifference < 1.5);
  assert.ok(pruned.sameTokens < pruned.tokens, `${pruned.sameTokens} of ${pruned.tokens}`);
  assert.ok(pruned.largestLogitDifference > int4.largestLogitDifference, `${pruned.largestLogitDifference}`);
});

agreement('it is kept with the model, whose files stay sound, and nothing is left beside it', async () => {
  const result = compiledAs({});
  const found = await compare(result);
  recordAgreement(result.model, found);
  assert.equal(openCompiled(result.model.dir).report.agreement, found);
  assert.equal(compile(embeddedModelDir, result.model.dir).report.agreement, found);
  assert.equal(readdirSync(path.dirname(result.model.dir)), ['out']);
  assert.ok(!readdirSync(result.model.dir).some((name) => name.includes('partial')));
});

agreement('it can be given up, and cleans up after itself', async () => {
  const result = compiledAs({});
  const abort = new AbortController();
  const reason = new Error('enough');
  let done = 0;
  const running = compareWithPlain({
    modelDir: embeddedModelDir,
    compiled: result.model,
    provider,
    sounds,
    signal: abort.signal,
    onProgress: (step, total) => {
      done = step;
      // in the middle of the plain encoder
      if (step === Math.floor(total / 2)) abort.abort(reason);
    },
  });
  const thrown = await running.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.is(thrown, reason);
  assert.is(done, 6);
  assert.equal(readdirSync(path.dirname(result.model.dir)), ['out']);
});

agreement.run();
