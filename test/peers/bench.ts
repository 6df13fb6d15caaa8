/**
 * npm run bench:peers: harkd beside others who run Whisper, on the same work. Packages of others are installed under
 * .cache/peers, and only with --install; whisper.cpp is measured if whisper-cli is on the PATH.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import yargs from 'yargs';
import { readLoad, readSurroundings } from '../../daemon/bench/surroundings.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { householdSamples } from '../fixtures/demo.ts';
import { publishedShapes } from '../fixtures/random-whisper.ts';
import { cacheDir, type ShapeName, workDirOf, writeCheckpointOf } from './checkpoint.ts';
import { measure } from './measured.ts';
import type { PeerFiles } from './peer.ts';
import { entries, packages, packageVersion } from './peers.ts';
import { pictureOf } from './picture.ts';
import { type Report, renderReport, type ShapeResult } from './report.ts';
import { findWhisperCpp, whisperCppVersion } from './whisper-cpp.ts';

const root = packageDir;
const soundSeconds = 5;
const sampleRateHz = 16_000;

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

function has(program: string): boolean {
  try {
    execFileSync('which', [program]);
    return true;
  } catch {
    return false;
  }
}

/** onnxruntime-node's script would download what only graphics cards need. */
function install(): void {
  mkdirSync(cacheDir, { recursive: true });
  const manifest = path.join(cacheDir, 'package.json');
  writeFileSync(manifest, JSON.stringify({ private: true }));
  for (const [name, version] of Object.entries(packages)) {
    if (packageVersion(cacheDir, name) === version) continue;
    say(`installing ${name} ${version} into ${cacheDir}`);
    try {
      execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${version}`], {
        cwd: cacheDir,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    } catch (thrown) {
      say(`could not install ${name}: ${(thrown as Error).message}`);
    }
  }
}

/** Why there will be no row for what needs it; undefined if it is there. */
function reasonToSkip(needs: string | undefined): string | undefined {
  if (needs === undefined) return undefined;
  if (needs === 'whisper-cli') {
    return findWhisperCpp() === undefined
      ? 'whisper-cli is not on the PATH; build whisper.cpp and put build/bin there'
      : undefined;
  }
  const wanted = packages[needs as keyof typeof packages];
  const got = packageVersion(cacheDir, needs);
  return got === wanted ? undefined : `${needs} ${wanted} is not installed; run with --install`;
}

const argv = await yargs(process.argv.slice(2))
  .scriptName('npm run bench:peers --')
  .option('shape', {
    array: true,
    choices: Object.keys(publishedShapes) as ShapeName[],
    default: ['tiny.en', 'distil-small.en'] as ShapeName[],
    describe: 'published shapes to measure at',
  })
  .option('peers', { type: 'string', default: '', describe: 'only those whose name matches this expression' })
  .option('install', { type: 'boolean', default: false, describe: 'install the packages of others first' })
  .option('processes', { type: 'number', default: 2, describe: 'processes of each peer' })
  .option('rounds', { type: 'number', default: 4, describe: 'utterances in each process' })
  .option('warm-ups', { type: 'number', default: 1, describe: 'utterances before, not counted' })
  .option('core', { type: 'number', default: 0, describe: 'core everybody is pinned to' })
  .option('out', {
    type: 'string',
    default: path.join(root, 'docs/bench'),
    describe: 'where the report goes',
  })
  .strict()
  .parse();

if (argv.install) install();
const chosen = entries.filter(({ name }) => new RegExp(argv.peers).test(name));
const skipped = chosen.flatMap(({ name, needs }) => {
  const reason = reasonToSkip(needs);
  return reason === undefined ? [] : [{ name, reason }];
});
for (const { name, reason } of skipped) say(`SKIPPED ${name}: ${reason}`);
const present = chosen.filter(({ name }) => !skipped.some((one) => one.name === name));
const core = has('taskset') ? argv.core : undefined;
if (core === undefined) say('taskset is missing: nobody is pinned to a core');

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
};
/** Of the code that was started: the tree may go on while it runs. */
const commit = git('describe', '--always', '--dirty');
const shortened = (_key: string, value: unknown): unknown =>
  typeof value === 'number' ? Number(value.toPrecision(6)) : value;

/** Of the demonstration. The weights say the same to any sound; its mel takes as long as any. */
const samples = householdSamples().slice(0, soundSeconds * sampleRateHz);
const threads = 1;
const at = new Date().toISOString();
const base = path.join(argv.out, `peers-${at.slice(0, 10)}`);
const given = process.argv.slice(2);
const loadBefore = readLoad();
const shapes: ShapeResult[] = [];

/** After every shape: a large one may be more than somebody waits for. */
function writeReport(): void {
  const report: Report = {
    at,
    command: ['npm run bench:peers', ...(given.length > 0 ? ['--'] : []), ...given].join(' '),
    harkd: manifest.version,
    commit,
    machine: readSurroundings(),
    core,
    threads,
    processes: argv.processes,
    rounds: argv.rounds,
    load: { before: loadBefore, after: readLoad() },
    versions: {
      'onnxruntime-node': manifest.dependencies['onnxruntime-node'] ?? '',
      'whisper.cpp': whisperCppVersion() ?? 'not on the PATH',
      ...Object.fromEntries(
        Object.keys(packages).map((name) => [name, packageVersion(cacheDir, name) ?? 'not installed']),
      ),
    },
    skipped,
    soundMs: soundSeconds * 1000,
    shapes,
  };
  mkdirSync(argv.out, { recursive: true });
  writeFileSync(`${base}.json`, `${JSON.stringify(report, shortened, 1)}\n`);
  writeFileSync(`${base}.svg`, pictureOf(report));
  writeFileSync(`${base}.md`, renderReport(report, `${path.basename(base)}.svg`));
}

for (const shape of argv.shape) {
  const workDir = workDirOf(shape);
  const files: PeerFiles = { modelDir: writeCheckpointOf(shape), workDir, packagesDir: cacheDir, threads };
  for (const entry of present) {
    say(`${shape}: files of ${entry.name}`);
    await entry.prepare(files);
  }
  const peers = await measure(present, {
    files,
    samples,
    processes: argv.processes,
    warmUps: argv['warm-ups'],
    rounds: argv.rounds,
    core,
    onProgress: (doing) => say(`${shape}: ${doing}`),
  });
  shapes.push({ shape, peers });
  writeReport();
}
process.stdout.write(readFileSync(`${base}.md`, 'utf8'));
say(`written to ${base}.md and .json`);
