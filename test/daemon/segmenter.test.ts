import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Segment, Utterance } from '../../daemon/events.ts';
import { frameSamples } from '../../daemon/events.ts';
import type { HeardEvent, SegmenterOptions } from '../../daemon/segmenter.ts';
import { Segmenter, segmenterDefaults } from '../../daemon/segmenter.ts';
import { randomFrom } from '../random.ts';
import type { ScoredFrame } from './score.ts';
import { epochMs, score, splitAtRandom } from './score.ts';

const test = suite('segmenter');

type Options = Omit<SegmenterOptions, 'nextId'>;
/** In frames of 32 ms: 2 of pre-roll, 1 after, 3 of minimum speech, 5 of hangover. */
const small: Options = {
  minSpeechMs: 96,
  hangoverMs: 160,
  padding: { beforeMs: 64, afterMs: 32 },
};

function hear(frames: Iterable<ScoredFrame>, options: Options = small): HeardEvent[] {
  let count = 0;
  const segmenter = new Segmenter({ ...options, nextId: () => `s${++count}` });
  const events: HeardEvent[] = [];
  for (const { frame, probability } of frames) events.push(...segmenter.push(frame, probability));
  events.push(...segmenter.flush());
  return events;
}

const segmentsOf = (events: readonly HeardEvent[]): Segment[] =>
  events.flatMap((event) => (event.type === 'segment' ? [event.segment] : []));

/** Events in frames: 'started 4', 'ended 7', 'segment 2-8 pause'. */
function inFrames(events: readonly HeardEvent[]): string[] {
  return events.map((event) => {
    if (event.type !== 'segment') return `${event.type.slice(7)} ${(event.atMs - epochMs) / 32}`;
    const { startSample, endSample, cause } = event.segment;
    return `segment ${startSample / frameSamples}-${endSample / frameSamples} ${cause}`;
  });
}

const hearing = (drawing: string, options?: Options): string[] => inFrames(hear(score(drawing), options));

test('a stretch of speech becomes a segment with its padding, after the hangover', () => {
  assert.equal(hearing('....####......'), ['started 4', 'ended 8', 'segment 2-9 pause']);
});

test('nothing is said in silence, and nothing is held at its end', () => {
  assert.equal(hearing('................'), []);
  assert.equal(hearing(''), []);
});

test('speech is announced when the minimum is heard, its end when the hangover has passed', () => {
  const segmenter = new Segmenter({ ...small, nextId: () => 'id' });
  const at: string[] = [];
  for (const { frame, probability } of score('..####......')) {
    for (const event of segmenter.push(frame, probability)) {
      at.push(`${event.type} in frame ${frame.startSample / frameSamples}`);
    }
  }
  assert.equal(at, ['speech-started in frame 4', 'speech-ended in frame 10', 'segment in frame 10']);
});

test('a click is never announced', () => {
  assert.equal(hearing('....##..........'), []);
  assert.equal(hearing('....##...##...##...##.....'), []);
});

test('a click shortly before speech does not start the segment early', () => {
  assert.equal(hearing('....##....####......'), ['started 10', 'ended 14', 'segment 8-15 pause']);
});

test('a short dip inside a short word does not lose it', () => {
  assert.equal(hearing('....##..#......'), ['started 4', 'ended 9', 'segment 2-10 pause']);
});

test('a pause shorter than the hangover stays inside the segment', () => {
  assert.equal(hearing('...###....###.......'), ['started 3', 'ended 13', 'segment 1-14 pause']);
  assert.equal(hearing('...###.....###.......'), [
    'started 3',
    'ended 6',
    'segment 1-7 pause',
    'started 11',
    'ended 14',
    'segment 9-15 pause',
  ]);
});

test('between the thresholds speech goes on but does not start', () => {
  assert.equal(hearing('....-----......'), []);
  assert.equal(hearing('....#----......'), ['started 4', 'ended 9', 'segment 2-10 pause']);
  assert.equal(hearing('....###.----......'), ['started 4', 'ended 7', 'segment 2-8 pause']);
});

test('a segment never takes sound from the one before it', () => {
  const options: Options = { ...small, hangoverMs: 64, padding: { beforeMs: 320, afterMs: 64 } };
  assert.equal(hearing('...###..###...', options), [
    'started 3',
    'ended 6',
    'segment 0-8 pause',
    'started 8',
    'ended 11',
    'segment 8-13 pause',
  ]);
});

