import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type AlsaSourceOptions, alsaSource } from '../../../daemon/capture/alsa.ts';
import type { DaemonEvent, Frame } from '../../../daemon/events.ts';
import { assertSourceFrames } from '../../contracts/source.ts';
import { alsaMissing, createAlsa } from '../../fixtures/alsa.ts';
import { s16Of } from '../../fixtures/wav.ts';
import { randomFrom } from '../../random.ts';
import { announceSkip } from '../../skip.ts';

const alsa = suite('alsa');
const fixture = createAlsa();
alsa.after(() => fixture.close());
const paths = { proc: path.join(fixture.folder, 'proc'), dev: path.join(fixture.folder, 'dev') };
const random = randomFrom(3);

/** Noise: no two stretches of it are alike, so that a lost or doubled sample cannot hide. */
const noise = (count: number): Buffer => s16Of(Float32Array.from({ length: count }, () => random() - 0.5));

/** The processes this one has started and not yet buried. */
function children(): number[] {
  const pids = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  return pids === '' ? [] : pids.split(' ').map(Number);
}

type Listening = {
  readonly frames: Frame[];
  readonly events: DaemonEvent[];
  readonly stop: () => Promise<void>;
  /** Waits until `fact` is true of what was heard and said. */
  readonly until: (fact: () => boolean, what: string) => Promise<void>;
  /** The types of the events but for levels, with what tells them apart. */
  readonly told: () => string[];
};

