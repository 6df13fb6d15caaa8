/** The supervised child process, on the embedded model: what is asked is answered, whatever happens to the child. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DaemonEvent, Segment } from '../../daemon/events.ts';
import { type RecognizerOptions, startRecognizer } from '../../daemon/recognizer/client.ts';
import { faultOf } from '../faults.ts';
import { embeddedSetup } from '../fixtures/daemon.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { smallestShape, writeRandomWhisper } from '../fixtures/random-whisper.ts';
import { readGolden } from '../golden.ts';
import { temporaryDir } from '../graph-files.ts';

const recognizer = suite('recognizer');

const [utterance] = readGolden();
if (utterance === undefined) throw new Error('there is no golden utterance');
const { samples, text: words } = utterance;

function segment(id: string): Segment {
  return {
    id,
    startSample: 0,
    endSample: samples.length,
    samples,
    startAtMs: 0,
    closedAtMs: performance.now(),
    cause: 'pause',
  };
}

function start(options: Partial<RecognizerOptions> = {}) {
  const events: DaemonEvent[] = [];
  const { setup, emit, ...rest } = options;
  const started = startRecognizer({
    setup: { ...embeddedSetup, ...setup },
    emit: (event) => {
      events.push(event);
      emit?.(event);
    },
    environment: process.env,
    deadlineMs: 20_000,
    backoff: { firstMs: 1, mostMs: 10 },
    ...rest,
  });
  const faults = () => events.filter((event) => event.type === 'fault').map(({ code }) => code);
  return { recognizer: started, events, faults };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

recognizer('a model that nobody needs is unloaded, and loaded again by whoever speaks or asks', async () => {
  const { recognizer: started, events, faults } = start({ unloadAfterMs: 300 });
  const states = () => events.flatMap((event) => (event.type === 'recognizer' ? [event.state] : []));
  const unloaded = (times: number) =>
    eventually('unloaded', () => states().filter((state) => state === 'unloaded').length === times);
  await started.loaded;
  const first = started.pid() ?? 0;
  assert.ok(first > 0);
  await unloaded(1);
  assert.not(isAlive(first), 'its memory is free');
  assert.is(started.pid(), undefined);

  const asked = [started.transcribe(segment('a')), started.transcribe(segment('b'))];
  assert.equal(
    (await Promise.all(asked)).map(({ text }) => text),
    [words, words],
  );
  await unloaded(2);
  started.wake();
  await eventually('ready', () => states().at(-1) === 'ready');
  await unloaded(3);
  // settings that change meanwhile count for the next start
  started.adjust({ language: 'en', task: 'transcribe' });
  const { text } = await started.transcribe(segment('c'));
  assert.is(text, words);
  assert.equal(faults(), []);
  assert.not(states().includes('restarting'));
  await started.close();
  assert.is(states().at(-1), 'closed');
});

recognizer('it is closed while its model is unloaded', async () => {
  const { recognizer: started, events } = start({ unloadAfterMs: 1 });
  await eventually('unloaded', () =>
    events.some((event) => event.type === 'recognizer' && event.state === 'unloaded'),
  );
  await started.close();
  assert.is(started.pid(), undefined);
});

recognizer('answers in order, and ends with its child', async () => {
  const { recognizer: started, events } = start();
  const answers = await Promise.all([started.transcribe(segment('a')), started.transcribe(segment('b'))]);
  assert.equal(
    answers.map(({ text }) => text),
    [words, words],
  );
  const { name, provider } = await started.loaded;
  assert.is(name, 'nano');
  assert.is(provider.active, 'cpu');
  const pid = started.pid() ?? 0;
  assert.ok(isAlive(pid));
  await started.close();
  assert.not.ok(isAlive(pid));
  assert.equal(events.at(-1), { type: 'recognizer', state: 'closed' });
});

recognizer('a child killed while it is asked is replaced and asked again; said once each way', async () => {
  let kills = 0;
  const {
    recognizer: started,
    events,
    faults,
  } = start({
    emit: (event) => {
      // twice is still less than the attempts a segment has
      if (event.type !== 'recognizer' || event.state !== 'busy' || kills >= 2) return;
      kills++;
      process.kill(started.pid() ?? 0, 'SIGKILL');
    },
  });
  await started.loaded;
  assert.is((await started.transcribe(segment('a'))).text, words);
  assert.is(kills, 2);
  assert.equal(faults(), ['RECOGNIZER_CRASHED', 'RECOGNIZER_CRASHED']);
  assert.is(events.filter(({ type }) => type === 'recovered').length, 2);
  await started.close();
});

recognizer('work ahead is asked once, of a child that is ready, and says nothing of being busy', async () => {
  const { recognizer: started, events, faults } = start();
  assert.is((await faultOf(() => started.transcribe(segment('a'), 'ahead'))).code, 'RECOGNIZER_CRASHED');
  await started.loaded;
  assert.is((await started.transcribe(segment('a'), 'ahead')).text, words);
  const pid = started.pid() ?? 0;
  // so that it cannot answer before it is killed
  process.kill(pid, 'SIGSTOP');
  const lost = faultOf(() => started.transcribe(segment('b'), 'ahead'));
  const final = started.transcribe(segment('b'));
  await new Promise(setImmediate);
  process.kill(pid, 'SIGKILL');
  assert.is((await lost).code, 'RECOGNIZER_CRASHED');
  assert.is((await final).text, words, 'the final behind it is answered by the next child');
  assert.equal(faults(), ['RECOGNIZER_CRASHED']);
  const states = events.flatMap((event) => (event.type === 'recognizer' ? [event.state] : []));
  assert.equal(states, ['loading', 'ready', 'restarting', 'ready', 'busy', 'ready']);
  await started.close();
});

recognizer('a segment that takes every child down is given up, and the next one is recognised', async () => {
  let poisoned = true;
  const { recognizer: started } = start({
    attempts: 2,
    emit: (event) => {
      if (poisoned && event.type === 'recognizer' && event.state === 'busy') {
        process.kill(started.pid() ?? 0, 'SIGKILL');
      }
    },
  });
  await started.loaded;
  const fault = await faultOf(() => started.transcribe(segment('poison')));
  assert.is(fault.code, 'RECOGNIZER_CRASHED');
  assert.match(fault.message, /SIGKILL/);
  poisoned = false;
  assert.is((await started.transcribe(segment('b'))).text, words);
  await started.close();
});

recognizer('a child that hangs is killed at the deadline, and the segment asked again', async () => {
  let frozen = false;
  const { recognizer: started, faults } = start({
    // the segment adds ten times its own length
    deadlineMs: 500,
    emit: (event) => {
      if (frozen || event.type !== 'recognizer' || event.state !== 'busy') return;
      frozen = true;
      process.kill(started.pid() ?? 0, 'SIGSTOP');
    },
  });
  await started.loaded;
  const short = { ...segment('a'), samples: samples.subarray(0, 8000) };
  const { text } = await started.transcribe(short);
  assert.equal(faults(), ['RECOGNIZER_TIMEOUT']);
  assert.is((await started.transcribe(short)).text, text, 'the same as of a child that answers at once');
  await started.close();
});

recognizer(
  'an utterance may say its language; what the recognizer was set up with is for the others',
  async () => {
    const modelDir = writeRandomWhisper(temporaryDir(), { shape: smallestShape });
    const { recognizer: started } = start({
      setup: {
        modelDir,
        cacheDirs: [temporaryDir()],
        provider: 'auto',
        threads: 1,
        language: 'de',
        task: 'transcribe',
      },
    });
    const { languages } = await started.loaded;
    assert.ok(['de', 'en', 'fr'].every((code) => languages.includes(code)) && languages.length === 99);
    const short = { ...segment('a'), samples: samples.subarray(0, smallestShape.audioFrames * 320) };
    const spoken = async (language?: string) =>
      (await started.transcribe(language === undefined ? short : { ...short, language })).language;
    assert.is(await spoken(), 'de');
    assert.is(await spoken('fr'), 'fr');
    assert.ok(languages.includes(await spoken('auto')));
    assert.is((await faultOf(() => spoken('xx'))).code, 'MODEL_UNSUPPORTED');
    assert.is(await spoken(), 'de', 'only that utterance');
    await started.close();
  },
);

recognizer('a model that cannot be loaded is for the operator: no second try', async () => {
  const { recognizer: started, events } = start({
    setup: {
      modelDir: '/nonexistent',
      cacheDirs: ['/nonexistent'],
      provider: 'auto',
      threads: 1,
      language: undefined,
      task: 'transcribe',
    },
  });
  const fault = await faultOf(() => started.loaded);
  assert.is(fault.code, 'MODEL_MISSING');
  assert.is((await faultOf(() => started.transcribe(segment('a')))).code, 'MODEL_MISSING');
  assert.equal(
    events.filter((event) => event.type === 'recognizer').map(({ state }) => state),
    ['loading'],
  );
  await started.close();
});

recognizer('another model takes its turn, and a wrong one gives way to the one before', async () => {
  const { recognizer: started, events, faults } = start();
  const { name } = await started.loaded;
  const first = started.pid();
  const wrong = faultOf(() => started.load({ ...embeddedSetup, modelDir: '/nonexistent' }));
  const waiting = started.transcribe(segment('a'));
  assert.is((await wrong).code, 'MODEL_MISSING');
  assert.is((await waiting).text, words, 'answered by the old one, which was loaded again');
  assert.is.not(started.pid(), first);
  const asked = started.transcribe(segment('b'));
  const second = started.pid();
  const again = started.load({ ...embeddedSetup, threads: 2 });
  assert.is((await asked).text, words);
  assert.is(started.pid(), second, 'what was asked before is answered before');
  assert.is((await again).name, name);
  assert.is((await started.transcribe(segment('c'))).text, words);
  assert.equal(faults(), [], 'nothing has gone wrong of itself');
  const states = events.flatMap((event) => (event.type === 'recognizer' ? [event.state] : []));
  assert.not(states.includes('restarting'));
  const pid = started.pid() ?? 0;
  process.kill(pid, 'SIGKILL');
  assert.is((await started.transcribe(segment('d'))).text, words);
  assert.equal(faults(), ['RECOGNIZER_CRASHED']);
  await started.close();
});

recognizer(
  'settings count from the next utterance on, in the process at work and in those after it',
  async () => {
    const { recognizer: started } = start();
    await started.loaded;
    started.adjust({ language: 'de', task: 'transcribe' });
    assert.is((await faultOf(() => started.transcribe(segment('a')))).code, 'MODEL_UNSUPPORTED');
    started.adjust({ language: 'en', task: 'transcribe', keyTerms: ['Anna'] });
    const pid = started.pid();
    assert.is((await started.transcribe(segment('b'))).text, words);
    assert.is(started.pid(), pid);
    await started.close();
  },
);

recognizer('what is changed while the model is unloaded counts when it is loaded again', async () => {
  const { recognizer: started, events, faults } = start({ unloadAfterMs: 100 });
  await started.loaded;
  const unloads = () => events.filter((event) => event.type === 'recognizer' && event.state === 'unloaded');
  await eventually('unloaded', () => unloads().length === 1);
  started.adjust({ language: 'en', task: 'transcribe' });
  assert.is(
    (await faultOf(() => started.load({ ...embeddedSetup, language: 'de' }))).code,
    'MODEL_UNSUPPORTED',
  );
  assert.is((await started.transcribe(segment('a'))).language, 'en');
  await started.load({ ...embeddedSetup, threads: 2 });
  assert.is((await started.transcribe(segment('b'))).text, words);
  assert.equal(faults(), []);
  await started.close();
});

recognizer('a trial that fails is told, and what it was to stand in for is loaded', async () => {
  const { recognizer: started, faults } = start({
    trial: { ...embeddedSetup, language: 'de' },
  });
  const fault = await started.trialFailed;
  assert.is(fault.code, 'MODEL_UNSUPPORTED');
  await started.loaded;
  assert.is((await started.transcribe(segment('a'))).text, words);
  assert.equal(faults(), []);
  await started.close();
});

recognizer('closing while a model is loaded answers who waits for it', async () => {
  const { recognizer: started } = start();
  await started.loaded;
  const load = faultOf(() => started.load({ ...embeddedSetup, threads: 2 }));
  const waiting = faultOf(() => started.transcribe(segment('a')));
  await started.close();
  assert.equal([(await load).code, (await waiting).code], ['RECOGNIZER_CRASHED', 'RECOGNIZER_CRASHED']);
});

recognizer('closing answers who waits, and leaves no child behind', async () => {
  const { recognizer: started } = start();
  await started.loaded;
  const pid = started.pid() ?? 0;
  process.kill(pid, 'SIGSTOP');
  const waiting = faultOf(() => started.transcribe(segment('a')));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await started.close();
  assert.is((await waiting).code, 'RECOGNIZER_CRASHED');
  await eventually('the child is gone', () => !isAlive(pid));
});

recognizer.run();
