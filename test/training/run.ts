/**
 * `npm run test:training`: the linter and the tests of models/training, in an environment of their own in .cache/training, which is
 * made the first time (PyTorch is 200 MB without CUDA). Arguments go to pytest. What is missing here is named, and
 * skipped: Python is needed for nothing else.
 *
 *   npm run test:training -- tests/test_quantise.py
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { announceSkip } from '../skip.ts';

const repositoryDir = path.join(import.meta.dirname, '../../..');
const trainingDir = path.join(repositoryDir, 'models/training');
const environmentDir = path.join(repositoryDir, '.cache/training');
const wanted = path.join(trainingDir, 'requirements.txt');
/** A copy of what was installed. */
const installed = path.join(environmentDir, 'requirements.txt');
const python = path.join(environmentDir, 'bin/python');

const succeeds = (program: string, args: readonly string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;

const recentEnough = 'import sys; sys.exit(sys.version_info < (3, 11))';

/** Makes the environment, or brings it up to date; answers what is in the way. */
function prepare(): string | undefined {
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(wanted, 'utf8'))
    return undefined;
  if (!existsSync(python)) {
    const base = ['python3', 'python3.13', 'python3.12', 'python3.11'].find((name) =>
      succeeds(name, ['-c', recentEnough]),
    );
    if (base === undefined) return 'no Python of 3.11 or later: apt install python3';
    mkdirSync(path.dirname(environmentDir), { recursive: true });
    if (!succeeds(base, ['-m', 'venv', environmentDir])) {
      return `${base} makes no environments: apt install python3-venv python3-pip`;
    }
  }
  const install = spawnSync(python, ['-m', 'pip', 'install', '--quiet', '-r', wanted], { encoding: 'utf8' });
  if (install.status !== 0) return `pip could not install ${wanted}:\n${install.stderr.trim()}`;
  copyFileSync(wanted, installed);
  return undefined;
}

const missing = prepare();
if (missing === undefined) {
  const asked = process.argv.slice(2);
  // -rs: what a test skips for want of a speech engine is named at the end
  const args = ['-m', 'pytest', '-rs', ...(asked.length === 0 ? ['tests'] : asked)];
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const run = (args: readonly string[]) =>
    spawnSync(python, args, { cwd: trainingDir, stdio: 'inherit', env }).status ?? 1;
  process.exitCode =
    run(['-m', 'ruff', 'check', '--quiet']) || run(['-m', 'ruff', 'format', '--check', '--quiet']);
  process.exitCode ||= run(args);
} else {
  announceSkip('the tests of models/training', missing);
}
