import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deferred } from '../../daemon/deferred.ts';
import type { AudioSource, DaemonEvent, Frame, Recognition, Recognizer } from '../../daemon/events.ts';
import { frameSamples, sampleRateHz } from '../../daemon/events.ts';
import { Fault } from '../../daemon/faults.ts';
import { MuteSwitch } from '../../daemon/mute.ts';
import { listen } from '../../daemon/pipeline.ts';
import { SegmentQueue } from '../../daemon/queue.ts';
import { Segmenter } from '../../daemon/segmenter.ts';

const pipeline = suite('pipeline');

/** '.' is 32 ms of silence, '#' 32 ms of speech; the sample's value says which, and is what the detector reads. */
function* framesOf(drawing: string): Generator<Frame> {
  let startSample = 0;
  for (const sign of drawing) {
    const samples = new Float32Array(frameSamples).fill(sign === '#' ? 0.5 : 0);
    yield { samples, startSample, atMs: 1_700_000_000_000 + (startSample / sampleRateHz) * 1000 };
    startSample += frameSamples;
  }
}
const sourceOf = (drawing: string): AudioSource =>
  async function* () {
    yield* framesOf(drawing);
  };
const silence = (seconds: number): string => '.'.repeat(Math.round(seconds / 0.032));
const speech = (seconds: number): string => '#'.repeat(Math.round(seconds / 0.032));

function recognition(text: string): Recognition {
  return {
    text,
    language: 'en',
    avgLogProb: -0.1,
    noSpeechProb: 0.01,
    compressionRatio: 1,
    temperature: 0,
    tokens: [],
    pieces: [],
    timings: { melMs: 0, encodeMs: 1, decodeMs: 1 },
    ...(text === '' ? { rejected: 'no-speech' as const } : {}),
  };
}

type Setting = {
  readonly source: AudioSource;
  readonly transcribe: Recognizer['transcribe'];
  readonly capacityS?: number;
  readonly waitAboveS?: number;
  readonly signal?: AbortSignal;
  readonly mute?: MuteSwitch;
  readonly giveUp?: AbortSignal;
};

async function heard(setting: Setting): Promise<DaemonEvent[]> {
  const events: DaemonEvent[] = [];
  let segments = 0;
  const recognizer: Recognizer = { transcribe: setting.transcribe, close: async () => undefined };
  await listen({
    source: setting.source,
    detectSpeech: async (frames) => frames.map(({ samples }) => ((samples[0] ?? 0) > 0 ? 0.9 : 0.1)),
    createSegmenter: () => new Segmenter({ nextId: () => `s${++segments}` }),
    queue: new SegmentQueue(setting.capacityS),
    recognizer,
    mute: setting.mute ?? new MuteSwitch(false, () => undefined),
    emit: (event) => void events.push(event),
    origin: () => ({ model: 'm', provider: 'cpu', microphone: 'drawn' }),
    signal: setting.signal ?? new AbortController().signal,
    giveUp: setting.giveUp ?? new AbortController().signal,
    ...(setting.waitAboveS === undefined ? {} : { waitAboveS: setting.waitAboveS }),
  });
  return events;
}

const ofType = <T extends DaemonEvent['type']>(events: readonly DaemonEvent[], type: T) =>
  events.filter((event): event is Extract<DaemonEvent, { type: T }> => event.type === type);

pipeline('each utterance becomes one transcript, in order, with its own time', async () => {
  const drawing = silence(1) + speech(1) + silence(1.5) + speech(2) + silence(1.5);
  const events = await heard({
    source: sourceOf(drawing),
    transcribe: async (segment) => recognition(`text of ${segment.id}`),
  });
  const transcripts = ofType(events, 'transcript').map((event) => event.transcript);
  assert.equal(
    transcripts.map(({ id, seq, text }) => ({ id, seq, text })),
    [
      { id: 's1', seq: 1, text: 'text of s1' },
      { id: 's2', seq: 2, text: 'text of s2' },
    ],
  );
  const [first] = transcripts;
  assert.ok(first !== undefined);
  const spokenAtMs = 1_700_000_000_000 + 1000;
  const startMs = Date.parse(first.start);
  // it begins before the speech, by no more than the pre-roll, and ends after it
  assert.ok(startMs < spokenAtMs && startMs >= spokenAtMs - 600, first.start);
  assert.ok(Date.parse(first.end) > spokenAtMs + 900, first.end);
  assert.is(Date.parse(first.end) - startMs, first.durationMs);
  assert.is(first.confidence, Number(Math.exp(-0.1).toFixed(4)));
  assert.is(first.microphone, 'drawn');
});