test('padding after speech is at most what the hangover has heard', () => {
  const options: Options = { ...small, hangoverMs: 96, padding: { beforeMs: 0, afterMs: 5000 } };
  assert.equal(hearing('..####.......', options), ['started 2', 'ended 6', 'segment 2-9 pause']);
});

test('lost sound closes the segment and is never part of one', () => {
  assert.equal(hearing('..####//..####......'), [
    'started 2',
    'ended 6',
    'segment 0-6 gap',
    'started 10',
    'ended 14',
    'segment 8-15 pause',
  ]);
  assert.equal(hearing('..####.//####......'), [
    'started 2',
    'ended 6',
    'segment 0-7 gap',
    'started 9',
    'ended 13',
    'segment 9-14 pause',
  ]);
});

test('a click on each side of lost sound is not a word', () => {
  assert.equal(hearing('....##/##.......'), []);
});

test('the end of the source closes the segment, with a last frame of any length', () => {
  assert.equal(hearing('..####..'), ['started 2', 'ended 6', 'segment 0-7 end-of-source']);
  assert.equal(hearing('..##'), []);
  const [segment] = segmentsOf(hear(score('..####', 100)));
  assert.is(segment?.endSample, 5 * frameSamples + 100);
  assert.is(segment?.samples.length, 5 * frameSamples + 100);
});

test('after a flush the segmenter listens on', () => {
  const segmenter = new Segmenter({ ...small, nextId: () => 'id' });
  const frames = [...score('..####........####......')];
  const events: HeardEvent[] = [];
  for (const [index, { frame, probability }] of frames.entries()) {
    events.push(...segmenter.push(frame, probability));
    if (index === 5) events.push(...segmenter.flush());
  }
  assert.equal(inFrames(events), [
    'started 2',
    'ended 6',
    'segment 0-6 end-of-source',
    'started 14',
    'ended 18',
    'segment 12-19 pause',
  ]);
});

/** 40 frames at most, cut in the last 20. */
const cutting: Options = { ...small, maxSegmentMs: 1280, cutWithinMs: 640 };

test('a segment of maximum length is cut where it is quietest, and the rest is the next one', () => {
  const drawing = `..${'#'.repeat(28)}....${'#'.repeat(30)}......`;
  const events = hear(score(drawing), cutting);
  const [first, second] = segmentsOf(events);
  assert.equal(
    segmentsOf(events).map((segment) => segment.cause),
    ['maximum-length', 'pause'],
  );
  assert.equal(
    events.map((event) => event.type),
    ['speech-started', 'segment', 'speech-ended', 'segment'],
  );
  const cut = (first?.endSample ?? 0) / frameSamples;
  assert.ok(cut > 30 && cut < 34, `cut in the pause of frames 30-34, was ${cut}`);
  assert.is(second?.startSample, first?.endSample);
  assert.is(second?.endSample, 65 * frameSamples);
});

test('without a quiet place a cut still keeps to the maximum length', () => {
  const segments = segmentsOf(hear(score('#'.repeat(200)), cutting));
  assert.ok(segments.length >= 5);
  assert.is(segments[0]?.startSample, 0);
  assert.is(segments.at(-1)?.endSample, 200 * frameSamples);
  for (const [index, segment] of segments.entries()) {
    assert.ok(segment.samples.length <= 40 * frameSamples);
    assert.is(segment.startSample, segments[index - 1]?.endSample ?? 0);
  }
});

test('a cut leaves enough speech for the rest to be a segment', () => {
  const [, rest] = segmentsOf(hear(score(`${'#'.repeat(37)}---......`), cutting));
  assert.is(rest?.cause, 'pause');
  assert.ok((rest?.startSample ?? 0) <= 37 * frameSamples, `the rest starts at ${rest?.startSample}`);
});

test('a pause at the maximum length is taken as the end', () => {
  const drawing = `..${'#'.repeat(36)}...${'#'.repeat(10)}......`;
  assert.equal(hearing(drawing, cutting), [
    'started 2',
    'ended 38',
    'segment 0-39 pause',
    'started 41',
    'ended 51',
    'segment 39-52 pause',
  ]);
});

test('segments carry their id, and the time of their first sample by the sample clock', () => {
  const segments = segmentsOf(hear(score('....####........####......')));
  assert.equal(
    segments.map((segment) => segment.id),
    ['s1', 's2'],
  );
  for (const segment of segments) assert.is(segment.startAtMs, epochMs + segment.startSample / 16);
});

