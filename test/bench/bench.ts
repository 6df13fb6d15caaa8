/**
 * `npm run bench`: every figure that was promised, measured on this machine, written to docs/bench.
 *   node dist/test/bench/bench.js [--rounds 20] [--starts 10] [--idle-s 20] [--threads 1,2] [--out docs/bench]
 *   node dist/test/bench/bench.js --render docs/bench/….json      page and picture again, from what was measured
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readLoad, readSurroundings, type Surroundings } from '../../daemon/bench/surroundings.ts';
import { figure, renderText } from '../../daemon/bench/table.ts';
import { cleanEnvironment, packageDir } from '../fixtures/daemon.ts';
import { chartOf } from './chart.ts';
import type { GraphFigures } from './graphs.ts';
import { measureLiving, measureStarts } from './living.ts';
import { renderReport } from './report.ts';
import { goals, isMet, type Results, type ThreadResults } from './results.ts';

const usage = `npm run bench [-- OPTIONS]: every figure that was promised, measured on this machine, written to docs/bench

  --rounds 20       utterances that are timed
  --starts 10       starts of the daemon
  --idle-s 20       seconds of silence that the detector is watched for
  --threads 1,2     of the recognizer
  --out docs/bench  folder for report, picture and figures
  --render FILE     page and picture again, of what was measured (docs/bench/….json)

It takes some minutes. Close what else runs: figures of a busy machine are long.
example: npm run bench -- --threads 4 --out /tmp/bench
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '20' },
    starts: { type: 'string', default: '10' },
    'idle-s': { type: 'string', default: '20' },
    threads: { type: 'string', default: '1,2' },
    out: { type: 'string', default: 'docs/bench' },
    render: { type: 'string' },
  },
});

if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const loads: number[] = [];
const noteLoad = (): number => {
  const load = readLoad();
  loads.push(load);
  return load;
};

/** The last core: interrupts and whatever else is started tend to the first. */
function pinTo(machine: Surroundings): number | undefined {
  const core = machine.cores - 1;
  return spawnSync('taskset', ['-c', String(core), 'true']).status === 0 ? core : undefined;
}

function measureGraphs(threads: number, rounds: number, pinnedTo: number | undefined): GraphFigures {
  const program = [path.join(import.meta.dirname, 'graphs.js'), String(threads), String(rounds)];
  const pinned = threads === 1 && pinnedTo !== undefined;
  const [file, args] = pinned
    ? ['taskset', ['-c', String(pinnedTo), process.execPath, ...program]]
    : [process.execPath, program];
  const env = cleanEnvironment({ ORT_DISABLE_TELEMETRY: '1' });
  const output = execFileSync(file, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(output) as GraphFigures;
}

function commitOf(): string | undefined {
  const git = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: packageDir, encoding: 'utf8' });
  return git.status === 0 ? git.stdout.trim() : undefined;
}

async function measure(): Promise<Results> {
  const [rounds, starts, idleS] = [Number(values.rounds), Number(values.starts), Number(values['idle-s'])];
  const machine = readSurroundings();
  const pinnedTo = pinTo(machine);
  const before = noteLoad();
  const results: ThreadResults[] = [];
  for (const threads of values.threads.split(',').map(Number)) {
    say(`${threads} thread${threads === 1 ? '' : 's'}: graphs …`);
    const graphs = measureGraphs(threads, rounds, pinnedTo);
    noteLoad();
    say('  the living daemon …');
    // quiet costs the same with any number of threads: they sleep
    const living = await measureLiving({
      threads,
      rounds,
      idleS: results.length === 0 ? idleS : 0,
      eager: true,
    });
    const { latency: notAhead } = await measureLiving({ threads, rounds, idleS: 0, eager: false });
    noteLoad();
    say('  starts …');
    results.push({ threads, graphs, living, notAhead, starts: await measureStarts(threads, starts) });
    noteLoad();
  }
  const { version } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  const given = process.argv.slice(2);
  return {
    harkd: version,
    at: new Date().toISOString(),
    commit: commitOf(),
    command: `npm run bench${given.length === 0 ? '' : ` -- ${given.join(' ')}`}`,
    machine,
    load: { before, least: Math.min(...loads), most: Math.max(...loads) },
    pinnedTo,
    niceness: os.getPriority(),
    rounds,
    starts,
    threads: results,
  };
}

const nameOf = ({ at, machine }: Results): string => {
  const machineName = (machine.board ?? machine.cpu)
    .toLowerCase()
    .replaceAll(/\((r|tm)\)/g, '')
    .replaceAll(/\b(cpu|processor)\b/g, '')
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return `${at.slice(0, 10)}-${machineName}`;
};

function write(results: Results, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const name = nameOf(results);
  const latencyGoal = goals.find(({ what }) => what.startsWith('end of speech'))?.goal ?? 0;
  // six digits: what comes after them is noise
  const shortened = (_key: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify(results, shortened, 1)}\n`);
  writeFileSync(path.join(folder, `${name}.md`), renderReport(results, `${name}.svg`, `${name}.json`));
  writeFileSync(path.join(folder, `${name}.svg`), chartOf(results, latencyGoal));
  // what is kept is formatted like everything else that is kept
  const files = ['json', 'md'].map((suffix) => path.join(folder, `${name}.${suffix}`));
  spawnSync(path.join(packageDir, 'node_modules/.bin/biome'), ['format', '--write', ...files]);
  say(`written: ${path.join(folder, name)}.md, .json, .svg`);
}

const results =
  values.render === undefined
    ? await measure()
    : (JSON.parse(readFileSync(values.render, 'utf8')) as Results);
write(results, values.render === undefined ? values.out : path.dirname(values.render));
process.stdout.write(
  renderText(
    [
      'figure',
      'goal',
      ...results.threads.map(({ threads }) => `${threads} thread${threads === 1 ? '' : 's'}`),
      '',
    ],
    goals.map((goal) => {
      const found = results.threads.map(goal.of);
      const met = found.every((value) => isMet(goal, value));
      return [
        goal.what,
        `${goal.atLeast ? '>=' : '<='} ${goal.goal} ${goal.unit}`.trimEnd(),
        ...found.map((value) => figure(value)),
        met ? 'met' : 'MISSED',
      ];
    }),
  ),
);
