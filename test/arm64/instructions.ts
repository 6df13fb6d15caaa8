/**
 * `npm run bench:arm64`: how many instructions recognising takes on processors of boards, counted under emulation. What
 * makes the figures, and what they say, is in docs/bench/arm64.md; results go to docs/bench/arm64-<date>.md and .json.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import yargs from 'yargs';
import { commandMs } from '../../daemon/bench/command.ts';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { compile } from '../../models/compiler/compile.ts';
import type { WeightOptions } from '../../models/compiler/matrix.ts';
import { buildPlainDecoder, buildPlainEncoder } from '../../models/compiler/plain.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { publishedShapes } from '../fixtures/random-whisper.ts';
import { embeddedModelDir } from '../golden.ts';
import { temporaryDir, writeGraph } from '../graph-files.ts';
import { writeCheckpoint } from '../peers/checkpoint.ts';
import { announceSkip } from '../skip.ts';
import type { Job } from './counted.ts';
import {
  buildCountingQemu,
  cannotCount,
  compilePlugin,
  countingQemuVersion,
  countOn,
} from './counting-machine.ts';
import { joinReports, type ModelCounts, type Report, renderReport, variants } from './instruction-report.ts';
import { writeLogMel } from './log-mel.ts';
import { type Cpu, cannotEmulate, cpus, prepareMachine } from './machine.ts';
import type { Rate, Rates } from './marks.ts';

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const modelNames = ['embedded', 'tiny.en'] as const;
type ModelName = (typeof modelNames)[number];

/** Where the model is; a published shape gets random weights that say the same twenty tokens to any sound. */
function modelDirOf(name: ModelName): string {
  if (name === 'embedded') return embeddedModelDir;
  const dir = path.join(temporaryDir(), name);
  mkdirSync(dir);
  writeCheckpoint(dir, publishedShapes[name]);
  return dir;
}

function writePlain(modelDir: string): string {
  const dir = temporaryDir();
  const arch = readArchitecture(modelDir);
  writeGraph(dir, 'encoder', 'encoder.bin', buildPlainEncoder(arch, 'encoder.bin'));
  writeGraph(dir, 'first', 'first.bin', buildPlainDecoder(arch, 'first.bin'));
  writeGraph(dir, 'next', 'next.bin', buildPlainDecoder(arch, 'next.bin', { past: true }));
  return dir;
}

type Files = { readonly modelDir: string; readonly jobs: readonly Job[]; readonly float32: () => Job[] };

/** What is counted of a model on every processor, and what on one. */
function prepareModel(name: ModelName, withPlain: boolean): Files {
  const modelDir = modelDirOf(name);
  const dir = temporaryDir();
  const compileTo = (variant: string, weights: WeightOptions) =>
    compile(modelDir, path.join(dir, variant), weights).model.dir;
  const jobs = Object.entries(variants).map(([variant, weights]): Job => {
    // the second round is without what V8 does once
    return { kind: 'compiled', name: variant, dir: compileTo(variant, weights), rounds: 2 };
  });
  const graph = writeLogMel(modelDir, temporaryDir());
  return {
    modelDir,
    jobs: [{ kind: 'log-mel', name: 'log-mel', graph }, ...jobs],
    float32: () => [
      {
        kind: 'compiled',
        name: 'fp32',
        dir: compileTo('fp32', { weights: 'fp32', exceptions: {} }),
        rounds: 1,
      },
      ...(withPlain ? [{ kind: 'plain', name: 'plain', modelDir, dir: writePlain(modelDir) } as const] : []),
    ],
  };
}

const defaults = { models: [...modelNames], cpus: [...cpus], plain: ['embedded'] as ModelName[] };

