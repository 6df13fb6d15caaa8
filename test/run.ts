/**
 * Runs every test program under dist/test, each in its own process, some at a time.
 *
 *   node dist/test/run.js              all of *.test.js
 *   node dist/test/run.js daemon/wav   only those whose path contains one of the words
 *
 * A program passes if it exits 0 *and* uvu reports at least one test: a file that forgets `.run()` fails here.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

const testDir = import.meta.dirname;
/** No test program may take longer; the slowest takes well under a minute on two cores. */
const deadlineMs = 240_000;
/** One more than two cores have hands for: what speaks at the pace of a microphone mostly waits. */
const workers = Math.min(2, availableParallelism()) + 1;

type Outcome = {
  readonly file: string;
  readonly ok: boolean;
  readonly passed: number;
  readonly total: number;
  readonly skips: readonly string[];
  readonly output: string;
  readonly durationMs: number;
};

function discover(words: readonly string[]): string[] {
  return readdirSync(testDir, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js'))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort();
}

function runOne(file: string): Promise<Outcome> {
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path.join(testDir, file)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
      detached: true,
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    const timer = setTimeout(() => {
      output += `\nstill running after ${deadlineMs} ms: killed\n`;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, deadlineMs);
    child.on('close', (code) => {
      clearTimeout(timer);
      let total = 0;
      let passed = 0;
      for (const [, n] of output.matchAll(/^\s*Total:\s+(\d+)/gm)) total += Number(n);
      for (const [, n] of output.matchAll(/^\s*Passed:\s+(\d+)/gm)) passed += Number(n);
      const skips = [...output.matchAll(/^SKIPPED .*$/gm)].map((match) => match[0]);
      // a suite in which every test was announced as skipped has nothing to count, but must have said so
      const ok = code === 0 && (total > 0 || skips.length > 0);
      if (code === 0 && !ok) output += '\nno uvu suite ran: is `.run()` missing?\n';
      resolve({ file, ok, passed, total, skips, output, durationMs: performance.now() - startedAtMs });
    });
  });
}

const files = discover(process.argv.slice(2));
const outcomes: Outcome[] = [];
let next = 0;
async function worker(): Promise<void> {
  for (let file = files[next++]; file !== undefined; file = files[next++]) {
    const outcome = await runOne(file);
    outcomes.push(outcome);
    const seconds = (outcome.durationMs / 1000).toFixed(1);
    process.stdout.write(
      `${outcome.ok ? 'ok  ' : 'FAIL'} ${file} ${outcome.passed}/${outcome.total} ${seconds} s\n`,
    );
    if (!outcome.ok) process.stdout.write(`${outcome.output}\n`);
  }
}
await Promise.all(Array.from({ length: workers }, worker));

const failedFiles = outcomes.filter((outcome) => !outcome.ok);
const skips = outcomes.flatMap((outcome) => outcome.skips);
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const failed = outcomes.reduce((sum, outcome) => sum + (outcome.total - outcome.passed), 0);
for (const skip of skips) process.stdout.write(`${skip}\n`);
for (const { file } of failedFiles) process.stdout.write(`failed: ${file}\n`);
if (files.length === 0) process.stdout.write('no test file found\n');
// a program that crashed outside uvu's count is still one failure
const failures = Math.max(failed, failedFiles.length);
process.stdout.write(`${passed} passed, ${failures} failed, ${skips.length} skipped\n`);
process.exitCode = failures === 0 && files.length > 0 ? 0 : 1;
