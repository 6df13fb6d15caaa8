import { existsSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ModelsCompileArguments, modelsCompile } from '../../../daemon/commands/models-compile.ts';
import { Fault } from '../../../daemon/faults.ts';
import { openCompiled } from '../../../models/compiler/compiled.ts';
import { smallestShape, writeRandomWhisper } from '../../fixtures/random-whisper.ts';
import { temporaryDir } from '../../graph-files.ts';

const command = suite('harkd models compile');
const packageDir = path.join(import.meta.dirname, '../../../..');
const shape = { ...smallestShape, encoderLayers: 3, decoderLayers: 2, audioFrames: 1500 };
const folder = writeRandomWhisper(temporaryDir(), { shape });

type Ran = { readonly out: string; readonly progress: string };

async function run(
  argv: ModelsCompileArguments,
  signal = new AbortController().signal,
  cacheDir = temporaryDir(),
): Promise<Ran> {
  let out = '';
  let progress = '';
  await modelsCompile(argv, {
    version: '0',
    packageDir,
    environment: { CACHE_DIRECTORY: cacheDir, HOME: cacheDir },
    signal,
    write: (text) => {
      out += text;
    },
    writeError: (text) => {
      progress += text;
    },
    stdin: new PassThrough(),
    stdoutIsTty: false,
    stderrIsTty: true,
  });
  return { out, progress };
}

async function faultOf(running: Promise<unknown>): Promise<Fault> {
  const thrown = await running.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof Fault)) throw new Error(`expected a fault, got ${thrown}`);
  return thrown;
}

command('a folder is compiled to another, with a bar and a report', async () => {
  const output = path.join(temporaryDir(), 'out');
  const argv = {
    name: folder,
    output,
    weights: 'fp32,head=int8',
    keepEncoderLayers: '0,2',
    attentionWindow: 256,
  };
  const { out, progress } = await run(argv);
  const { options, shape, report } = openCompiled(output);
  assert.equal(options, {
    weights: 'fp32',
    exceptions: { head: 'int8' },
    inspect: false,
    attentionWindow: 256,
    keepEncoderLayers: [0, 2],
    rewritable: true,
  });
  assert.is(shape.encoderLayers, 2);
  assert.match(progress, /compiling \[[#.]{20}\]/);
  for (const expected of [
    'fp32, head int8',
    'encoder layers            0, 2',
    'in windows of 5.1 s',
    'same tokens',
  ]) {
    assert.match(out, expected);
  }
  assert.is(report.agreement?.sounds, 3);
  const again = await run(argv);
  assert.match(again.out, 'was compiled already');
  assert.match(again.out, 'same tokens');
});

command('without a place it goes to the cache; JSON says where, and likeness may be left out', async () => {
  const cacheDir = temporaryDir();
  const { out } = await run(
    { name: folder, weights: 'fp32', compare: false, json: true },
    undefined,
    cacheDir,
  );
  const { dir, key, report, cached } = JSON.parse(out);
  assert.is(dir, path.join(cacheDir, 'models', key));
  assert.is(cached, false);
  assert.is(report.agreement, undefined);
  assert.ok(report.operatorsAfter < report.operatorsBefore && report.peakRssBytes > 1e7);
});

command('what cannot be is refused, before anything is read', async () => {
  for (const [argv, message] of [
    [{ weights: 'int3' }, "--weights has 'int3'"],
    [{ weights: 'int8,int4' }, "--weights has 'int4'"],
    [{ weights: 'int8,nose=int4' }, "no matrix is called 'nose'"],
    [{ profile: 'pi' }, "--profile is 'pi'"],
    [{ keepEncoderLayers: '0,x' }, "--keep-encoder-layers is '0,x'"],
    [{ keepDecoderLayers: '2' }, 'decoder layers to keep are [2], expected some of 0 to 1'],
    [{ attentionWindow: 7 }, 'the attention window is 7'],
    [{ name: '' }, 'needs a name or a folder'],
  ] as const) {
    const fault = await faultOf(run({ name: folder, ...argv }));
    assert.is(fault.code, 'USAGE_INVALID');
    assert.match(fault.message, message);
  }
});

command('interrupted, it says so and leaves nothing', async () => {
  const output = path.join(temporaryDir(), 'out');
  const abort = new AbortController();
  abort.abort();
  const fault = await faultOf(run({ name: folder, output }, abort.signal));
  assert.is(fault.code, 'INTERRUPTED');
  assert.ok(!existsSync(output));
});

command.run();