pipeline(
  'in silence the detector looks at some frames at once, from the first speech on at each as it comes',
  async () => {
    const runs: string[] = [];
    let count = 0;
    await listen({
      source: sourceOf(`${silence(0.576)}${speech(0.32)}${silence(2)}`),
      detectSpeech: async (frames) => {
        runs.push(frames.map(({ samples }) => ((samples[0] ?? 0) > 0 ? '#' : '.')).join(''));
        // what a run must be: frames that follow one another
        for (const [index, frame] of frames.entries()) {
          assert.is(frame.startSample, (frames[0]?.startSample ?? 0) + index * frameSamples);
        }
        return frames.map(({ samples }) => ((samples[0] ?? 0) > 0 ? 0.9 : 0.1));
      },
      createSegmenter: () => new Segmenter({ nextId: () => `s${++count}` }),
      queue: new SegmentQueue(),
      recognizer: { transcribe: async () => recognition('words'), close: async () => undefined },
      mute: new MuteSwitch(false, () => undefined),
      emit: () => undefined,
      origin: () => ({ model: 'm', provider: 'cpu', microphone: 'drawn' }),
      signal: new AbortController().signal,
      giveUp: new AbortController().signal,
    });
    assert.is(runs.join(''), `${silence(0.576)}${speech(0.32)}${silence(2)}`, 'every frame, once, in order');
    assert.equal(runs.slice(0, 4), ['......', '......', '......', '######']);
    // the rest of the speech and the pause that ends it, a frame at a time
    const alone = runs.slice(4).findIndex((run) => run.length > 1);
    assert.ok(alone >= 4 + 18, `${alone} frames were looked at alone`);
    assert.is(runs.at(4 + alone), '......');
  },
);

pipeline('a slow recognizer does not stop hearing; what the queue drops is announced', async () => {
  const gate = deferred<void>();
  const utterances = 6;
  const drawing = silence(1) + (speech(2) + silence(1)).repeat(utterances);
  let asked = 0;
  const source: AudioSource = async function* () {
    yield* framesOf(drawing);
    gate.resolve();
  };
  const events = await heard({
    source,
    capacityS: 6,
    transcribe: async (segment) => {
      asked++;
      await gate.promise;
      return recognition(segment.id);
    },
  });
  const dropped = ofType(events, 'segment-dropped');
  const texts = ofType(events, 'transcript').map((event) => event.transcript.text);
  assert.ok(dropped.length > 0);
  assert.ok(dropped.every((event) => event.reason === 'queue-full'));
  assert.is(dropped.length + texts.length, utterances);
  assert.is(asked, texts.length);
  assert.is(texts.at(-1), `s${utterances}`, 'what was said last is kept');
});

pipeline('a source that can wait waits, and nothing is dropped', async () => {
  const utterances = 12;
  const events = await heard({
    source: sourceOf(silence(1) + (speech(2) + silence(1)).repeat(utterances)),
    capacityS: 6,
    waitAboveS: 2,
    transcribe: async (segment) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return recognition(segment.id);
    },
  });
  assert.is(ofType(events, 'segment-dropped').length, 0);
  assert.is(ofType(events, 'transcript').length, utterances);
});

pipeline('a segment that cannot be recognised is announced, and the next one is still heard', async () => {
  const events = await heard({
    source: sourceOf(silence(1) + speech(1) + silence(1) + speech(1) + silence(1)),
    transcribe: async (segment) => {
      if (segment.id === 's1') throw new Fault('RECOGNIZER_CRASHED', 'it died', 'look');
      return recognition(segment.id);
    },
  });
  assert.equal(
    ofType(events, 'segment-dropped').map(({ segmentId, reason }) => ({ segmentId, reason })),
    [{ segmentId: 's1', reason: 'recognizer-failed' }],
  );
  assert.equal(
    ofType(events, 'transcript').map((event) => event.transcript.text),
    ['s2'],
  );
});

pipeline('stopping ends the source, and what was being said is still recognised', async () => {
  const stop = new AbortController();
  const source: AudioSource = async function* (signal) {
    for (const frame of framesOf(silence(1) + speech(1))) yield frame;
    stop.abort();
    assert.ok(signal.aborted);
  };
  const events = await heard({
    source,
    signal: stop.signal,
    transcribe: async () => recognition('the last words'),
  });
  assert.equal(
    ofType(events, 'transcript').map((event) => event.transcript.text),
    ['the last words'],
  );
});

