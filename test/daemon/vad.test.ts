import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DetectSpeech, Frame } from '../../daemon/events.ts';
import { frameSamples } from '../../daemon/events.ts';
import { Fault } from '../../daemon/faults.ts';
import { openSileroSequence, openSileroVad } from '../../daemon/vad.ts';
import { sileroSha256 } from '../../models/vad/bring.ts';
import { provider as cpu } from '../../providers/cpu.ts';
import { randomFrom } from '../random.ts';
import { announceSkip } from '../skip.ts';
import { inFrames, soundOf } from './sound.ts';

const rootDir = path.join(import.meta.dirname, '../../..');
const vadDir = path.join(rootDir, 'dist/models/vad');
const sequenceGraph = path.join(vadDir, 'silero-vad-v6-sequence.onnx');
const goldenDir = path.join(rootDir, 'test/golden');

type Reference = {
  readonly graphSha256: string;
  readonly silenceSamples: number;
  readonly recordings: Readonly<Record<string, readonly number[]>>;
};
const reference: Reference = JSON.parse(readFileSync(path.join(goldenDir, 'vad/probabilities.json'), 'utf8'));

/** A golden recording as the reference heard it: with silence after it. */
async function recording(name: string): Promise<Float32Array> {
  const sound = await soundOf(path.join(goldenDir, 'nano', name));
  const followed = new Float32Array(sound.length + reference.silenceSamples);
  followed.set(sound);
  return followed;
}

async function probabilities(detectSpeech: DetectSpeech, frames: Iterable<Frame>): Promise<number[]> {
  return Array.from(await detectSpeech([...frames]));
}

/**
 * `tolerance`: the reference was made with the published graph, which like ours is up to 2e-5 away from what 64-bit
 * arithmetic gives (measured with numpy over these recordings); the order of sums is another.
 */
function assertNear(
  got: readonly number[],
  expected: readonly number[],
  what: string,
  tolerance = 5e-5,
): void {
  assert.is(got.length, expected.length, what);
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs((got[i] ?? Number.NaN) - value);
    assert.ok(difference <= tolerance, `${what}, frame ${i}: got ${got[i]}, the reference says ${value}`);
  }
}

const test = suite('vad');
let vad: DetectSpeech;
test.before(async () => {
  vad = await openSileroVad(vadDir);
});

test('the reference was made with the graph that is compiled here', () => {
  assert.is(reference.graphSha256, sileroSha256);
  assert.ok(existsSync(path.join(vadDir, 'LICENSE')), 'its licence lies beside it');
});

test('it gives the probabilities of the reference, frame for frame', async () => {
  const names = Object.keys(reference.recordings);
  assert.is(names.length, 10);
  // each recording starts at sample 0 again: a jump, which resets the state
  for (const name of names) {
    assertNear(
      await probabilities(vad, inFrames(await recording(name))),
      reference.recordings[name] ?? [],
      name,
    );
  }
});

test('lost sound starts it afresh: what was heard before has no influence', async () => {
  const expected = reference.recordings['g1.wav'] ?? [];
  await probabilities(vad, inFrames((await recording('g2.wav')).subarray(0, 40 * frameSamples)));
  const later = [...inFrames(await recording('g1.wav'))].map((frame) => ({
    ...frame,
    startSample: frame.startSample + 41 * frameSamples,
  }));
  assertNear(await probabilities(vad, later), expected, 'after a gap');
});

test('without a gap the state and the context are kept', async () => {
  const sound = await recording('g1.wav');
  const frames = [...inFrames(sound)];
  const whole = await probabilities(vad, frames);
  await probabilities(vad, inFrames((await recording('g3.wav')).subarray(0, 1000)));
  const firstHalf = await probabilities(vad, frames.slice(0, 20));
  const secondHalf = await probabilities(vad, frames.slice(20));
  assertNear([...firstHalf, ...secondHalf], whole, 'in two halves');
  await probabilities(vad, inFrames((await recording('g3.wav')).subarray(0, 1000)));
  const afresh = (await vad([{ ...(frames[20] as Frame), startSample: 1_000_000 }]))[0] ?? 0;
  assert.ok(Math.abs(afresh - (whole[20] ?? 0)) > 1e-3, 'the state matters, or this test could not fail');
});

test('a short last frame is heard as if silence followed', async () => {
  const sound = (await recording('g1.wav')).subarray(0, 20 * frameSamples + 100);
  const padded = new Float32Array(21 * frameSamples);
  padded.set(sound);
  const expected = await probabilities(vad, inFrames(padded));
  assert.equal(await probabilities(vad, inFrames(sound)), expected);
});

test('many frames in a run give the same, however they are cut into runs', async () => {
  const sequence = await openSileroSequence(sequenceGraph, cpu.open);
  const random = randomFrom(16);
  for (const name of Object.keys(reference.recordings)) {
    // with a short last frame; each recording starts afresh at sample 0
    const frames = [...inFrames((await recording(name)).subarray(0, -100))];
    const heard: number[] = [];
    while (heard.length < frames.length) {
      const count = 1 + Math.floor(random() * 64);
      heard.push(...(await sequence.detectSpeech(frames.slice(heard.length, heard.length + count))));
    }
    assertNear(heard, await probabilities(vad, frames), name, 5e-5);
    const whole = frames.length - 1;
    assertNear(heard.slice(0, whole), (reference.recordings[name] ?? []).slice(0, whole), name, 5e-5);
  }
  const [first, , third] = [...inFrames(await recording('g1.wav'))] as [Frame, Frame, Frame];
  try {
    await sequence.detectSpeech([first, third]);
    assert.unreachable('a gap was not noticed');
  } catch (error) {
    assert.match(String(error), /frame 1 starts at 1024, 512 expected/);
  }
  assert.is((await sequence.detectSpeech([])).length, 0);
  await sequence.close();
});

test('a frame that is too long is refused', async () => {
  try {
    await vad([{ samples: new Float32Array(513), startSample: 0, atMs: 0 }]);
    assert.unreachable('513 samples were taken');
  } catch (error) {
    assert.instance(error, RangeError);
    assert.match(String(error), /at most 512 samples, got 513/);
  }
});

test('a detector that is damaged or not there is a fault that says so', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-vad-'));
  const code = async (): Promise<string> => {
    try {
      await openSileroVad(folder);
      return 'none';
    } catch (error) {
      assert.instance(error, Fault);
      return (error as Fault).code;
    }
  };
  assert.is(await code(), 'MODEL_MISSING');
  for (const name of ['dense.wasm', 'silero-vad-v6.weights']) {
    for (const each of ['dense.wasm', 'silero-vad-v6.weights']) {
      copyFileSync(path.join(vadDir, each), path.join(folder, each));
    }
    assert.is(await code(), 'none');
    const whole = readFileSync(path.join(vadDir, name));
    // cut within a number, between two numbers, and to nothing
    for (const length of [whole.length - 1, whole.length - 4, 0]) {
      writeFileSync(path.join(folder, name), whole.subarray(0, length));
      assert.is(await code(), 'MODEL_INVALID', `${length} bytes of ${name}`);
    }
  }
  rmSync(folder, { recursive: true });
});

if (existsSync(vadDir)) test.run();
else announceSkip('vad', 'dist/models/vad is missing: npm run build makes it');
