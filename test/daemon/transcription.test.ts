import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Frame, frameSamples, type Segment, sampleRateHz } from '../../daemon/events.ts';
import { Segmenter } from '../../daemon/segmenter.ts';
import { type Place, transcribeSound } from '../../daemon/transcription.ts';
import { randomFrom } from '../random.ts';
import { score } from './score.ts';

/** One second of speech and one of silence, `count` times: 2 s a segment. */
const talk = (count: number): string => `${'#'.repeat(31)}${'.'.repeat(31)}`.repeat(count);

function soundOf(drawing: string): Float32Array {
  const frames = [...score(drawing)].map(({ frame }) => frame.samples);
  const sound = new Float32Array(frames.length * frameSamples);
  for (const [i, samples] of frames.entries()) sound.set(samples, i * frameSamples);
  return sound;
}

async function* inPieces(sound: Float32Array, random: () => number): AsyncGenerator<Float32Array> {
  for (let at = 0; at < sound.length; ) {
    const length = 1 + Math.floor(random() * 40_000);
    yield sound.subarray(at, at + length);
    at += length;
  }
}

/** Hears what is drawn: speech is loud. */
const detectSpeech = async (frames: readonly Frame[]): Promise<Float32Array> =>
  Float32Array.from(frames, ({ samples }) =>
    samples.some((sample) => Math.abs(sample) > 0.1) ? 0.95 : 0.03,
  );

const newSegmenter = (): Segmenter => {
  let count = 0;
  return new Segmenter({ nextId: () => String(++count) });
};

/** What the segmenter says when it is given a frame at a time. */
function expectedPlaces(drawing: string): Place[] {
  const segmenter = newSegmenter();
  const events = [...score(drawing)].flatMap(({ frame, probability }) => [
    ...segmenter.push(frame, probability),
  ]);
  return [...events, ...segmenter.flush()].flatMap((event) =>
    event.type === 'segment'
      ? [{ startSample: event.segment.startSample, endSample: event.segment.endSample }]
      : [],
  );
}

const test = suite('transcription');
const untilNextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

test('answers are taken in the order of the segments, whatever order they come in', async () => {
  const random = randomFrom(7);
  const drawing = `${talk(20)}${'#'.repeat(50)}`;
  const taken: [Place, string][] = [];
  let heard = 0;
  await transcribeSound<string>({
    chunks: inPieces(soundOf(drawing), random),
    detectSpeech,
    segmenter: newSegmenter(),
    recognize: async ({ id }) => {
      for (let turns = Math.floor(random() * 20); turns > 0; turns--) await untilNextTurn();
      return id;
    },
    take: (place, answer) => taken.push([place, answer]),
    onHeard: (samples) => {
      heard = samples;
    },
    aheadS: 1000,
    signal: never,
  });
  const places = expectedPlaces(drawing);
  assert.is(places.length, 21);
  assert.equal(
    taken,
    places.map((place, i) => [place, String(i + 1)]),
  );
  assert.is(heard, drawing.length * frameSamples);
});

test('hearing waits while more than it may is waiting for the recognizer', async () => {
  let waitingS = 0;
  let mostS = 0;
  const answers: (() => void)[] = [];
  const lengthS = ({ samples }: Segment): number => samples.length / sampleRateHz;
  const done = transcribeSound<undefined>({
    chunks: inPieces(soundOf(talk(60)), randomFrom(1)),
    detectSpeech,
    segmenter: newSegmenter(),
    recognize: (segment) =>
      new Promise((resolve) => {
        waitingS += lengthS(segment);
        mostS = Math.max(mostS, waitingS);
        answers.push(() => {
          waitingS -= lengthS(segment);
          resolve(undefined);
        });
      }),
    take: () => undefined,
    onHeard: () => undefined,
    aheadS: 10,
    signal: never,
  });
  let answered = 0;
  let finished = false;
  done.then(() => {
    finished = true;
  });
  while (!finished) {
    for (let turns = 0; turns < 20; turns++) await untilNextTurn();
    const answer = answers.shift();
    if (answer !== undefined) answered += 1;
    answer?.();
  }
  assert.is(answered, 60);
  // up to the one that is too much
  assert.ok(mostS > 10 && mostS < 13, `${mostS} s`);
});

test('the first segment that fails ends it, and nothing behind it is taken', async () => {
  let closed = false;
  async function* chunks(): AsyncGenerator<Float32Array> {
    try {
      for (;;) {
        yield soundOf(talk(1));
        await untilNextTurn();
      }
    } finally {
      closed = true;
    }
  }
  const taken: string[] = [];
  const failure = new Error('the third is too much');
  try {
    await transcribeSound<string>({
      chunks: chunks(),
      detectSpeech,
      segmenter: newSegmenter(),
      recognize: async ({ id }) => {
        if (id === '3') throw failure;
        return id;
      },
      take: (_, answer) => taken.push(answer),
      onHeard: () => undefined,
      aheadS: 1000,
      signal: never,
    });
    assert.unreachable('a sound without an end came to its end');
  } catch (thrown) {
    assert.is(thrown, failure);
  }
  assert.equal(taken, ['1', '2']);
  assert.ok(closed);
});

test('what taking throws (a full disk) ends it too', async () => {
  const full = new Error('no room left');
  try {
    await transcribeSound<string>({
      chunks: inPieces(soundOf(talk(3)), randomFrom(3)),
      detectSpeech,
      segmenter: newSegmenter(),
      recognize: async ({ id }) => id,
      take: () => {
        throw full;
      },
      onHeard: () => undefined,
      aheadS: 1000,
      signal: never,
    });
    assert.unreachable('it went on');
  } catch (thrown) {
    assert.is(thrown, full);
  }
});

test('aborting ends it even while the recognizer does not answer', async () => {
  const stop = new AbortController();
  const done = transcribeSound<string>({
    chunks: inPieces(soundOf(talk(30)), randomFrom(4)),
    detectSpeech,
    segmenter: newSegmenter(),
    recognize: () => {
      setImmediate(() => stop.abort());
      return new Promise(() => undefined);
    },
    take: () => assert.unreachable('there was no answer'),
    onHeard: () => undefined,
    aheadS: 5,
    signal: stop.signal,
  });
  await done;
});

test('a sound of nothing has no segments', async () => {
  await transcribeSound<string>({
    chunks: inPieces(new Float32Array(0), randomFrom(5)),
    detectSpeech,
    segmenter: newSegmenter(),
    recognize: () => assert.unreachable('there is nothing to recognise') as never,
    take: () => assert.unreachable('there is nothing to take'),
    onHeard: () => undefined,
    aheadS: 5,
    signal: never,
  });
});

test.run();
