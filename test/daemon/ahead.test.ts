/** Work ahead of time: it is done when it helps, and changes nothing but the time at which a final is ready. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AheadOptions } from '../../daemon/ahead.ts';
import { expectedMs } from '../../daemon/ahead.ts';
import { type Deferred, deferred } from '../../daemon/deferred.ts';
import type { DaemonEvent, Frame, Recognition, Recognizer, Utterance } from '../../daemon/events.ts';
import { Fault } from '../../daemon/faults.ts';
import { MuteSwitch } from '../../daemon/mute.ts';
import { listen } from '../../daemon/pipeline.ts';
import { SegmentQueue } from '../../daemon/queue.ts';
import { Segmenter } from '../../daemon/segmenter.ts';
import { randomFrom } from '../random.ts';
import { score } from './score.ts';

const test = suite('ahead');

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};
const never = new AbortController().signal;
const silence = (frames: number): string => '.'.repeat(frames);
const speech = (frames: number): string => '#'.repeat(frames);

/** Says of sound what it holds: two utterances of the same text are the same samples. */
function textOf({ startSample, endSample, samples }: Utterance): string {
  let sum = 0;
  for (const sample of samples) sum = (sum * 31 + sample * 2 ** 20) % 1_000_003;
  return `${startSample} to ${endSample} is ${Math.round(sum)}`;
}

function recognition(text: string): Recognition {
  const about = { language: 'en', avgLogProb: -0.1, noSpeechProb: 0.01, compressionRatio: 1, temperature: 0 };
  const timings = { melMs: 0, encodeMs: 1, decodeMs: 1 };
  return { text, ...about, tokens: [], pieces: [], timings };
}

type Setting = {
  readonly drawing: string;
  readonly ahead: AheadOptions | undefined;
  readonly transcribe: Recognizer['transcribe'];
  /** Waited for before each frame. */
  readonly beforeFrame?: (frame: number) => Promise<void>;
  readonly recognizerLoaded?: Promise<unknown>;
};

async function heard({
  drawing,
  ahead,
  transcribe,
  beforeFrame,
  recognizerLoaded,
}: Setting): Promise<DaemonEvent[]> {
  const events: DaemonEvent[] = [];
  let count = 0;
  const probabilityOf = new Map<Frame, number>();
  await listen({
    source: async function* () {
      for (const [index, scored] of [...score(drawing)].entries()) {
        await beforeFrame?.(index);
        probabilityOf.set(scored.frame, scored.probability);
        yield scored.frame;
      }
    },
    detectSpeech: async (frames) => frames.map((frame) => probabilityOf.get(frame) ?? 0),
    createSegmenter: () => new Segmenter({ nextId: () => `s${++count}`, maxSegmentMs: 6000 }),
    queue: new SegmentQueue(),
    recognizer: { transcribe, close: async () => undefined },
    mute: new MuteSwitch(false, () => undefined),
    emit: (event) => void events.push(event),
    origin: () => ({ model: 'm', provider: 'cpu', microphone: 'drawn' }),
    signal: never,
    giveUp: never,
    ...(ahead === undefined ? {} : { ahead }),
    ...(recognizerLoaded === undefined ? {} : { recognizerLoaded }),
  });
  return events;
}

const ofType = <T extends DaemonEvent['type']>(events: readonly DaemonEvent[], type: T) =>
  events.filter((event): event is Extract<DaemonEvent, { type: T }> => event.type === type);

/** What became of each segment, without what depends on the clock. */
function outcomes(events: readonly DaemonEvent[]): unknown[] {
  return events.flatMap((event): unknown[] => {
    if (event.type === 'transcript') {
      const { latencyMs, rtf, ...rest } = event.transcript;
      return [rest];
    }
    return event.type === 'segment-empty' || event.type === 'segment-dropped' ? [event] : [];
  });
}

/** A recognizer that writes down what it was asked, and answers when it is let. */
function patient() {
  const asked: { readonly utterance: Utterance; readonly urgency: string; readonly done: Deferred<void> }[] =
    [];
  const transcribe: Recognizer['transcribe'] = async (utterance, urgency = 'final') => {
    const done = deferred<void>();
    asked.push({ utterance, urgency, done });
    await done.promise;
    return recognition(textOf(utterance));
  };
  return { asked, transcribe };
}

/** The first utterance teaches how fast the recognizer is; 12 frames of silence settle, 19 end a segment. */
const lesson = silence(10) + speech(20) + silence(30);
const eager: AheadOptions = { eager: true, partialEveryMs: undefined };

