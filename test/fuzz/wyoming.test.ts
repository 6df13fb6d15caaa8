import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sleep } from '../../daemon/waiting.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { demoDir } from '../fixtures/demo.ts';
import { eventBytes, usualFormat, wyomingClient } from '../fixtures/wyoming.ts';
import { wyomingRig } from '../fixtures/wyoming-rig.ts';
import { randomFrom } from '../random.ts';
import { timeBox } from '../time-box.ts';

/**
 * Time-boxed, or with a number of connections to make: node dist/test/fuzz/wyoming.test.js 20000
 */
const seed = 20261122;
const wanted = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);
/** Enough for each kind of answer. */
const leastConnections = 300;
const random = randomFrom(seed);
const below = (limit: number): number => Math.floor(random() * limit);
function oneOf<T>(items: readonly T[]): T {
  return items[below(items.length)] as T;
}

/** From where somebody speaks. */
const speech = readFileSync(path.join(demoDir, 'lights.wav')).subarray(44 + 16_000);

const types = [
  ...['describe', 'ping', 'transcribe', 'audio-start', 'audio-chunk', 'audio-chunk', 'audio-stop', 'info'],
  ...['transcript', 'select-program', '', 'constructor', '__proto__', '\n', 'x'.repeat(20_000)],
];
const values: readonly unknown[] = [
  ...[16_000, 2, 1, 0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, 4000, 384_000, 48_000, 8, null, true],
  ...['en', 'tlh', '', 'a'.repeat(5000), '\0', '\ud800', [], [[]], {}, { __proto__: 1 }],
];
const keys = [
  ...['rate', 'width', 'channels', 'timestamp', 'text', 'language', 'name', 'data_length', 'type'],
  ...['payload_length', 'constructor', 'toString'],
];
const lines = [
  ...[
    '\n',
    '{}\n',
    '[]\n',
    'null\n',
    '{"type":"audio-chunk","payload_length":1048577}\n',
    'GET / HTTP/1.1\r\n',
  ],
  ...['{"type":"describe","data":1}\n', '{"type":"a","data_length":262144}\n', `${'['.repeat(9000)}\n`],
  ...['{"type":"ping","data":{"text":{"a":[1,2]}}}\n', '\x16\x03\x01\x02\x00\x01', '{"type":"ping"'],
];

function event(): Buffer {
  const kind = random();
  if (kind < 0.1) return Buffer.from(oneOf(lines));
  // a conversation as it should be, for most of the time, or nothing would get far
  const type = oneOf(types);
  const isSound = type === 'audio-start' || type === 'audio-chunk';
  const data: Record<string, unknown> = isSound ? { ...usualFormat } : {};
  if (random() < 0.3) data[oneOf(keys)] = oneOf(values);
  const payload = isSound || random() < 0.1 ? soundOf(below(40_000)) : undefined;
  const bytes = eventBytes(type, random() < 0.9 ? data : undefined, payload);
  if (kind < 0.2) bytes[below(Math.min(bytes.length, 120))] = below(256);
  if (kind > 0.95) return bytes.subarray(0, below(bytes.length));
  return bytes;
}

/** What a client has to say: anything, or a request as it should be, at times with something in between. */
function conversation(): Buffer {
  if (random() < 0.8) return Buffer.concat(Array.from({ length: 1 + below(12) }, event));
  const events = [
    eventBytes('transcribe', { language: oneOf(['en', 'de']) }),
    eventBytes('audio-start', usualFormat),
    eventBytes('audio-chunk', usualFormat, speech),
    eventBytes('audio-stop'),
  ];
  if (random() < 0.3) events.splice(below(events.length), 0, event());
  return Buffer.concat(events);
}

/** Noise, silence, or a piece of speech. */
function soundOf(length: number): Buffer {
  const kind = below(3);
  if (kind === 0) return Buffer.from(Array.from({ length }, () => below(256)));
  return kind === 1 ? Buffer.alloc(length) : speech.subarray(0, length);
}

/** Sends bytes in pieces, and leaves in one of the ways in which clients leave. */
function visit(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let got = '';
    // the server sends the silent away itself; this is for the day on which it does not
    const patience = setTimeout(() => socket.destroy(), 5000);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      got += chunk;
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(patience);
      resolve(got);
    });
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + below(30_000);
      socket.write(bytes.subarray(at, at + length));
      at += length;
    }
    const way = random();
    if (way < 0.4) socket.end();
    else if (way < 0.6) setTimeout(() => socket.resetAndDestroy(), below(20));
    else if (way < 0.7) {
      socket.pause();
      setTimeout(() => socket.resume(), below(200));
    }
  });
}

const test = suite('hostile Wyoming');

test('nothing that is sent to the Wyoming server stops it or makes it grow', async () => {
  let recognised = 0;
  // not the faults themselves: they hold on to what they were made of
  const troubles = new Map<string, string>();
  const rig = await wyomingRig({
    maxClients: 8,
    idleMs: 50,
    mostAudioS: 5,
    onTrouble: ({ code, message, cause }) => {
      troubles.set(code, cause instanceof Error ? String(cause.stack) : message);
    },
    async recognize({ samples, language }, signal) {
      assert.ok(samples.length <= 28 * 16_000 && samples.every((sample) => Math.abs(sample) <= 1));
      recognised++;
      await sleep(below(5), signal);
      return { text: 'noise', language: language ?? 'en' } as never;
    },
  });
  const another = Number.isFinite(wanted) ? timeBox(0, wanted) : timeBox(3000, leastConnections);
  let sent = 0;
  let earlyBytes = 0;
  const answers = new Map<string, number>();
  async function attack(): Promise<void> {
    while (another()) {
      sent += 1;
      for (const [, type = ''] of (await visit(rig.port, conversation())).matchAll(
        /^.*?\{"type":"([a-z-]+)"/gm,
      )) {
        answers.set(type, (answers.get(type) ?? 0) + 1);
      }
      // after the code has been compiled and the buffers of the test have found their size
      if (earlyBytes === 0 && sent >= 1000) earlyBytes = process.memoryUsage().rss;
    }
  }
  await Promise.all(Array.from({ length: 12 }, attack));
  const known = ['WYOMING_REQUEST_INVALID', 'WYOMING_BUSY', 'MODEL_UNSUPPORTED', 'MODEL_MISSING'];
  assert.equal(
    [...troubles].filter(([code]) => !known.includes(code)),
    [],
  );
  assert.ok(recognised > 0, 'no sound was recognised');
  for (const type of ['info', 'pong', 'error', 'transcript'])
    assert.ok(answers.has(type), `no ${type} in ${sent}`);
  const grownMb = earlyBytes === 0 ? 0 : (process.memoryUsage().rss - earlyBytes) / 1e6;
  assert.ok(grownMb < 60, `grown by ${grownMb} MB`);
  if (Number.isFinite(wanted)) {
    process.stdout.write(`${sent} connections, ${recognised} segments, grown by ${grownMb.toFixed(1)} MB\n`);
  }

  // all places are free again, and who behaves is served
  await eventually('there is room for 8', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => wyomingClient(rig.port)));
    for (const client of clients) client.send('ping', { text: 'well?' });
    const answered = await Promise.all(clients.map((client) => client.next('pong').catch(() => undefined)));
    for (const client of clients) client.close();
    return answered.every((pong) => pong !== undefined);
  });
  await rig.server.close();
});

test.run();