function listenTo(options: Partial<AlsaSourceOptions> & { readonly device: string }): Listening {
  const abort = new AbortController();
  const frames: Frame[] = [];
  const events: DaemonEvent[] = [];
  const source = alsaSource({
    environment: fixture.environment,
    retryMs: { firstMs: 100, mostMs: 200 },
    paths,
    ...options,
    emit: (event) => events.push(event),
  });
  let failure: unknown;
  const done = (async () => {
    for await (const frame of source(abort.signal)) frames.push(frame);
  })().catch((error: unknown) => {
    failure = error;
  });
  return {
    frames,
    events,
    stop: async () => {
      abort.abort();
      await done;
      assert.is(failure, undefined);
    },
    until: async (fact, what) => {
      const untilMs = performance.now() + 8000;
      while (!fact()) {
        if (performance.now() > untilMs) throw new Error(`waited 8 s for ${what}: ${JSON.stringify(events)}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    told: () =>
      events
        .filter((event) => event.type !== 'level')
        .map((event) => {
          if (event.type === 'microphone') return event.state;
          return event.type === 'fault' ? event.code : event.type;
        }),
  };
}

const samplesHeard = (frames: readonly Frame[]): Buffer =>
  Buffer.concat(frames.map((frame) => s16Of(frame.samples)));

/** arecord's stand-in for what no machine without a sound card can be made to say. */
function script(name: string, lines: string): string {
  const file = path.join(fixture.folder, name);
  writeFileSync(file, `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  return file;
}

const missing = alsaMissing();
if (missing !== undefined) announceSkip('capture through the real arecord', missing);
else {
  alsa('an unpaced device is heard sample by sample', async () => {
    const sound = noise(40_960);
    const file = path.join(fixture.folder, 'sound.raw');
    writeFileSync(file, sound);
    fixture.addFile('unpaced', file);
    const heard = listenTo({ device: 'unpaced' });
    await heard.until(() => heard.frames.length >= 80, 'the whole file');
    await heard.stop();
    assert.equal(samplesHeard(heard.frames.slice(0, 80)), sound);
    assert.equal(heard.told().slice(0, 2), ['opening', 'listening']);
    assert.equal(children(), []);
  });

  alsa('a paced device is heard sample by sample, in real time, with its level', async () => {
    const sound = noise(20_480);
    const mic = fixture.addMicrophone('paced', sound);
    const heard = listenTo({ device: 'paced' });
    await heard.until(() => heard.frames.length > 0, 'the first frame');
    const firstAtMs = performance.now();
    await heard.until(() => heard.frames.length >= 40, 'the whole sound');
    assert.ok(performance.now() - firstAtMs > 1000, 'it came faster than it was spoken');
    await heard.stop();
    assert.ok(mic.spokenSamples() >= 20_480);
    assertSourceFrames(heard.frames, 'goes on');
    const frames = heard.frames.slice(0, 40);
    assert.equal(samplesHeard(frames), sound);
    assert.equal(
      frames.map((frame) => frame.startSample),
      frames.map((_, i) => i * 512),
    );
    const lateMs = Date.now() - (heard.frames.at(-1)?.atMs ?? 0);
    assert.ok(lateMs > 0 && lateMs < 3000, `the last frame lies ${lateMs} ms back`);
    // uniform noise in ±0.5: 20 log10(0.5 / √3)
    const level = heard.events.find((event) => event.type === 'level');
    assert.ok(level?.type === 'level' && Math.abs(level.levelDbfs + 10.79) < 0.3, JSON.stringify(level));
    assert.equal(heard.told(), ['opening', 'listening']);
    assert.equal(children(), []);
  });

  alsa(
    'a killed arecord is started anew, announced once each way, and the count jumps over the gap',
    async () => {
      fixture.addMicrophone('killed', noise(200_000));
      const heard = listenTo({ device: 'killed' });
      await heard.until(() => heard.frames.length >= 5, 'sound');
      for (const pid of children()) process.kill(pid, 'SIGKILL');
      await heard.until(() => heard.told().includes('recovered'), 'sound again');
      const count = heard.frames.length;
      await heard.until(() => heard.frames.length >= count + 5, 'more of it');
      await heard.stop();
      assert.equal(heard.told(), [
        'opening',
        'listening',
        'MICROPHONE_LOST',
        'lost',
        'recovered',
        'listening',
      ]);
      assertSourceFrames(heard.frames, 'goes on');
      const gaps = heard.frames.filter(
        (frame, i) => i > 0 && frame.startSample !== (heard.frames[i - 1]?.startSample ?? 0) + 512,
      );
      assert.is(gaps.length, 1);
      assert.equal(children(), []);
    },
  );

  alsa('an arecord that hangs is found out, killed and started anew', async () => {
    fixture.addMicrophone('stalled', noise(200_000));
    const heard = listenTo({ device: 'stalled', stallMs: 400 });
    await heard.until(() => heard.frames.length >= 3, 'sound');
    for (const pid of children()) process.kill(pid, 'SIGSTOP');
    await heard.until(() => heard.told().includes('recovered'), 'sound again');
    await heard.stop();
    assert.equal(heard.told(), [
      'opening',
      'listening',
      'MICROPHONE_STALLED',
      'lost',
      'recovered',
      'listening',
    ]);
    assertSourceFrames(heard.frames, 'goes on');
    assert.equal(children(), []);
  });

  alsa('an unknown device is named once, tried again, and a stop while waiting is prompt', async () => {
    const heard = listenTo({ device: 'nobody', retryMs: { firstMs: 50, mostMs: 60_000 } });
    await heard.until(() => heard.told().includes('lost'), 'the fault');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const startedAtMs = performance.now();
    await heard.stop();
    assert.ok(performance.now() - startedAtMs < 1500);
    assert.equal(heard.told(), ['opening', 'MICROPHONE_NOT_FOUND', 'lost']);
    const fault = heard.events.find((event) => event.type === 'fault');
    assert.ok(fault?.type === 'fault');
    assert.is(fault.message, 'ALSA knows no capture device nobody');
    assert.is(fault.hint, 'known: none, no capture card is plugged in');
    assert.equal(children(), []);
  });

  alsa('a device that appears is heard without waiting for the back-off', async () => {
    mkdirSync(paths.dev, { recursive: true });
    const heard = listenTo({ device: 'late', retryMs: { firstMs: 60_000, mostMs: 60_000 } });
    await heard.until(() => heard.told().includes('lost'), 'the fault');
    fixture.addMicrophone('late', noise(100_000));
    writeFileSync(path.join(paths.dev, 'pcmC1D0c'), '');
    await heard.until(() => heard.told().includes('recovered'), 'the device');
    await heard.stop();
    assert.equal(heard.told(), ['opening', 'MICROPHONE_NOT_FOUND', 'lost', 'recovered', 'listening']);
  });

  alsa('what broke before a mute is recovered when it is heard after it', async () => {
    const events: DaemonEvent[] = [];
    const source = alsaSource({
      device: 'muted',
      environment: fixture.environment,
      retryMs: { firstMs: 50, mostMs: 50 },
      paths,
      emit: (event) => events.push(event),
    });
    const first = new AbortController();
    const listening = (async () => {
      for await (const _ of source(first.signal)) assert.unreachable();
    })();
    while (!events.some((event) => event.type === 'fault')) await new Promise((r) => setTimeout(r, 10));
    first.abort();
    await listening;
    fixture.addMicrophone('muted', noise(50_000));
    for await (const frame of source(new AbortController().signal)) {
      assert.is(frame.startSample, 0);
      break;
    }
    assert.is(events.filter((event) => event.type === 'recovered').length, 1);
    assert.is(events.filter((event) => event.type === 'fault').length, 1);
    // a listener that just leaves takes the child with it
    assert.equal(children(), []);
  });
}

alsa('without arecord the fault says how to get it', async () => {
  const heard = listenTo({ device: 'x', environment: { PATH: '/nonexistent' } });
  await heard.until(() => heard.told().includes('lost'), 'the fault');
  await heard.stop();
  assert.equal(heard.told(), ['opening', 'ARECORD_MISSING', 'lost']);
  const fault = heard.events.find((event) => event.type === 'fault');
  assert.ok(fault?.type === 'fault' && fault.hint.includes('apt install alsa-utils'));
});

alsa('an arecord that cannot be started at all is a fault too', async () => {
  const file = path.join(fixture.folder, 'not-executable');
  writeFileSync(file, '', { mode: 0o644 });
  const heard = listenTo({ device: 'x', command: file });
  await heard.until(() => heard.told().includes('lost'), 'the fault');
  await heard.stop();
  assert.equal(heard.told(), ['opening', 'ARECORD_MISSING', 'lost']);
});

const refusals: readonly [string, string, string, string][] = [
  [
    'busy',
    'echo "arecord: main:831: audio open error: Device or resource busy" >&2; exit 1',
    'MICROPHONE_BUSY',
    'mic is held by another process',
  ],
  [
    'forbidden',
    'echo "arecord: main:831: audio open error: Permission denied" >&2; exit 1',
    'MICROPHONE_DENIED',
    'mic may not be opened by this user',
  ],
  ['end of its own accord', 'exit 0', 'MICROPHONE_LOST', 'ended with exit code 0'],
  [
    'unplugged in use',
    'head -c 2048 /dev/zero; echo "arecord: pcm_read:2221: read error: No such device" >&2; exit 1',
    'MICROPHONE_LOST',
    'read error: No such device',
  ],
  [
    'wrong rate',
    'echo "Warning: rate is not accurate (requested = 16000Hz, got = 44100Hz)" >&2; exec sleep 60',
    'AUDIO_UNSUPPORTED',
    'mic runs at 44100 Hz, 16000 Hz expected',
  ],
  [
    'no server',
    'echo "arecord: main:831: audio open error: Connection refused" >&2; exit 1',
    'MICROPHONE_NOT_FOUND',
    'a sound server that does not answer',
  ],
];
for (const [what, lines, code, message] of refusals) {
  alsa(`${what}: ${code}`, async () => {
    const heard = listenTo({ device: 'mic', command: script(what.replaceAll(' ', '-'), lines) });
    await heard.until(() => heard.told().includes('lost'), 'the fault');
    await heard.stop();
    const faults = heard.events.filter((event) => event.type === 'fault');
    const [fault] = faults;
    assert.is(faults.length, 1);
    assert.ok(fault?.type === 'fault');
    assert.is(fault.code, code);
    assert.match(fault.message, message);
    assert.equal(children(), []);
  });
}

alsa('an overrun is told, and the count jumps by what was lost', async () => {
  const command = script(
    'overrun',
    'head -c 2048 /dev/zero; sleep 0.2; echo "overrun!!! (at least 1500.000 ms long)" >&2; sleep 0.2; ' +
      'head -c 2048 /dev/zero; exec sleep 60',
  );
  const heard = listenTo({ device: 'mic', command });
  await heard.until(() => heard.frames.length === 4, 'four frames');
  await heard.stop();
  assert.equal(
    heard.frames.map((frame) => frame.startSample),
    [0, 512, 1024 + 24_000, 1536 + 24_000],
  );
  assert.equal(heard.told(), ['opening', 'listening', 'overrun']);
});

alsa('an arecord deaf to SIGTERM is killed', async () => {
  const command = script('deaf', "trap '' TERM; head -c 2048 /dev/zero; while :; do sleep 0.1; done");
  const heard = listenTo({ device: 'mic', command });
  await heard.until(() => heard.frames.length === 2, 'two frames');
  const startedAtMs = performance.now();
  await heard.stop();
  assert.ok(performance.now() - startedAtMs < 2500);
  assert.equal(
    children().filter((pid) => readdirSync('/proc').includes(String(pid))),
    [],
  );
});

alsa('a listener that does not listen loses the oldest sound, and is told', async () => {
  const command = script('flood', 'head -c 960000 /dev/zero; exec sleep 60');
  const events: DaemonEvent[] = [];
  const source = alsaSource({
    device: 'mic',
    command,
    environment: fixture.environment,
    paths,
    emit: (event) => events.push(event),
  });
  const frames = source(new AbortController().signal)[Symbol.asyncIterator]();
  await frames.next();
  await new Promise((resolve) => setTimeout(resolve, 400));
  let before = 0;
  let after = 0;
  while (!events.some((event) => event.type === 'overrun')) {
    before = after;
    after = (await frames.next()).value.startSample;
  }
  await frames.return?.();
  // 30 s came, 10 s may wait: the oldest are given up, and said to be
  const lostMs = events.flatMap((event) => (event.type === 'overrun' ? [event.lostMs] : []));
  assert.is(lostMs.length, 1);
  assert.ok((lostMs[0] ?? 0) > 5000, `${lostMs} ms`);
  // with the frame that was begun when the gap came
  const jump = after - before - Math.round((lostMs[0] ?? 0) * 16);
  assert.ok(jump >= 512 && jump < 1024, `${jump} samples more than announced`);
});

alsa.run();