test('a final is recognised in the pause before it, and out as soon as it is one', async () => {
  const urgencies: string[] = [];
  const readyInFrame: number[] = [];
  let frame = 0;
  const events = await heard({
    drawing: lesson + speech(20) + silence(30),
    ahead: eager,
    beforeFrame: async (index) => {
      frame = index;
      await turns(2);
    },
    transcribe: async (utterance, urgency = 'final') => {
      urgencies.push(urgency);
      readyInFrame.push(frame);
      return recognition(textOf(utterance));
    },
  });
  assert.equal(urgencies, ['final', 'ahead'], 'the second is not asked for again');
  // speech ends with frame 79; ten frames are the padding of 320 ms
  assert.equal(readyInFrame[1], 89);
  assert.is(ofType(events, 'transcript').length, 2);
  assert.is(ofType(events, 'partial').length, 0);
});

test('what was recognised ahead is thrown away when speech resumes', async () => {
  const asked: string[] = [];
  const transcribe: Recognizer['transcribe'] = async (utterance, urgency = 'final') => {
    asked.push(`${urgency} ${utterance.endSample / 512}`);
    return recognition(textOf(utterance));
  };
  const drawing = lesson + speech(20) + silence(15) + speech(5) + silence(30);
  const events = await heard({ drawing, ahead: eager, transcribe, beforeFrame: () => turns(2) });
  assert.equal(asked.slice(1), ['ahead 90', 'ahead 110']);
  const [, second] = ofType(events, 'transcript');
  assert.match(second?.transcript.text ?? '', / to 56320 /);
});

test('a final waits for its own run ahead, and for nothing else', async () => {
  const { asked, transcribe } = patient();
  const drawing = lesson + speech(20) + silence(40);
  const events = heard({
    drawing,
    ahead: eager,
    transcribe,
    beforeFrame: async (index) => {
      await turns(2);
      if (index === 59) asked[0]?.done.resolve();
      // the hangover was over in frame 99
      if (index === 110) {
        assert.equal(
          asked.map(({ urgency }) => urgency),
          ['final', 'ahead'],
        );
        asked[1]?.done.resolve();
      }
    },
  });
  assert.is(ofType(await events, 'transcript').length, 2);
});

test('a run ahead that fails is done again as a final, and nobody hears of it', async () => {
  const urgencies: string[] = [];
  const events = await heard({
    drawing: lesson + speech(20) + silence(30),
    ahead: eager,
    beforeFrame: () => turns(2),
    transcribe: async (utterance, urgency = 'final') => {
      urgencies.push(urgency);
      if (urgency === 'ahead') throw new Fault('RECOGNIZER_CRASHED', 'it died', 'look');
      return recognition(textOf(utterance));
    },
  });
  assert.equal(urgencies, ['final', 'ahead', 'final']);
  assert.is(ofType(events, 'transcript').length, 2);
  assert.is(ofType(events, 'fault').length, 0);
});

test('nothing is done ahead before the speed is known', async () => {
  const { asked, transcribe } = patient();
  const drawing = speech(100) + silence(30);
  const events = heard({
    drawing,
    ahead: { eager: true, partialEveryMs: 96 },
    transcribe,
    beforeFrame: async (index) => {
      await turns(2);
      if (index === drawing.length - 1) asked[0]?.done.resolve();
    },
  });
  assert.is(ofType(await events, 'transcript').length, 1);
  assert.equal(
    asked.map(({ urgency }) => urgency),
    ['final'],
  );
});

test('a loaded recognizer is warmed up once with silence, and then knows its speed at the first utterance', async () => {
  const asked: string[] = [];
  const transcribe: Recognizer['transcribe'] = async ({ id, samples }, urgency = 'final') => {
    asked.push(`${urgency} ${id}`);
    if (id === 'warm-up') assert.ok(samples.length === 16_000 && samples.every((sample) => sample === 0));
    return recognition('words');
  };
  const setting = { drawing: speech(20) + silence(30), transcribe, beforeFrame: () => turns(2) };
  const recognizerLoaded = Promise.resolve();
  const events = await heard({ ...setting, ahead: eager, recognizerLoaded });
  assert.equal(asked.splice(0), ['ahead warm-up', 'ahead s1']);
  assert.is(ofType(events, 'transcript').length, 1, "the silence is nobody's transcript");
  assert.is(ofType(events, 'partial').length, 0);

  await heard({ ...setting, ahead: undefined, recognizerLoaded });
  assert.equal(asked.splice(0), ['final s1'], 'no work ahead, no need to know');
  await heard({ ...setting, ahead: eager, recognizerLoaded: Promise.reject(new Error('no model')) });
  assert.equal(asked.splice(0), ['final s1']);
});