pipeline('who gives up is told of every segment that is lost with it', async () => {
  const giveUp = new AbortController();
  const hung = deferred<Recognition>();
  const source: AudioSource = async function* () {
    yield* framesOf(silence(1) + (speech(1) + silence(1)).repeat(3));
    // one is being recognised, two wait
    setTimeout(() => {
      giveUp.abort();
      hung.reject(new Fault('RECOGNIZER_CRASHED', 'recognizer closed', ''));
    }, 5);
  };
  const events = await heard({ source, giveUp: giveUp.signal, transcribe: () => hung.promise });
  assert.equal(
    ofType(events, 'segment-dropped').map(({ segmentId, reason }) => `${segmentId} ${reason}`),
    ['s1 stopping', 's2 stopping', 's3 stopping'],
  );
  assert.is(ofType(events, 'fault').length, 0);
});

pipeline('muting closes the source, unmuting opens it again, and both stretches are heard', async () => {
  let openings = 0;
  const closings: number[] = [];
  const mute = new MuteSwitch(false, () => undefined);
  const source: AudioSource = async function* (signal) {
    const opening = ++openings;
    yield* framesOf(silence(1) + speech(1) + silence(1));
    if (opening === 2) return;
    setTimeout(() => mute.set(true), 0);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    closings.push(opening);
    assert.ok(mute.muted);
    setTimeout(() => mute.set(false), 5);
  };
  const events = await heard({ source, mute, transcribe: async (segment) => recognition(segment.id) });
  assert.is(openings, 2);
  assert.equal(closings, [1]);
  assert.equal(
    ofType(events, 'transcript').map((event) => event.transcript.text),
    ['s1', 's2'],
  );
});

pipeline('other settings make another segmenter, in silence and not in the middle of a word', async () => {
  let settings = 'first';
  let hangoverMs = 600;
  const made: string[] = [];
  const ends: number[] = [];
  let position = 0;
  await listen({
    // the settings change while somebody speaks
    source: async function* () {
      for (const frame of framesOf(`${silence(1)}${speech(1)}${silence(2)}${speech(1)}${silence(2)}`)) {
        position = frame.startSample;
        if (position === 48 * frameSamples) {
          settings = 'second';
          hangoverMs = 200;
        }
        yield frame;
      }
    },
    detectSpeech: async (frames) => frames.map(({ samples }) => ((samples[0] ?? 0) > 0 ? 0.9 : 0.1)),
    createSegmenter() {
      made.push(`${settings} at ${position / sampleRateHz}`);
      return new Segmenter({ nextId: () => `s${ends.length}`, hangoverMs });
    },
    segmenterSettings: () => [settings],
    queue: new SegmentQueue(),
    recognizer: { transcribe: async () => recognition('x'), close: async () => undefined },
    mute: new MuteSwitch(false, () => undefined),
    emit(event) {
      if (event.type === 'speech-ended') ends.push(position / sampleRateHz);
    },
    origin: () => ({ model: 'm', provider: 'cpu', microphone: 'drawn' }),
    signal: new AbortController().signal,
    giveUp: new AbortController().signal,
  });
  assert.equal(
    made.map((line) => line.split(' ')[0]),
    ['first', 'second'],
  );
  // heard out as it was begun, with 600 ms, the next one with 200 ms
  assert.ok((ends[0] ?? 0) > 2.5 && (ends[1] ?? 0) < 5.4, ends.join(' '));
});

pipeline(
  'a source that is exchanged ends what is spoken, and the next stretch hears the other one',
  async () => {
    let changed = new AbortController();
    const sounds = [silence(1) + speech(1), silence(1) + speech(0.5) + silence(1)];
    const opened: string[] = [];
    const source: AudioSource = async function* (signal) {
      const drawing = sounds.shift() ?? '';
      opened.push(drawing);
      yield* framesOf(drawing);
      if (sounds.length === 0) return;
      const before = changed;
      changed = new AbortController();
      before.abort();
      assert.ok(signal.aborted);
    };
    const texts: number[] = [];
    await listen({
      source,
      sourceChanged: () => changed.signal,
      detectSpeech: async (frames) => frames.map(({ samples }) => ((samples[0] ?? 0) > 0 ? 0.9 : 0.1)),
      createSegmenter: () => new Segmenter({ nextId: () => `s${opened.length}` }),
      queue: new SegmentQueue(),
      recognizer: { transcribe: async () => recognition('x'), close: async () => undefined },
      mute: new MuteSwitch(false, () => undefined),
      emit(event) {
        if (event.type === 'transcript') texts.push(event.transcript.durationMs);
      },
      origin: () => ({ model: 'm', provider: 'cpu', microphone: 'drawn' }),
      signal: new AbortController().signal,
      giveUp: new AbortController().signal,
    });
    assert.is(opened.length, 2);
    assert.is(texts.length, 2, 'the first sentence was cut, not lost');
  },
);

pipeline.run();
