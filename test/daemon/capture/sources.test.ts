import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fileSource } from '../../../daemon/capture/file.ts';
import { Framer } from '../../../daemon/capture/frames.ts';
import { stdinSource } from '../../../daemon/capture/stdin.ts';
import type { AudioSource, DaemonEvent, Frame } from '../../../daemon/events.ts';
import { Fault } from '../../../daemon/faults.ts';
import { assertSourceFrames } from '../../contracts/source.ts';
import { s16Of, sineOf, wavOf } from '../../fixtures/wav.ts';

const sources = suite('sources');
const folder = mkdtempSync(path.join(tmpdir(), 'harkd-sources-'));
sources.after(() => rmSync(folder, { recursive: true }));

const samples = sineOf(440, 16_000, 2000);
const file = path.join(folder, 'a.wav');
writeFileSync(file, wavOf(s16Of(samples)));

async function hear(source: AudioSource, signal = new AbortController().signal): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of source(signal)) frames.push(frame);
  return frames;
}

function bytesOf(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map((frame) => s16Of(frame.samples)));
}

/** 2000 samples: three whole frames and one of 464, each where and when the one before it ended. */
function assertWhole(frames: readonly Frame[], epochMs: number): void {
  assertSourceFrames(frames, 'ends');
  assert.equal(
    frames.map((frame) => frame.samples.length),
    [512, 512, 512, 464],
  );
  assert.equal(
    frames.map((frame) => frame.startSample),
    [0, 512, 1024, 1536],
  );
  assert.equal(
    frames.map((frame) => frame.atMs),
    [0, 32, 64, 96].map((ms) => epochMs + ms),
  );
  assert.equal(bytesOf(frames), s16Of(samples));
}

sources('a file is heard whole, in frames, the last one as short as it is', async () => {
  assertWhole(await hear(fileSource(file, { pace: 'fast', epochMs: 1000 })), 1000);
});

sources('in real time no frame is heard before its last sample was spoken', async () => {
  const startedAtMs = performance.now();
  const lateMs: number[] = [];
  const source = fileSource(file, { pace: 'realtime' });
  for await (const frame of source(new AbortController().signal)) {
    const spokenMs = (frame.startSample + frame.samples.length) / 16;
    lateMs.push(performance.now() - startedAtMs - spokenMs);
  }
  // timers may be late on a busy machine, but never early (a timer counts whole milliseconds)
  assert.is(lateMs.length, 4);
  for (const ms of lateMs) assert.ok(ms > -1.5, `${ms} ms`);
});

sources('abort ends a paced file at once, in the middle of a wait', async () => {
  const long = path.join(folder, 'long.wav');
  writeFileSync(long, wavOf(s16Of(new Float32Array(160_000))));
  const stop = new AbortController();
  const heard: Frame[] = [];
  for await (const frame of fileSource(long, { pace: 'realtime' })(stop.signal)) {
    heard.push(frame);
    if (heard.length === 2) setTimeout(() => stop.abort(), 5);
  }
  assert.ok(heard.length < 30, `${heard.length} frames after the abort`);
});

sources('a file says what happens to it, and how loud each second was', async () => {
  const second = path.join(folder, 'second.wav');
  writeFileSync(second, wavOf(s16Of(sineOf(1000, 16_000, 16_384, 1))));
  const events: DaemonEvent[] = [];
  await hear(fileSource(second, { pace: 'fast', emit: (event) => events.push(event) }));
  assert.equal(
    events.map((event) => (event.type === 'microphone' ? event.state : event.type)),
    ['opening', 'listening', 'level', 'ended'],
  );
  const level = events.find((event) => event.type === 'level');
  assert.ok(level?.type === 'level' && Math.abs(level.levelDbfs + 3.01) < 0.05, JSON.stringify(level));
});

sources('a file that cannot be heard is a fault', async () => {
  try {
    await hear(fileSource(path.join(folder, 'none.wav'), { pace: 'fast' }));
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof Fault && error.code === 'INPUT_MISSING');
  }
});

for (const [what, content] of [
  ['raw S16_LE', s16Of(samples)],
  ['WAV', wavOf(s16Of(samples))],
] as const) {
  sources(`stdin: ${what} is heard whole, however it is cut`, async () => {
    for (const size of [1, 333, 100_000]) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < content.length; at += size) pieces.push(content.subarray(at, at + size));
      const source = stdinSource(Readable.from(pieces), { epochMs: 5, warn: assert.unreachable });
      assertWhole(await hear(source), 5);
    }
  });
}

sources('stdin: half a sample at the end is left out and told', async () => {
  const warnings: string[] = [];
  const stream = Readable.from([s16Of(samples), Buffer.from([1])]);
  const frames = await hear(stdinSource(stream, { epochMs: 0, warn: (message) => warnings.push(message) }));
  assertWhole(frames, 0);
  assert.equal(warnings, ['stdin: the last byte is half a sample; left out']);
});

sources('stdin: nothing, or another container, is a fault and not noise', async () => {
  for (const [content, code] of [
    [Buffer.alloc(0), 'AUDIO_INVALID'],
    [Buffer.from([1]), 'AUDIO_INVALID'],
    [Buffer.concat([Buffer.from('fLaC'), Buffer.alloc(100)]), 'AUDIO_UNSUPPORTED'],
  ] as const) {
    try {
      await hear(stdinSource(Readable.from([content])));
      assert.unreachable();
    } catch (error) {
      assert.ok(error instanceof Fault && error.code === code, `${error}`);
    }
  }
});

sources('stdin: abort ends a listener that waits, and the next one goes on where it was', async () => {
  const pipe = new PassThrough();
  const source = stdinSource(pipe, { epochMs: 0 });
  const bytes = s16Of(samples);
  pipe.write(bytes.subarray(0, 2048));
  const stop = new AbortController();
  const first: Frame[] = [];
  for await (const frame of source(stop.signal)) {
    first.push(frame);
    if (first.length === 2) setTimeout(() => stop.abort(), 5);
  }
  assert.is(first.length, 2);
  pipe.end(bytes.subarray(2048));
  assertWhole([...first, ...(await hear(source))], 0);
});

sources('a framer jumps over what was lost and never goes back', () => {
  const framer = new Framer();
  assert.is(framer.push(new Float32Array(700)).length, 1);
  assert.is(framer.position, 700);
  framer.jumpTo(2000);
  const [frame] = framer.push(new Float32Array(512));
  assert.is(frame?.startSample, 2000);
  assert.throws(() => framer.jumpTo(2511), /at least 2512/);
  assert.is(framer.end(), undefined);
});

sources.run();