const argv = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:arm64 --')
  .option('build', {
    type: 'boolean',
    default: false,
    describe: 'build QEMU with plugins if it is not there',
  })
  .option('models', { array: true, choices: modelNames, default: defaults.models })
  .option('cpus', { array: true, choices: cpus, default: defaults.cpus })
  .option('plain', {
    array: true,
    choices: modelNames,
    default: defaults.plain,
    describe: 'models counted in graphs of 30 s as well: minutes for embedded, half an hour for tiny.en',
  })
  .option('add', {
    type: 'boolean',
    default: false,
    describe: 'to the report of today, for what takes too long in one go',
  })
  .option('out', {
    type: 'string',
    default: path.join(packageDir, 'docs/bench'),
    describe: 'where the report goes',
  })
  .strict()
  .parse();

function prepare(): string | undefined {
  try {
    const problem = cannotEmulate() ?? cannotCount(argv.build);
    if (problem !== undefined) return problem;
    prepareMachine();
    buildCountingQemu();
    return undefined;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

function bench(): void {
  const { version, dependencies } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
  /** What decides the figures. */
  const asked = (['models', 'cpus', 'plain'] as const)
    .filter((name) => `${argv[name]}` !== `${defaults[name]}`)
    .flatMap((name) => [`--${name}`, ...argv[name]]);
  const plugin = compilePlugin();
  const at = new Date().toISOString();
  /** Of the code that was started: the tree may go on while it runs. */
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], {
    cwd: packageDir,
    encoding: 'utf8',
  }).trim();
  const base = path.join(argv.out, `arm64-${at.slice(0, 10)}`);
  const earlier: Report | undefined =
    argv.add && existsSync(`${base}.json`) ? JSON.parse(readFileSync(`${base}.json`, 'utf8')) : undefined;
  const detector: Partial<Record<Cpu, Rate>> = {};
  const models: ModelCounts[] = [];
  /** After every step: all of it takes a quarter of an hour, and more on a busy machine. */
  function write(): void {
    const command = ['npm run bench:arm64', ...(asked.length > 0 ? ['--'] : []), ...asked].join(' ');
    const counted: Report = {
      parts: [{ at, command, commit }],
      harkd: version,
      qemu: countingQemuVersion(),
      onnxruntime: dependencies['onnxruntime-node'],
      soundMs: commandMs,
      detector,
      models,
    };
    const report = earlier === undefined ? counted : joinReports(earlier, counted);
    const whole = (_key: string, value: unknown) => (typeof value === 'number' ? Math.round(value) : value);
    mkdirSync(argv.out, { recursive: true });
    writeFileSync(`${base}.json`, `${JSON.stringify(report, whole, 1)}\n`);
    writeFileSync(`${base}.md`, renderReport(report));
    say(`written to ${base}.md and .json`);
  }

  const float32Jobs: (() => void)[] = [];
  for (const [index, name] of argv.models.entries()) {
    say(`${name}: compiling`);
    const { modelDir, jobs, float32 } = prepareModel(name, argv.plain.includes(name));
    const rates: Partial<Record<Cpu, Rates>> = {};
    for (const cpu of argv.cpus) {
      say(`${name} on ${cpu}`);
      const first: Job[] = index === 0 ? [{ kind: 'detector', name: 'detector' }] : [];
      const answer = countOn(cpu, plugin, [...first, ...jobs]);
      rates[cpu] = answer.rates;
      if (index === 0) detector[cpu] = answer.rates['detector frame'] as Rate;
      const { modelWidth } = readArchitecture(modelDir).shape;
      const { prompt, tokens } = answer;
      models[index] = {
        name,
        modelWidth,
        promptTokens: prompt.length,
        tokens: tokens.length,
        rates,
        float32: undefined,
      };
      write();
    }
    float32Jobs.push(() => {
      const [cpu] = argv.cpus;
      if (cpu === undefined) return;
      say(`${name} in float32 on ${cpu}`);
      const { rates } = countOn(cpu, plugin, float32());
      models[index] = { ...(models[index] as ModelCounts), float32: { cpu, rates } };
      write();
    });
  }
  // emulated one at a time: minutes
  for (const count of float32Jobs) count();
}

const problem = prepare();
if (problem === undefined) bench();
else announceSkip('instructions on arm64', problem);