test('a recognizer that fails to warm up, or takes long, is only asked for finals', async () => {
  const urgencies: string[] = [];
  const warm = deferred<Recognition>();
  const setting = {
    drawing: speech(20) + silence(40),
    ahead: eager,
    recognizerLoaded: Promise.resolve(),
    transcribe: async (utterance: Utterance, urgency = 'final') => {
      urgencies.push(urgency);
      if (utterance.id === 'warm-up') return await warm.promise;
      return recognition('words');
    },
  };
  const events = heard({
    ...setting,
    beforeFrame: async (index) => {
      await turns(2);
      if (index === 55) warm.reject(new Fault('RECOGNIZER_CRASHED', 'it died', 'look'));
    },
  });
  assert.is(ofType(await events, 'transcript').length, 1);
  assert.is(ofType(await events, 'fault').length, 0);
  assert.equal(urgencies, ['ahead', 'final']);
});

test('nothing is done ahead while a final waits', async () => {
  const { asked, transcribe } = patient();
  const drawing = lesson + speech(20) + silence(30) + speech(20) + silence(30);
  const events = heard({
    drawing,
    ahead: { eager: true, partialEveryMs: 960 },
    transcribe,
    beforeFrame: async (index) => {
      await turns(2);
      if (index === 59) asked[0]?.done.resolve();
      // the work ahead for the second is lost, and the final for it takes until all has been heard
      if (index === 92) asked[1]?.done.reject(new Fault('RECOGNIZER_CRASHED', 'it died', 'look'));
      if (index < drawing.length - 1) return;
      asked[2]?.done.resolve();
      setImmediate(async () => {
        await turns(3);
        asked[3]?.done.resolve();
      });
    },
  });
  assert.is(ofType(await events, 'transcript').length, 3);
  assert.equal(
    asked.map(({ urgency, utterance }) => `${urgency} ${utterance.id}`),
    ['final s1', 'ahead s2', 'final s2', 'final s3'],
  );
});

test('partials grow with what is said, become stable, and end before the final', async () => {
  const words = 'one two three four five six seven eight nine ten'.split(' ');
  const events = await heard({
    drawing: lesson + speech(80) + silence(30),
    ahead: { eager: true, partialEveryMs: 320 },
    beforeFrame: () => turns(2),
    // one word in each third of a second; the last one is still uncertain while somebody speaks
    transcribe: async ({ samples }, urgency) => {
      const count = Math.floor(samples.length / 5120);
      const last = urgency === 'ahead' ? ['mumble'] : [];
      return recognition([...words.slice(0, count), ...last].join(' '));
    },
  });
  const told = events.filter(({ type }) => type === 'partial' || type === 'transcript').slice(1);
  assert.is(told.at(-1)?.type, 'transcript');
  assert.is(told.filter(({ type }) => type === 'transcript').length, 1);
  const partials = ofType(events, 'partial').map(({ partial }) => partial);
  assert.ok(partials.length >= 6, `${partials.length} partials`);
  assert.ok(partials.every(({ id }) => id === 's2'));
  assert.equal(
    partials.map(({ rev }) => rev),
    partials.map((_, index) => index + 1),
  );
  let stable = '';
  for (const { text, stableChars } of partials) {
    assert.is(text.slice(0, stable.length), stable);
    stable = text.slice(0, stableChars);
  }
  assert.match(stable, /^one two three four five six/);
});

/**
 * Time here is counted in frames, and the recognizer takes as many as the sound is long, times `slowness`. Answers the
 * frame in which each final was asked for, and of how much work ahead.
 */
async function underLoad(slowness: number, ahead: AheadOptions | undefined) {
  let frame = 0;
  let runsAhead = 0;
  let framesAhead = 0;
  const finalFrames: number[] = [];
  const waiting = new Set<{ readonly until: number; readonly done: Deferred<void> }>();
  const realNow = performance.now;
  // the pace of the recognizer is measured by this clock
  performance.now = () => frame * 32;
  try {
    const events = await heard({
      drawing: (silence(10) + speech(30) + silence(12) + speech(60) + silence(200)).repeat(3),
      ahead,
      beforeFrame: async (index) => {
        // what the frame before has set off is over before time goes on
        await turns(2);
        frame = index;
        for (const wait of waiting) {
          if (wait.until > index) continue;
          waiting.delete(wait);
          wait.done.resolve();
        }
        await turns(2);
      },
      transcribe: async (utterance, urgency = 'final') => {
        const takes = Math.ceil((utterance.samples.length / 512) * slowness);
        if (urgency === 'ahead') {
          runsAhead++;
          framesAhead += takes;
        }
        const done = deferred<void>();
        waiting.add({ until: frame + takes, done });
        await done.promise;
        return recognition(textOf(utterance));
      },
    });
    for (const { transcript } of ofType(events, 'transcript')) finalFrames.push(transcript.latencyMs / 32);
  } finally {
    performance.now = realNow;
  }
  return { latencies: finalFrames, runsAhead, share: framesAhead / (3 * (30 + 12 + 60)) };
}

