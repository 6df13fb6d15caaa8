/** `harkd transcribe --output`, interrupted and run again. */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cleanEnvironment, harkd, mainProgram } from '../fixtures/daemon.ts';
import { mistakesIn, readSrt, writeLongRecording } from '../fixtures/long-recording.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'harkd-resume-'));
const wav = path.join(folder, 'talk.wav');
const recording = writeLongRecording(wav, 150_000);
const output = path.join(folder, 'talk.srt');
const journal = `${output}.partial`;
/** One process: what matters here is not how fast it is. */
const command = ['transcribe', '--threads', '1', '--format', 'srt', '--output', output, wav];

const linesOf = (file: string): number =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;

/** Runs the command until its journal has `lines` lines, then sends the signal. Answers the exit code, and stderr. */
function interrupt(lines: number, signal: NodeJS.Signals): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [mainProgram, ...command], {
      env: cleanEnvironment({ HOME: '/nonexistent' }),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let sent = false;
    const timer = setInterval(() => {
      if (sent || linesOf(journal) < lines) return;
      sent = true;
      child.kill(signal);
    }, 2);
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('close', (code) => {
      clearInterval(timer);
      if (sent) resolve({ code, stderr });
      else reject(new Error(`it ended before it had ${lines} lines: ${stderr}`));
    });
  });
}

const test = suite('transcribe, interrupted');
test.after(() => rmSync(folder, { recursive: true }));

let whole = '';
test('uninterrupted: every sentence of minutes, where it was spoken', async () => {
  const { code, stdout, stderr } = await harkd(command);
  assert.is(code, 0, stderr);
  assert.is(stdout, '');
  whole = readFileSync(output, 'utf8');
  assert.ok(recording.spoken.length > 40);
  assert.equal(mistakesIn(readSrt(whole), recording), []);
  assert.not.ok(existsSync(journal), 'nothing is left beside it');
});

test('killed in the middle, the same command goes on to the same output', async () => {
  rmSync(output);
  await interrupt(12, 'SIGKILL');
  assert.not.ok(existsSync(output), 'there is no output before it is whole');
  const kept = linesOf(journal) - 1;
  assert.ok(kept >= 11 && kept < recording.spoken.length, `${kept} segments kept`);
  // what it kept is what it goes by: a mark in there comes out at the end
  copyFileSync(journal, `${journal}.copy`);
  const marked = readFileSync(journal, 'utf8').replace('turn on the kitchen lights', 'KEPT FROM BEFORE');
  writeFileSync(journal, marked);
  const resumed = await harkd(command);
  assert.is(resumed.code, 0, resumed.stderr);
  assert.is(readFileSync(output, 'utf8'), whole.replace('turn on the kitchen lights', 'KEPT FROM BEFORE'));
  assert.not.ok(existsSync(journal));

  // and cut off by a power loss, with nothing marked
  rmSync(output);
  writeFileSync(journal, readFileSync(`${journal}.copy`).subarray(0, -20));
  const again = await harkd(command);
  assert.is(again.code, 0, again.stderr);
  assert.is(again.stderr, '');
  assert.is(readFileSync(output, 'utf8'), whole);
});

test('Ctrl-C says how to go on; a changed option or recording starts over, and says so', async () => {
  rmSync(output);
  const { code, stderr } = await interrupt(5, 'SIGINT');
  assert.is(code, 130, stderr);
  assert.match(
    stderr,
    /^error INTERRUPTED: interrupted at 0:\d\d of .*\nhint: run the same command again to go on/,
  );
  const marked = readFileSync(journal, 'utf8').replace('turn on the kitchen lights', 'KEPT FROM BEFORE');
  writeFileSync(journal, marked);
  utimesSync(wav, 1, 1);
  const other = await harkd([...command, '--language', 'en']);
  assert.is(other.code, 0, other.stderr);
  assert.match(other.stderr, /^warning: .*talk\.wav: starting over: time of the file, language changed\n$/);
  assert.is(readFileSync(output, 'utf8'), whole);
});

test.run();
