/** The record of a whole daemon on the embedded model: over HTTP and on the command line it holds what was said. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Transcript } from '../../daemon/events.ts';
import { harkd, type RunningDaemon, startDaemon } from '../fixtures/daemon.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { household, sentencesOf } from '../fixtures/demo.ts';
import { ask } from '../fixtures/http.ts';
import { cannotMount, tinyDisk } from '../fixtures/outbox.ts';
import { announceSkip } from '../skip.ts';

const spoken = sentencesOf('household.wav').map(({ text }) => text);

type World = { stateDir: string; environment: NodeJS.ProcessEnv; running: RunningDaemon[] };
const test = suite<World>('the record of a daemon');

test.before.each((world) => {
  world.stateDir = mkdtempSync(path.join(tmpdir(), 'harkd-state-'));
  world.environment = { HARKD_STATE_DIR: world.stateDir, HARKD_RECORD_ENABLED: 'true' };
  world.running = [];
});
test.after.each(async ({ stateDir, running }) => {
  for (const daemon of running) {
    daemon.process.kill('SIGKILL');
    await daemon.exited;
  }
  rmSync(stateDir, { recursive: true, force: true });
});

/** Hears `sentences` of the recording at once, and stays. */
async function hear(world: World, sentences: number, environment: NodeJS.ProcessEnv = {}) {
  const daemon = startDaemon(['--source', `file:${household}`, '--pace', 'fast', '--http', '127.0.0.1:0'], {
    ...world.environment,
    ...environment,
  });
  world.running.push(daemon);
  const { url } = await daemon.logged('the web page', ({ msg }) => msg.startsWith('web page on'));
  await daemon.logged('a sentence', ({ msg }) => msg.startsWith(`transcript ${sentences} says`));
  return { daemon, port: Number(new URL(String(url)).port) };
}

const transcriptsOf = (json: string): string[] => (JSON.parse(json) as Transcript[]).map(({ text }) => text);
/** The words of subtitles, without their numbers and times. */
const wordsOf = (subtitles: string): string[] => subtitles.split('\n').filter((line) => /[a-z]/.test(line));

test('over HTTP and on the command line, while it runs and after kill -9', async (world) => {
  const { daemon, port } = await hear(world, spoken.length);
  await eventually('all kept', async () => {
    const { text } = await ask(port, '/transcripts.json');
    return transcriptsOf(text).length === spoken.length;
  });
  const whole = (await ask(port, '/transcripts.json')).text;
  assert.equal(transcriptsOf(whole), spoken);
  assert.equal(transcriptsOf((await ask(port, '/transcripts.json?limit=2')).text), spoken.slice(-2));
  assert.equal(transcriptsOf((await ask(port, '/transcripts.json?until=-1h')).text), []);
  assert.equal(wordsOf((await ask(port, '/transcripts.srt')).text), spoken);
  assert.equal(wordsOf((await ask(port, '/transcripts.vtt?since=-1h')).text), spoken);
  const bad = await ask(port, '/transcripts.json?since=soon');
  assert.is(bad.status, 400);
  assert.match(bad.text, /since is/);
  const json = await harkd(['transcripts', '--json'], world.environment);
  assert.equal(json, { code: 0, stdout: whole, stderr: '' });

  daemon.process.kill('SIGKILL');
  await daemon.exited;
  const srt = await harkd(['transcripts', '--since', '-1h', '--format', 'srt'], world.environment);
  assert.is(srt.code, 0, srt.stderr);
  assert.equal(wordsOf(srt.stdout), spoken);
  assert.equal(readdirSync(world.stateDir), ['record']);
});

test('off unless it is asked for: nothing is kept, the page says so, and so does the log of what is left', async (world) => {
  const before = path.join(world.stateDir, 'record', '0000000001-2026-11-22.jsonl');
  mkdirSync(path.dirname(before));
  writeFileSync(before, '');
  const { daemon, port } = await hear(world, 1, { HARKD_RECORD_ENABLED: '' });
  const { status, text } = await ask(port, '/transcripts.json');
  assert.is(status, 404);
  assert.match(text, /record\.enabled/);
  await daemon.logged('what is left', ({ msg }) => msg.startsWith('the record is off; what was kept before'));
  assert.is(await daemon.stop(), 0);
  assert.equal(readdirSync(path.dirname(before)), [path.basename(before)]);
  assert.is(readFileSync(before, 'utf8'), '');
});

const full = suite<World>('the record of a daemon on a full disk');

full('it hears and delivers, says what is wrong, and keeps what waited when there is room', async () => {
  const disk = tinyDisk(64);
  assert.ok(disk !== undefined, cannotMount);
  const ballast = path.join(disk.dir, 'ballast');
  try {
    writeFileSync(ballast, Buffer.alloc(1 << 20));
  } catch {
    // as much as there is room for
  }
  const running: RunningDaemon[] = [];
  try {
    const environment = { HARKD_STATE_DIR: disk.dir, HARKD_RECORD_ENABLED: 'true' };
    const { daemon, port } = await hear({ stateDir: disk.dir, environment, running }, spoken.length);
    await daemon.logged('the fault', ({ msg }) => msg.startsWith('record: DISK_FULL: no room in'));
    const { text } = await ask(port, '/healthz');
    assert.not.match(text, /"component":"record"/, 'no reason to restart it');
    assert.equal(transcriptsOf((await ask(port, '/transcripts.json')).text), []);
    rmSync(ballast);
    await daemon.logged('the recovery', ({ msg }) => msg.startsWith('record is well again'));
    assert.equal(transcriptsOf((await ask(port, '/transcripts.json')).text), spoken);
    assert.is(await daemon.stop(), 0);
  } finally {
    for (const daemon of running) daemon.process.kill('SIGKILL');
    disk.remove();
  }
});

test.run();
const probe = tinyDisk(64);
probe?.remove();
if (probe === undefined) announceSkip('the record of a daemon on a full disk', cannotMount);
else full.run();