test('options that contradict each other are refused', () => {
  const make = (options: Options) => () => new Segmenter({ ...options, nextId: () => '' });
  assert.throws(make({ startThreshold: 0.3 }), /endThreshold is at most startThreshold/);
  assert.throws(make({ endThreshold: Number.NaN }), RangeError);
  assert.throws(make({ minSpeechMs: 0 }), /minSpeechMs/);
  assert.throws(make({ cutWithinMs: 100 }), /cutWithinMs/);
  assert.throws(make({ maxSegmentMs: 600 }), /maxSegmentMs/);
  assert.not.throws(make({ maxSegmentMs: 2000, padding: { beforeMs: 2000, afterMs: 0 } }));
  assert.throws(make({ hangoverMs: 0 }), /hangover/);
  assert.throws(make({ padding: { beforeMs: -1, afterMs: 0 } }), /padding/);
});

/** What the draft is after each frame: its state, and its range in frames. Settled after two frames of silence. */
function drafts(drawing: string, options: Options = {}): string[] {
  let count = 0;
  const segmenter = new Segmenter({ ...small, settleMs: 64, ...options, nextId: () => `s${++count}` });
  return [...score(drawing)].map(({ frame, probability }) => {
    segmenter.push(frame, probability);
    const draft = segmenter.draft();
    if (draft === undefined) return '-';
    return `${draft.id} ${draft.state} ${draft.startSample / frameSamples}-${draft.endSample / frameSamples}`;
  });
}

test('a draft grows while somebody speaks, and settles in a pause', () => {
  assert.equal(drafts('..####.....').slice(3), [
    '-',
    's1 speaking 0-5',
    's1 speaking 0-6',
    's1 pausing 0-7',
    's1 settled 0-7',
    's1 settled 0-7',
    's1 settled 0-7',
    '-',
  ]);
});

test('a draft that had settled speaks again when speech resumes, under its old id', () => {
  assert.equal(drafts('..####...#.......').slice(8, 12), [
    's1 settled 0-7',
    's1 speaking 0-10',
    's1 pausing 0-11',
    's1 settled 0-11',
  ]);
});

test('a draft does not settle before its padding is complete, nor ever if that takes the hangover', () => {
  const padding = { beforeMs: 64, afterMs: 128 };
  assert.equal(drafts('..####......', { padding }).slice(7, 11), [
    's1 pausing 0-8',
    's1 pausing 0-9',
    's1 settled 0-10',
    '-',
  ]);
  const never = drafts('..####......', { padding: { beforeMs: 64, afterMs: 5000 } });
  assert.not(never.some((draft) => draft.includes('settled')));
});

test('after a cut at the maximum length the rest is the draft of the next segment', () => {
  const states = drafts(`..${'#'.repeat(60)}......`, cutting);
  const cut = states.findIndex((draft) => draft.startsWith('s2'));
  assert.is(cut, 39, 'known with the 40th frame');
  assert.match(states[cut - 1] ?? '', /^s1 speaking 0-39$/);
  assert.match(states[cut] ?? '', /^s2 speaking .*-40$/);
});

test('for any sound and options: a settled draft is the next segment unless speech resumes, and asking changes nothing', () => {
  let settled = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomFrom(seed);
    const options = { ...optionsAtRandom(random), settleMs: Math.floor(random() * 400) };
    const drawing = drawAtRandom(random);
    const frames = [...splitAtRandom(score(drawing), random)];
    const say = `seed ${seed}: ${drawing}`;

    let count = 0;
    const segmenter = new Segmenter({ ...options, nextId: () => `s${++count}` });
    const events: HeardEvent[] = [];
    let before: Utterance | undefined;
    let heardMs = 0;
    let spokenMs = 0;
    let spareUntilMs = 0;
    const check = (heard: readonly HeardEvent[], interrupted: boolean): void => {
      for (const segment of segmentsOf(heard)) {
        if (before !== undefined) {
          const { id, startSample, endSample } = segment;
          const { samples, ...expected } = before;
          assert.equal({ id, startSample, endSample }, expected, say);
          assert.equal(segment.samples, samples, say);
          settled++;
        } else if (!interrupted) {
          assert.ok(heardMs >= spareUntilMs, `${say}: a segment at ${heardMs}, promised ${spareUntilMs}`);
        }
        before = undefined;
        spareUntilMs = 0;
      }
      events.push(...heard);
    };
    let next = 0;
    for (const { frame, probability } of frames) {
      const heard = segmenter.push(frame, probability);
      heardMs = (frame.startSample + frame.samples.length) / 16;
      check(heard, frame.startSample !== next);
      next = frame.startSample + frame.samples.length;
      const draft = segmenter.draft();
      if (draft?.state === 'speaking') spokenMs = heardMs;
      const utterance = draft === undefined ? undefined : segmenter.utterance(draft);
      assert.is(utterance?.samples.length, draft && draft.endSample - draft.startSample, say);
      before = draft?.state === 'settled' ? utterance : undefined;
      // held to the promise of the last frame of speech
      if (draft !== undefined && spokenMs === heardMs) spareUntilMs = heardMs + draft.spareMs;
    }
    check(segmenter.flush(), true);
    assert.equal(events.map(inWords), hear(frames, options).map(inWords), say);
  }
  assert.ok(settled > 100, `${settled} segments were settled drafts`);
});