for (const slowness of [0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.4, 1]) {
  test(`a recognizer of ${slowness} times real time: neither eager finals nor partials delay a final`, async () => {
    const plain = await underLoad(slowness, undefined);
    const early = await underLoad(slowness, eager);
    const both = await underLoad(slowness, { eager: true, partialEveryMs: 200 });
    const partials = await underLoad(slowness, { eager: false, partialEveryMs: 200 });
    assert.is(plain.latencies.length, 3);
    for (const [index, latency] of plain.latencies.entries()) {
      assert.ok((early.latencies[index] ?? Number.NaN) <= latency, `eager: ${early.latencies} ${latency}`);
      assert.ok((partials.latencies[index] ?? Number.NaN) <= latency, `partials: ${partials.latencies}`);
      assert.ok((both.latencies[index] ?? Number.NaN) <= (early.latencies[index] ?? 0), 'both');
    }
    assert.ok(partials.share < 0.25, `partials take ${partials.share} of the time`);
    if (slowness <= 0.05) {
      // from the second on the speed is known, and it is fast enough to be ready
      assert.equal(early.latencies.slice(1), [0, 0]);
      assert.ok(partials.runsAhead > 4, `${partials.runsAhead} partials`);
    }
    if (slowness >= 1) assert.is(both.runsAhead, 0, 'too slow to do anything ahead');
  });
}

test('the expected time follows the slower of the last runs, but not a single one', () => {
  assert.is(expectedMs([], 1), Number.POSITIVE_INFINITY);
  const run = (seconds: number, tookMs: number) => ({ samples: seconds * 16_000, tookMs });
  assert.is(expectedMs([run(1, 20)], 16_000), 20);
  assert.is(expectedMs([run(1, 20)], 3 * 16_000), 40);
  assert.is(expectedMs([run(1, 20), run(1, 5000), run(1, 30)], 16_000), 30);
});

/** Speech and pauses of random length, many of them around the length of the hangover. */
function drawAtRandom(random: () => number): string {
  let drawing = silence(5);
  while (drawing.length < 300) {
    drawing += speech(1 + Math.floor(random() ** 2 * 60)) + silence(1 + Math.floor(random() * 30));
    if (random() < 0.1) drawing += '/';
  }
  return drawing;
}

test('with and without work ahead the finals are the same, whatever is said, however long it takes, whatever fails', async () => {
  let usedAhead = 0;
  let partials = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const draw = randomFrom(seed);
    const drawing = drawAtRandom(draw);
    const failing = new Set(Array.from({ length: 3 }, () => Math.floor(draw() * 12)));
    const empty = Math.floor(draw() * 12);
    const run = (ahead: AheadOptions | undefined) => {
      const random = randomFrom(seed);
      const patience = Math.floor(random() * 8);
      return heard({
        drawing,
        ahead,
        beforeFrame: () => turns(Math.floor(random() * 3)),
        transcribe: async (utterance, urgency = 'final') => {
          await turns(Math.floor(random() * patience));
          // the same sound fails the same way, and work ahead may fail besides
          const kind = Number(/\d+$/.exec(utterance.id)?.[0]) % 12;
          if (failing.has(kind) || (urgency === 'ahead' && random() < 0.2)) {
            throw new Fault('RECOGNIZER_CRASHED', 'it died', 'look');
          }
          if (urgency === 'ahead') usedAhead++;
          return kind === empty
            ? { ...recognition(''), rejected: 'no-speech' as const }
            : recognition(textOf(utterance));
        },
      });
    };
    const expected = outcomes(await run(undefined));
    for (const options of [
      eager,
      { eager: true, partialEveryMs: 200 },
      { eager: false, partialEveryMs: 200 },
    ]) {
      const events = await run(options);
      assert.equal(outcomes(events), expected, `seed ${seed}: ${drawing}`);
      partials += ofType(events, 'partial').length;
      const finished = new Set<string>();
      for (const event of events) {
        if (event.type === 'transcript') finished.add(event.transcript.id);
        if (event.type === 'partial') assert.not(finished.has(event.partial.id), 'a partial after its final');
      }
    }
  }
  assert.ok(usedAhead > 100 && partials > 100, `${usedAhead} runs ahead, ${partials} partials`);
});

test.run();
