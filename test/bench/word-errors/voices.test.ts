import { readdirSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { household } from '../../fixtures/demo.ts';
import { temporaryDir } from '../../graph-files.ts';
import { powerOf } from './noise.ts';
import { framed, readSound, say, silenceSamples, type Voice, versionOf } from './voices.ts';

const voices = suite('voices');

/** An engine that says the same whatever it is told: it copies `recording`. */
const copying = (recording: string): Voice => ({
  engine: { name: 'cp', from: 'coreutils', say: (_voice, _text, _pace, file) => [recording, file] },
  voice: 'one',
  heardInTraining: false,
});

voices('silence of the engine goes, ours comes, and the level is even', () => {
  const spoken = Float32Array.from({ length: 8000 }, (_, i) => 0.05 * Math.cos(i / 5));
  const sound = new Float32Array(20_000);
  sound.set(spoken, 7000);
  // less than a hundredth of the loudest: not yet speech
  sound.fill(0.0004, 6000, 7000);
  const whole = framed(sound);
  assert.ok(Math.abs(whole.length - (8000 + 2 * silenceSamples)) < 20, `${whole.length}`);
  assert.ok(whole.subarray(0, silenceSamples).every((x) => x === 0));
  assert.ok(whole.subarray(-silenceSamples).every((x) => x === 0));
  const levelDbfs = 10 * Math.log10(powerOf(whole.subarray(silenceSamples, -silenceSamples)));
  assert.ok(Math.abs(levelDbfs + 23) < 0.1, `${levelDbfs}`);
});

voices('what was said once is kept, whole, and taken from there', async () => {
  const dir = path.join(temporaryDir(), 'not', 'there');
  const first = await say('one', copying(household), '1.0', 1, dir);
  assert.equal([...first.samples], [...framed(await readSound(household))]);
  assert.is(readdirSync(dir).length, 1);
  // the engine would fail
  const again = await say('one', copying('/no/such/recording.wav'), '1.0', 1, dir);
  assert.is(again.samples.length, first.samples.length);
  for (const [text, version, seed] of [
    ['two', '1.0', 1],
    ['one', '1.1', 1],
    ['one', '1.0', 2],
  ] as const) {
    await say(text, copying(household), version, seed, dir);
  }
  assert.is(readdirSync(dir).length, 4);
  assert.ok(readdirSync(dir).every((file) => file.endsWith('.wav')));
});

voices('an engine that fails leaves nothing that could be taken for speech', async () => {
  const dir = temporaryDir();
  let failed = false;
  await say('one', copying('/no/such/recording.wav'), '1.0', 1, dir).catch(() => {
    failed = true;
  });
  assert.ok(failed);
  assert.equal(readdirSync(dir), []);
});

voices('an engine tells its version, or that it is not there', () => {
  const named = (name: string) => versionOf({ name, from: '', say: () => [] });
  assert.is(named('no-such-engine'), undefined);
  assert.match(named('node') ?? '', /^\d+\.\d+/);
});

voices.run();
