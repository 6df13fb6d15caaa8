/** `harkd bench` as a user runs it. How fast it is, is not for a test to say: other programs run meanwhile. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { harkd } from '../../fixtures/daemon.ts';

const bench = suite('bench');

type Summary = Record<'count' | 'min' | 'median' | 'p95' | 'max', number>;
type Result = Record<'loadMs' | 'answerMs' | 'encodeMs' | 'decodeMs' | 'rtf', Summary> & {
  at: string;
  text: string;
  tokens: number;
  threads: number;
  rounds: number;
  sound: unknown;
  model: object;
  provider: { active: string };
  detector: { frameMs: Summary; pacedCpuMs: Summary; silenceCpuMs: Summary; coreShare: number };
  memory: { rssMb: number; pssMb: number; anonymousMb: number };
  machine: { cpu: string; node: string };
};

bench('one round gives every figure, as JSON', async () => {
  const { code, stdout, stderr } = await harkd(['bench', '--rounds', '1', '--threads', '1', '--json']);
  assert.is(code, 0, stderr);
  assert.is(stderr, '', 'nothing but the result where nobody watches');
  const result = JSON.parse(stdout) as Result;
  assert.is(result.text, 'set the thermostat to twenty degrees');
  assert.equal(result.sound, { says: 'set the thermostat to twenty degrees', durationMs: 3000 });
  assert.ok(result.tokens >= 6);
  assert.is(result.threads, 1);
  assert.is(result.rounds, 1);
  assert.match(result.at, /^\d{4}-\d\d-\d\dT/);
  assert.equal(Object.keys(result.model), ['name', 'sha256']);
  assert.is(result.provider.active, 'cpu');
  for (const name of ['loadMs', 'answerMs', 'encodeMs', 'decodeMs', 'rtf'] as const) {
    const { count, min, median, p95, max } = result[name];
    assert.is(count, 1, name);
    assert.ok(min > 0 && min === median && median === p95 && p95 === max, name);
  }
  const { answerMs, encodeMs, decodeMs, rtf, detector, memory, machine } = result;
  assert.ok(encodeMs.median + decodeMs.median <= answerMs.median);
  assert.ok(Math.abs(rtf.median - answerMs.median / 3000) < 1e-6);
  assert.ok(detector.frameMs.count > 700, 'the recording is 23 s, a frame 32 ms');
  assert.ok(Math.abs(detector.coreShare - detector.silenceCpuMs.median / 32) < 1e-4);
  // node itself takes about 45 MB, and the pages shared with others count in part or not at all
  assert.ok(memory.rssMb > 40);
  assert.ok(memory.rssMb >= memory.pssMb && memory.rssMb >= memory.anonymousMb);
  assert.ok(machine.cpu !== '' && machine.node === process.version);
});

bench('for people there is a table that says how many rounds, on what, and what it means', async () => {
  const { code, stdout, stderr } = await harkd(['bench', '--rounds', '1', '--threads', '1']);
  assert.is(code, 0, stderr);
  assert.match(stdout, /^nano on cpu \(.*\), 1 thread; 1 round$/m);
  assert.match(stdout, /^end of speech to text +[\d.]+ +[\d.]+ +[\d.]+ {2}ms/m);
  assert.match(stdout, /^real-time factor +[\d.]+ +[\d.]+ +[\d.]+ {2}%/m);
  assert.match(stdout, /^(keeps up [\d.]+ times over|too slow for this machine|works, but)/m);
});

bench('rounds that are none, and models that are none, are refused with their codes', async () => {
  const rounds = await harkd(['bench', '--rounds', '0']);
  assert.is(rounds.code, 64);
  assert.match(rounds.stderr, /^error USAGE_INVALID: --rounds is a whole number from 1/);
  const model = await harkd(['bench', '--model', '/nonexistent']);
  assert.is(model.code, 78);
  assert.match(model.stderr, /^error MODEL_MISSING/);
});

bench.run();
