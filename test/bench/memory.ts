/**
 * `npm run bench:memory`: resident memory of the recognizer process, loaded and at work, with a model of a published
 * shape and with the embedded one. Writes docs/bench/memory-<date>.md and .json. `-- --help` has the options.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import yargs from 'yargs';
import { readLoad, readSurroundings } from '../../daemon/bench/surroundings.ts';
import type { RecognizerSetup } from '../../daemon/recognizer/messages.ts';
import { compile } from '../../models/compiler/compile.ts';
import { cpuProfile } from '../../providers/cpu.ts';
import { cleanEnvironment, embeddedSetup, packageDir } from '../fixtures/daemon.ts';
import { householdSamples } from '../fixtures/demo.ts';
import { publishedShapes } from '../fixtures/random-whisper.ts';
import { type ShapeName, script, workDirOf, writeCheckpointOf } from '../peers/checkpoint.ts';
import { drawLengths, measureProcess, type ProcessMemory } from './memory/measured.ts';
import { type Report, renderReport, type Work } from './memory/report.ts';

type ModelName = ShapeName | 'embedded';

/** What the checkpoints of the peers say is written for models of English. */
const modelNames = [
  'embedded',
  ...Object.keys(publishedShapes).filter((shape) => shape.endsWith('.en')),
] as ModelName[];

const whole = (name: string) => (value: number) => {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new Error(`--${name} ${value}: expected a whole number of at least 1`);
};

const argv = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:memory --')
  .usage(
    '$0 [options]\n\nMeasures how much memory the recognizer process holds, started as the daemon starts it: loaded, ' +
      'after commands of one length, at its peak, and after a mixture of lengths. Five processes of two models take ' +
      'about a minute of a core. Memory depends little on what else the machine does.',
  )
  .option('model', {
    array: true,
    choices: modelNames,
    default: ['tiny.en', 'embedded'] as ModelName[],
    describe: 'the embedded model, or random weights at the shape of a published one',
  })
  .option('processes', {
    type: 'number',
    default: 5,
    coerce: whole('processes'),
    describe: 'processes of each model for commands, and as many for the mixture',
  })
  .option('commands', {
    type: 'number',
    default: 12,
    coerce: whole('commands'),
    describe: 'utterances of 5 s in a process',
  })
  .option('mixture', {
    type: 'number',
    default: 30,
    coerce: whole('mixture'),
    describe: 'utterances of 1 to 11 s in a process; lengths and their order differ between processes',
  })
  .option('out', {
    type: 'string',
    default: path.join(packageDir, 'docs/bench'),
    describe: 'folder the page and its data go to',
  })
  .strict()
  .parse();

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const threads = embeddedSetup.threads;

type Model = {
  readonly name: ModelName;
  readonly setup: RecognizerSetup;
  /** Throws if it said what it would not say if it did what is measured. */
  readonly check: (text: string) => void;
};

function checkScript(text: string): void {
  if (text.trim() !== script) throw new Error(`said '${text}', expected '${script}': it did other work`);
}

/**
 * Compiled here where it is not yet: a process that compiles holds more than one that only loads. The graphs are what is
 * loaded, as with an installed model, whose card vouches for the checkpoint; a checkpoint without one is read and hashed.
 */
function prepare(name: ModelName): Model {
  if (name === 'embedded') return { name, setup: embeddedSetup, check: () => undefined };
  const modelDir = path.join(workDirOf(name), 'harkd');
  compile(writeCheckpointOf(name), modelDir, { profile: cpuProfile() });
  return { name, setup: { ...embeddedSetup, modelDir }, check: checkScript };
}

const git = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: packageDir, encoding: 'utf8' });
const manifest = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};
const given = process.argv.slice(2);
const at = new Date().toISOString();
const before = readLoad();
const work = {
  commands: { utterances: argv.commands, lengthS: 5 },
  mixture: { utterances: argv.mixture, lengthS: [1, 11] },
} as const satisfies Record<string, Work>;
const kinds = ['commands', 'mixture'] as const;

say('models are written and compiled where they are not yet');
const models = [...new Set(argv.model)].map(prepare);
const sound = householdSamples();
const environment = cleanEnvironment();
const measured = models.map(({ name }) => ({
  model: name,
  commands: [] as ProcessMemory[],
  mixture: [] as ProcessMemory[],
}));
for (let process = 1; process <= argv.processes; process++) {
  for (const [i, { name, setup, check }] of models.entries()) {
    for (const kind of kinds) {
      const { utterances, lengthS } = work[kind];
      say(`process ${process} of ${argv.processes}: ${name}, ${kind}`);
      const lengths = drawLengths(utterances, lengthS, process);
      measured[i]?.[kind].push(await measureProcess(setup, environment, sound, lengths, process, check));
    }
  }
}

const report: Report = {
  at,
  command: ['npm run bench:memory', ...(given.length === 0 ? [] : ['--']), ...given].join(' '),
  harkd: manifest.version,
  commit: git.status === 0 ? git.stdout.trim() : undefined,
  onnxruntime: manifest.dependencies['onnxruntime-node'] ?? '',
  machine: readSurroundings(),
  load: { before, after: readLoad() },
  threads,
  processes: argv.processes,
  ...work,
  models: measured,
};
const base = path.join(argv.out, `memory-${at.slice(0, 10)}`);
// six digits: what comes after them is noise
const shortened = (_key: string, value: unknown): unknown =>
  typeof value === 'number' ? Number(value.toPrecision(6)) : value;
mkdirSync(argv.out, { recursive: true });
writeFileSync(`${base}.json`, `${JSON.stringify(report, shortened, 1)}\n`);
const page = renderReport(report, `${path.basename(base)}.json`);
writeFileSync(`${base}.md`, page);
process.stdout.write(page);
say(`written: ${base}.md and .json`);
