/**
 * `npm run test:arm64`: the package for boards, unpacked and run by arm64 Node on emulated processors of boards. It is
 * the real program with the real libraries; nothing in it is as fast as on a board, or says how fast that is.
 *
 *   node dist/test/arm64/emulated.js              about five minutes of processor time
 *   node dist/test/arm64/emulated.js cortex-a76   only checks whose name contains one of the words
 *
 * The first run fetches 150 MB (machine.ts).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { pack } from '../../cross-build/pack.ts';
import { compile } from '../../models/compiler/compile.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { cleanEnvironment, harkd, type Installed, packageDir, startDaemon } from '../fixtures/daemon.ts';
import { base, demoDir, finalsOf, household, sentencesOf } from '../fixtures/demo.ts';
import { embeddedModelDir, largestDifference, readGolden } from '../golden.ts';
import { temporaryDir } from '../graph-files.ts';
import { announceSkip } from '../skip.ts';
import { boards, type Cpu, cannotEmulate, cpus, nodeOn, prepareMachine, profiles } from './machine.ts';
import { type Numbers, utterancesHeard } from './numbers.ts';

function unpack(): string {
  const dir = temporaryDir();
  const { tarball } = pack(packageDir, 'arm64', dir, 0);
  execFileSync('tar', ['-xzf', tarball, '-C', dir]);
  return path.join(dir, 'harkd');
}

/** What numbers.ts says of the package on this processor. */
function numbersOn(cpu: Cpu, installedDir: string, compiledDirs: readonly string[]): Numbers {
  const program = path.join(import.meta.dirname, 'numbers.js');
  const output = execFileSync(nodeOn(cpu), [program, installedDir, ...compiledDirs], {
    encoding: 'utf8',
    env: cleanEnvironment({ ORT_DISABLE_TELEMETRY: '1' }),
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(output) as Numbers;
}

type Check = { readonly name: string; readonly run: () => void | Promise<void> };

function checksOf(installedDir: string): Check[] {
  const checks: Check[] = [];
  const check = (name: string, run: Check['run']) => checks.push({ name, run });
  const on = (cpu: Cpu): Installed => ({
    node: nodeOn(cpu),
    mainProgram: path.join(installedDir, 'dist/daemon/main.js'),
  });

  check('harkd --version', async () => {
    const { version } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
    const { code, stdout, stderr } = await harkd(['--version'], {}, on('cortex-a53'));
    assert.is(code, 0, stderr);
    assert.is(stdout.trim(), version);
  });

  check('harkd transcribe: seven sentences, word for word', async () => {
    const { code, stdout, stderr } = await harkd(['transcribe', household], {}, on('cortex-a72'));
    assert.is(code, 0, stderr);
    assert.equal(
      stdout.trim().split('\n'),
      sentencesOf('household.wav').map(({ text }) => text),
    );
  });

  if (mosquittoMissing === undefined) {
    check(
      'harkd run: a recording becomes a transcript on the broker, and the daemon ends with 0',
      async () => {
        const broker = await startMosquitto();
        const listener = await listenTo(broker.url, `${base}/#`);
        const args = ['--source', `file:${path.join(demoDir, 'lights.wav')}`, '--pace', 'fast', '--once'];
        const run = startDaemon([...args, '--broker', broker.url], {}, { installed: on('cortex-a76') });
        assert.is(await run.exited, 0, JSON.stringify(run.log));
        assert.equal(
          finalsOf(listener).map(({ text }) => text),
          sentencesOf('lights.wav').map(({ text }) => text),
        );
        assert.is(listener.on(`${base}/status`).at(-1)?.text, 'offline');
        listener.close();
        await broker.stop();
      },
    );
  } else announceSkip('harkd run on arm64', mosquittoMissing);

  const int4 = compile(embeddedModelDir, path.join(temporaryDir(), 'int4'), {
    exceptions: { decoder: 'int4' },
  });
  const compiledDirs = [path.join(installedDir, 'dist/models/embedded'), int4.model.dir];
  const reference = JSON.parse(
    readFileSync(path.join(packageDir, 'test/golden/vad/probabilities.json'), 'utf8'),
  ) as { readonly recordings: Readonly<Record<string, readonly number[]>> };
  const golden = readGolden().slice(0, utterancesHeard);

  for (const cpu of cpus) {
    check(`${cpu} (${boards[cpu]}): detector and models say what the references say`, () => {
      const { arch, cpuProfile, heard, probabilities } = numbersOn(cpu, installedDir, compiledDirs);
      assert.is(arch, 'arm64');
      assert.is(cpuProfile, profiles[cpu]);
      assert.equal(Object.keys(probabilities), Object.keys(reference.recordings));
      let detectorOff = 0;
      for (const [name, expected] of Object.entries(reference.recordings)) {
        const difference = largestDifference(probabilities[name] ?? [], expected);
        assert.ok(difference <= 5e-5, `${name}: off by ${difference}`);
        detectorOff = Math.max(detectorOff, difference);
      }
      assert.is(heard.length, compiledDirs.length);
      const modelOff = heard.map((utterances) => {
        assert.equal(
          utterances.map(({ tokens }) => tokens),
          golden.map(({ tokens }) => tokens),
        );
        return largestDifference(
          utterances.map(({ avgLogProb }) => avgLogProb),
          golden.map(({ avgLogProb }) => avgLogProb),
        );
      });
      const [int8Off = Number.NaN, int4Off = Number.NaN] = modelOff;
      process.stdout.write(
        `${cpu}: detector off by ${detectorOff.toExponential(1)}, log probabilities by ` +
          `${int8Off.toFixed(4)} (int8) and ${int4Off.toFixed(4)} (decoder int4)\n`,
      );
      assert.ok(int8Off < 0.05, `int8: off by ${int8Off}`);
      assert.ok(int4Off < 0.1, `decoder int4: off by ${int4Off}`);
    });
  }
  return checks;
}

function whyNot(): string | undefined {
  try {
    const problem = cannotEmulate();
    if (problem === undefined) prepareMachine();
    return problem;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

async function passes({ name, run }: Check): Promise<boolean> {
  try {
    await run();
    process.stdout.write(`ok   ${name}\n`);
    return true;
  } catch (thrown) {
    process.stdout.write(`FAIL ${name}\n${(thrown as Error).stack}\n`);
    return false;
  }
}

const problem = whyNot();
if (problem === undefined) {
  const words = process.argv.slice(2);
  const checks = checksOf(unpack()).filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  );
  if (checks.length === 0) throw new Error(`no check has ${words.join(' or ')} in its name`);
  let failures = 0;
  for (const check of checks) if (!(await passes(check))) failures++;
  process.exitCode = failures === 0 ? 0 : 1;
} else announceSkip('arm64, emulated', problem);