/** Speech, pauses, doubt and losses of random length. */
function drawAtRandom(random: () => number): string {
  const pick = (choices: string): string => choices[Math.floor(random() * choices.length)] ?? '.';
  let drawing = '';
  while (drawing.length < 150) drawing += pick('..##-#./').repeat(1 + Math.floor(random() ** 2 * 30));
  return drawing;
}

function optionsAtRandom(random: () => number): Required<Options> {
  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low));
  const maxSegmentMs = between(1200, 4000);
  return {
    ...segmenterDefaults,
    minSpeechMs: between(20, 250),
    hangoverMs: between(30, 700),
    maxSegmentMs,
    cutWithinMs: between(300, maxSegmentMs - 100),
    padding: { beforeMs: between(0, 600), afterMs: between(0, 600) },
  };
}

test('for any sound and options: nothing lost, invented, doubled, out of order or too long', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = randomFrom(seed);
    const options = optionsAtRandom(random);
    const drawing = drawAtRandom(random);
    const lastSamples = 1 + Math.floor(random() * frameSamples);
    const frames = [...score(drawing, lastSamples)];
    const events = hear(frames, options);
    const segments = segmentsOf(events);
    const say = `seed ${seed}: ${drawing}`;

    const source = new Float32Array(drawing.length * frameSamples).fill(Number.NaN);
    for (const { frame } of frames) source.set(frame.samples, frame.startSample);

    let heardUpTo = 0;
    const covered = new Uint8Array(source.length);
    for (const segment of segments) {
      assert.ok(segment.startSample >= heardUpTo, `${say}: overlap at ${segment.startSample}`);
      heardUpTo = segment.endSample;
      const length = segment.endSample - segment.startSample;
      assert.ok(length > 0 && length <= options.maxSegmentMs * 16, `${say}: ${length} samples`);
      assert.is(segment.samples.length, length, say);
      const exact = segment.samples.every((sample, i) => sample === source[segment.startSample + i]);
      assert.ok(exact, `${say}: segment at ${segment.startSample} is not the source's sound`);
      covered.fill(1, segment.startSample, segment.endSample);
    }

    // runs of certain speech that are long enough lie inside segments as a whole
    for (const match of drawing.matchAll(/#+/g)) {
      const from = match.index * frameSamples;
      const isLast = match.index + match[0].length === drawing.length;
      const to = from + match[0].length * frameSamples - (isLast ? frameSamples - lastSamples : 0);
      if (to - from < options.minSpeechMs * 16) continue;
      assert.is(covered.subarray(from, to).indexOf(0), -1, `${say}: speech at ${from}-${to} was lost`);
    }

    for (const { startSample, endSample } of segments) {
      const marks = drawing.slice(
        Math.floor(startSample / frameSamples),
        Math.ceil(endSample / frameSamples),
      );
      assert.match(marks, /[#-]/, `${say}: a segment of silence at ${startSample}`);
    }

    // started, segments, ended, last segment
    const grammar = events.map((event) => {
      if (event.type !== 'segment') return event.type === 'speech-started' ? 'S' : 'E';
      return event.segment.cause === 'maximum-length' ? 'm' : 's';
    });
    assert.match(grammar.join(''), /^(Sm*Es)*$/, say);

    const again = hear(splitAtRandom(frames, random), options);
    assert.equal(again.map(inWords), events.map(inWords), `${say}: depends on the size of the frames`);
  }
});

/** All of an event but the clock and the sound, times to a thousandth of a millisecond. */
function inWords(event: HeardEvent): string {
  if (event.type !== 'segment') return `${event.type} ${event.atMs.toFixed(3)}`;
  const { id, startSample, endSample, startAtMs, cause } = event.segment;
  return `${id} ${startSample}-${endSample} ${startAtMs.toFixed(3)} ${cause}`;
}

test.run();
