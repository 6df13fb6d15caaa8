import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fileSource } from '../../daemon/capture/file.ts';
import type { Frame } from '../../daemon/events.ts';
import type { HeardEvent } from '../../daemon/segmenter.ts';
import { Segmenter, segmenterDefaults } from '../../daemon/segmenter.ts';
import { openSileroSequence, type SequenceVad } from '../../daemon/vad.ts';
import { provider as cpu } from '../../providers/cpu.ts';
import { announceSkip } from '../skip.ts';
import { noiseAt } from './score.ts';
import { inFrames } from './sound.ts';

const rootDir = path.join(import.meta.dirname, '../../..');
const graphPath = path.join(rootDir, 'dist/models/vad/silero-vad-v6-sequence.onnx');
const demoDir = path.join(rootDir, 'models/embedded/demo');

type Sentence = { readonly text: string; readonly startMs: number; readonly endMs: number };
type Recording = { readonly file: string; readonly sentences: readonly Sentence[] };
const { recordings }: { readonly recordings: readonly Recording[] } = JSON.parse(
  readFileSync(path.join(demoDir, 'sentences.json'), 'utf8'),
);

const test = suite('hearing');
let vad: SequenceVad;
test.before(async () => {
  vad = await openSileroSequence(graphPath, cpu.open);
});
test.after(() => vad.close());

/** Detector and segmenter with their defaults, as the daemon has them. */
async function hear(frames: Iterable<Frame> | AsyncIterable<Frame>): Promise<HeardEvent[]> {
  let count = 0;
  const segmenter = new Segmenter({ nextId: () => String(++count) });
  const events: HeardEvent[] = [];
  for await (const frame of frames)
    events.push(...segmenter.push(frame, (await vad.detectSpeech([frame]))[0] ?? 0));
  events.push(...segmenter.flush());
  return events;
}

function assertWithin(value: number, low: number, high: number, what: string): void {
  assert.ok(value >= low && value <= high, `${what}: ${value}, expected ${low} to ${high}`);
}

assert.is(recordings.length, 4, 'the demonstration has four recordings');
for (const { file, sentences } of recordings) {
  test(`every sentence of ${file} is one segment, and nothing else is`, async () => {
    const source = fileSource(path.join(demoDir, file), { pace: 'fast', epochMs: 0 });
    const events = await hear(source(new AbortController().signal));
    const started = events.flatMap((event) => (event.type === 'speech-started' ? [event.atMs] : []));
    const ended = events.flatMap((event) => (event.type === 'speech-ended' ? [event.atMs] : []));
    const segments = events.flatMap((event) => (event.type === 'segment' ? [event.segment] : []));
    assert.is(segments.length, sentences.length);
    assert.is(started.length, sentences.length);
    assert.is(ended.length, sentences.length);

    const { beforeMs, afterMs } = segmenterDefaults.padding;
    for (const [index, { text, startMs, endMs }] of sentences.entries()) {
      const segment = segments[index];
      assert.is(segment?.cause, 'pause', text);
      // within two frames of the truth at the start; the detector's memory lets go up to five frames late
      assertWithin(started[index] ?? Number.NaN, startMs - 64, startMs + 64, `${text} starts`);
      assertWithin(ended[index] ?? Number.NaN, endMs - 32, endMs + 160, `${text} ends`);
      // and so the whole sentence lies inside, with its padding
      assertWithin((segment?.startSample ?? 0) / 16, startMs - beforeMs - 64, startMs - 100, `${text} from`);
      assertWithin((segment?.endSample ?? 0) / 16, endMs + 100, endMs + afterMs + 160, `${text} to`);
    }
  });
}

const seconds = 60;
const amplitude = (levelDbfs: number): number => 10 ** (levelDbfs / 20);

/** A minute of sound; `at` gives a sample from its position and white noise. */
function minute(at: (i: number, white: number) => number): Float32Array {
  return Float32Array.from({ length: seconds * 16_000 }, (_, i) => at(i, noiseAt(i)));
}

/** Brings a sound to a level (RMS). */
function levelled(sound: Float32Array, levelDbfs: number): Float32Array {
  const rms = Math.sqrt(sound.reduce((sum, x) => sum + x * x, 0) / sound.length);
  return sound.map((x) => (x * amplitude(levelDbfs)) / rms);
}

/** Leaks slowly, so that low frequencies dominate: the sound of fans and of traffic. */
function brown(): (i: number, white: number) => number {
  let level = 0;
  return (_, white) => {
    level = 0.98 * level + white;
    return level;
  };
}

const hum = (i: number): number =>
  [50, 100, 150, 250, 350].reduce(
    (sum, hz, k) => sum + Math.sin((2 * Math.PI * hz * i) / 16_000) / (k + 1),
    0,
  );

const quiet: Readonly<Record<string, () => Float32Array>> = {
  'digital silence': () => minute(() => 0),
  'white noise at -40 dBFS': () =>
    levelled(
      minute((_, white) => white),
      -40,
    ),
  'white noise at -20 dBFS': () =>
    levelled(
      minute((_, white) => white),
      -20,
    ),
  'brown noise at -40 dBFS': () => levelled(minute(brown()), -40),
  'mains hum at -40 dBFS': () => levelled(minute(hum), -40),
};
for (const [name, make] of Object.entries(quiet)) {
  test(`a minute of ${name} holds no speech`, async () => {
    assert.equal(await hear(inFrames(make())), []);
  });
}

if (existsSync(graphPath)) test.run();
else announceSkip('hearing', 'dist/models/vad is missing: npm run build makes it');
