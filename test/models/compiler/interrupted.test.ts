/** Two compilers at once, and compilers that are stopped: there is a whole model at the place, or the one before. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompileProgress, compile, compileWatched } from '../../../models/compiler/compile.ts';
import { openCompiled } from '../../../models/compiler/compiled.ts';
import { faultFrom } from '../../faults.ts';
import { embeddedModelDir } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { unlike, writeSmallWhisper } from '../../small-whisper.ts';

const interrupted = suite('interrupted compilation');
const smallDir = writeSmallWhisper(temporaryDir(), unlike);
const compilerUrl = new URL('../../../models/compiler/compile.js', import.meta.url).href;

/** Compiles in another process. */
function compileElsewhere(modelDir: string, outDir: string, options: object): ChildProcess {
  const program = `import { compile } from ${JSON.stringify(compilerUrl)};
    compile(${JSON.stringify(modelDir)}, ${JSON.stringify(outDir)}, ${JSON.stringify(options)});`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

interrupted('four compilers at one place: all end well, and what is there is whole', async () => {
  const outDir = path.join(temporaryDir(), 'out');
  // the same, and different ones that take each other's place
  const children = [{}, {}, { weights: 'fp32' }, { weights: 'int4' }].map((options) =>
    compileElsewhere(smallDir, outDir, options),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  assert.equal(codes, [0, 0, 0, 0]);
  openCompiled(outDir);
  assert.equal(readdirSync(path.dirname(outDir)), ['out']);
});

interrupted('while another compiler puts a model in its place, who opens it waits', () => {
  const outDir = path.join(temporaryDir(), 'out');
  const { key } = compile(smallDir, outDir).model;
  const onTheWay = `${outDir}.partial-1`;
  renameSync(outDir, onTheWay);
  // in a process of its own: opening blocks this one
  spawn('sh', ['-c', 'sleep 0.05 && mv "$0" "$1"', onTheWay, outDir]);
  assert.is(openCompiled(outDir).key, key);
  const missing = faultFrom(() => openCompiled(path.join(temporaryDir(), 'none')));
  assert.is(missing.code, 'MODEL_MISSING');
});

interrupted(
  'killed while writing: the model before is untouched, and the next compilation succeeds',
  async () => {
    const outDir = path.join(temporaryDir(), 'out');
    const before = compile(smallDir, outDir).model;
    const child = compileElsewhere(embeddedModelDir, outDir, { weights: 'fp32' });
    const partial = () => readdirSync(path.dirname(outDir)).find((name) => name !== 'out');
    while (partial() === undefined && child.exitCode === null) await wait(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.ok(partial() !== undefined, 'it was caught in the act');
    assert.is(openCompiled(outDir).key, before.key);
    const after = compile(embeddedModelDir, outDir).model;
    assert.is(openCompiled(outDir).key, after.key);
  },
);

interrupted('stopped by its signal at any time: nothing half-written is left', async () => {
  for (const stopAt of [0, 1, 5, 12]) {
    const outDir = path.join(temporaryDir(), 'out');
    const abort = new AbortController();
    let steps = 0;
    const running = compileWatched(
      embeddedModelDir,
      { outDir },
      {},
      () => {
        if (steps++ === stopAt) abort.abort(new Error('enough'));
      },
      abort.signal,
    );
    const thrown = await running.then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.is((thrown as Error | undefined)?.message, 'enough', `after ${steps} steps`);
    assert.ok(!existsSync(outDir));
    assert.equal(readdirSync(path.dirname(outDir)), []);
  }
});

interrupted('who watches hears of progress up to the end', async () => {
  const heard: CompileProgress[] = [];
  const outDir = path.join(temporaryDir(), 'out');
  const { model } = await compileWatched(
    embeddedModelDir,
    { outDir },
    {},
    (progress) => heard.push(progress),
    new AbortController().signal,
  );
  assert.ok(heard.length > 10);
  const last = heard.at(-1) as CompileProgress;
  assert.is(last.doneBytes, last.totalBytes);
  const written = (name: string) => model.files[name]?.bytes as number;
  assert.is(last.totalBytes, written('encoder.bin') + written('decoder.bin'));
  for (const [i, { doneBytes }] of heard.entries()) {
    assert.ok(doneBytes >= (heard[i - 1]?.doneBytes ?? 0));
  }
});

interrupted.run();
