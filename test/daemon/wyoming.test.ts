/** The Wyoming server over real sockets, with the real detector and, where words matter, the real recognizer. */
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSound } from '../../daemon/capture/sound.ts';
import { type Deferred, deferred } from '../../daemon/deferred.ts';
import type { Recognition } from '../../daemon/events.ts';
import { Fault } from '../../daemon/faults.ts';
import { type SupervisedRecognizer, startRecognizer } from '../../daemon/recognizer/client.ts';
import { shareRecognizer } from '../../daemon/recognizer/shared.ts';
import { faultOf } from '../faults.ts';
import { embeddedSetup } from '../fixtures/daemon.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { demoDir, sentencesOf } from '../fixtures/demo.ts';
import { s16Of } from '../fixtures/wav.ts';
import { type PcmFormat, usualFormat, wyomingClient } from '../fixtures/wyoming.ts';
import { wyomingRig } from '../fixtures/wyoming-rig.ts';

const test = suite('wyoming');

/** A recording of the demo at 16 kHz. */
async function soundOf(file: string): Promise<Float32Array> {
  const { chunks } = await openSound(path.join(demoDir, file));
  const pieces: number[] = [];
  for await (const chunk of chunks) pieces.push(...chunk);
  return Float32Array.from(pieces);
}

const lights = await soundOf('lights.wav');
const household = await soundOf('household.wav');
const words = sentencesOf('lights.wav')
  .map(({ text }) => text)
  .join(' ');

/** Samples as a device of another format would send them: linear in between, both channels the same. */
function pcmOf(samples: Float32Array, { rate, width, channels }: PcmFormat): Buffer {
  const count = Math.floor((samples.length * rate) / 16_000);
  const pcm = Buffer.alloc(count * width * channels);
  for (let i = 0, at = 0; i < count; i++) {
    const position = (i * 16_000) / rate;
    const before = samples[Math.floor(position)] ?? 0;
    const after = samples[Math.floor(position) + 1] ?? before;
    const value = before + (after - before) * (position % 1);
    for (let channel = 0; channel < channels; channel++, at += width) {
      pcm.writeIntLE(Math.round(value * (2 ** (8 * width - 1) - 1)), at, width);
    }
  }
  return pcm;
}

let recognizer: SupervisedRecognizer;
test.before(async () => {
  recognizer = startRecognizer({
    setup: embeddedSetup,
    emit: () => undefined,
    environment: process.env,
    deadlineMs: 20_000,
  });
  await recognizer.loaded;
});
test.after(() => recognizer.close());

test('says what it is and what it knows, and that it is alive', async () => {
  const { server, port } = await wyomingRig();
  const client = await wyomingClient(port);
  client.send('describe');
  const { data } = await client.next('info');
  const [program] = data['asr'] as [Record<string, unknown>];
  assert.is(program['name'], 'harkd');
  assert.is(program['version'], '9.9.9');
  assert.is(program['supports_transcript_streaming'], true);
  assert.equal(program['models'], [
    {
      name: 'scripted',
      description: 'says how many segments came',
      version: '1',
      attribution: { name: 'nobody', url: 'https://example.com' },
      languages: ['en', 'de'],
      installed: true,
    },
  ]);
  client.send('ping', { text: 'hällo' });
  assert.equal((await client.next('pong')).data, { text: 'hällo' });
  client.send('ping');
  assert.equal((await client.next('pong')).data, { text: null });
  client.close();
  await server.close();
});

test('waits for the model with what it says of it', async () => {
  const loaded = deferred<undefined>();
  const { server, port } = await wyomingRig({
    model: async () => {
      await loaded.promise;
      return {
        name: 'late',
        description: '',
        version: '',
        attribution: { name: '', url: '' },
        languages: [],
      };
    },
    idleMs: 50,
  });
  const client = await wyomingClient(port);
  client.send('describe');
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.equal(client.heard, [], 'and is not sent away for being idle');
  loaded.resolve(undefined);
  const { data } = await client.next('info');
  assert.match(JSON.stringify(data), /"late"/);
  await server.close();
});

test('sound of any rate, width and number of channels becomes the words that were spoken', async () => {
  const { guest } = shareRecognizer(recognizer);
  const { server, port, troubles } = await wyomingRig({ recognize: guest });
  const formats: readonly PcmFormat[] = [
    usualFormat,
    { rate: 48_000, width: 2, channels: 2 },
    { rate: 44_100, width: 4, channels: 1 },
    { rate: 22_050, width: 3, channels: 3 },
    { rate: 16_000, width: 1, channels: 1 },
  ];
  const client = await wyomingClient(port);
  for (const format of formats) {
    for (const chunkBytes of [1000, 4096]) {
      const { data } = await client.transcribe(pcmOf(lights, format), { format, chunkBytes });
      assert.equal(data, { text: words, language: 'en' }, JSON.stringify({ format, chunkBytes }));
      await client.next('transcript-stop');
    }
  }
  assert.equal(troubles, []);
  client.close();
  await server.close();
});

test('several sentences come in parts, and then as a whole; several clients each have their own', async () => {
  const { guest } = shareRecognizer(recognizer);
  const { server, port } = await wyomingRig({ recognize: guest });
  const spoken = sentencesOf('household.wav').map(({ text }) => text);
  const rooms = await Promise.all([wyomingClient(port), wyomingClient(port), wyomingClient(port)]);
  const sounds = [household, lights, household];
  const texts = await Promise.all(
    rooms.map(async (client, i) => {
      const { data } = await client.transcribe(s16Of(sounds[i] ?? []), { language: 'en-GB' });
      await client.next('transcript-stop');
      return data['text'];
    }),
  );
  assert.equal(texts, [spoken.join(' '), words, spoken.join(' ')]);
  const [first] = rooms;
  assert.equal(
    first?.heard.map(({ type }) => type),
    ['transcript-start', ...spoken.map(() => 'transcript-chunk'), 'transcript', 'transcript-stop'],
  );
  const parts = first?.heard.flatMap(({ type, data }) => (type === 'transcript-chunk' ? [data['text']] : []));
  assert.is(parts?.join(''), spoken.join(' '));
  await server.close();
});

test('sound in which nobody speaks, and no sound at all, have an empty text', async () => {
  const { server, port, asked } = await wyomingRig();
  const client = await wyomingClient(port);
  const { data } = await client.transcribe(Buffer.alloc(64_000), { language: 'de' });
  assert.equal(data, { text: '', language: 'de' });
  client.send('audio-stop');
  assert.equal((await client.next('transcript')).data, { text: '' });
  client.send('audio-start', usualFormat);
  client.send('audio-stop');
  assert.equal((await client.next('transcript')).data, { text: '' });
  await client.next('transcript-stop');
  assert.is(asked.length, 0);
  client.close();
  await server.close();
});

test('long sound is cut, and none of its pieces is longer than a model takes', async () => {
  const { server, port, asked } = await wyomingRig();
  const client = await wyomingClient(port);
  // half a second of speech again and again, without a pause
  const syllable = lights.subarray(16_000, 24_000);
  const long = Float32Array.from({ length: 70 * 16_000 }, (_, i) => syllable[i % syllable.length] ?? 0);
  const { data } = await client.transcribe(s16Of(long), { chunkBytes: 60_000 });
  assert.ok(asked.length >= 3, `${asked.length} segments`);
  for (const { samples } of asked) assert.ok(samples.length <= 30 * 16_000, `${samples.length} samples`);
  assert.is(data['text'], asked.map((_, i) => `segment ${i + 1}`).join(' '));
  client.close();
  await server.close();
});

test('a question in the middle of sound is answered, and what is not known passed over', async () => {
  const { server, port } = await wyomingRig();
  const client = await wyomingClient(port);
  const pcm = s16Of(lights);
  client.send('select-program', { name: 'another' });
  client.send('transcribe', { name: 'scripted', transcript_names: ['Anna'] });
  // the format of the first chunk counts where there is no start
  client.send('audio-chunk', usualFormat, pcm.subarray(0, 32_000));
  client.send('ping', { text: 'still there?' });
  client.send('what-is-this', {}, Buffer.from('\n\n'));
  client.send('describe');
  client.send('audio-chunk', usualFormat, pcm.subarray(32_000));
  client.send('audio-stop');
  assert.is((await client.next('transcript')).data['text'], 'segment 1');
  assert.equal(
    client.heard.slice(0, 2).map(({ type }) => type),
    ['pong', 'info'],
  );
  client.close();
  await server.close();
});

test('the language asked for is the one recognised with, for that request only', async () => {
  const { server, port, asked } = await wyomingRig();
  const client = await wyomingClient(port);
  for (const [language, expected] of [
    ['de', 'de'],
    ['de-CH', 'de'],
    ['EN_us', 'en'],
    ['auto', 'auto'],
    ['', undefined],
    [undefined, undefined],
  ]) {
    await client.transcribe(s16Of(lights), language === undefined ? {} : { language });
    assert.is(asked.at(-1)?.language, expected, language);
  }
  client.close();
  await server.close();
});

test('what cannot be answered is an error with a reason, and the end', async () => {
  const { server, port, troubles } = await wyomingRig({ mostAudioS: 3 });
  const chunk = (data: object, payload = Buffer.alloc(3200)) => ['audio-chunk', data, payload] as const;
  const stereo = { ...usualFormat, channels: 2 };
  type Sent = readonly [type: string, data?: object, payload?: Buffer];
  const cases: [what: string, events: readonly Sent[], code: string, text: RegExp][] = [
    [
      'a language it does not know',
      [
        ['transcribe', { language: 'tlh' }],
        ['audio-start', usualFormat],
      ],
      'MODEL_UNSUPPORTED',
      /"tlh" was asked for, scripted knows en, de/,
    ],
    [
      'a model it does not have',
      [
        ['transcribe', { name: 'large' }],
        ['audio-start', usualFormat],
      ],
      'MODEL_MISSING',
      /"large" was asked for, the model here is scripted/,
    ],
    ['sound without a format', [['audio-start']], 'WYOMING_REQUEST_INVALID', /the rate of sound/],
    [
      'sound that changes',
      [['audio-start', usualFormat], chunk(stereo)],
      'WYOMING_REQUEST_INVALID',
      /keeps its rate, width and channels/,
    ],
    [
      'too much sound',
      [['audio-start', usualFormat], ...Array.from({ length: 40 }, () => chunk(usualFormat))],
      'WYOMING_REQUEST_INVALID',
      /at most 3 s/,
    ],
  ];
  for (const [what, events, code, text] of cases) {
    const client = await wyomingClient(port);
    for (const event of events) client.send(...event);
    const { data } = await client.next('error');
    assert.is(data['code'], code, what);
    assert.match(String(data['text']), text, what);
    await client.ended;
    assert.is(troubles.at(-1)?.code, code);
  }
  assert.is(troubles.length, cases.length);
  // lines that are no events at all
  const stray = await wyomingClient(port);
  stray.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(String((await stray.next('error')).data['text']), /header of an event is JSON/);
  await stray.ended;
  await server.close();
});

test('what goes wrong with the recognizer is told, a bug without its details', async () => {
  const failures = [
    new Fault('RECOGNIZER_TIMEOUT', 'no answer after 100 ms', ''),
    new TypeError('x is undefined in /home/me'),
  ];
  const { server, port, troubles } = await wyomingRig({
    async recognize() {
      throw failures[troubles.length];
    },
  });
  for (const expected of [
    { code: 'RECOGNIZER_TIMEOUT', text: 'no answer after 100 ms' },
    { code: 'INTERNAL', text: 'this is a bug of harkd: its log says more' },
  ]) {
    const client = await wyomingClient(port);
    const failed = client.transcribe(s16Of(lights)).catch(() => undefined);
    assert.equal((await client.next('error')).data, expected);
    await failed;
    await client.ended;
  }
  assert.is(troubles[1]?.cause, failures[1], 'for the log');
  await server.close();
});

test('who is silent is sent away, in the middle of an event or before one', async () => {
  const { server, port } = await wyomingRig({ idleMs: 60 });
  const silent = await wyomingClient(port);
  const half = await wyomingClient(port);
  half.socket.write('{"type":"audio-chunk","payload_length":100}\nabc');
  const rest = await wyomingClient(port);
  rest.send('audio-start', usualFormat);
  for (const client of [silent, half, rest]) {
    assert.match(String((await client.next('error')).data['text']), /within 0.06 s/);
    await client.ended;
  }
  await server.close();
});

test('there are only so many clients at a time, and room again when one leaves', async () => {
  const { server, port } = await wyomingRig({ maxClients: 2 });
  const clients = await Promise.all([wyomingClient(port), wyomingClient(port)]);
  for (const client of clients) {
    client.send('ping');
    await client.next('pong');
  }
  const third = await wyomingClient(port);
  assert.equal((await third.next('error')).data, {
    code: 'WYOMING_BUSY',
    text: '2 clients are here already',
  });
  await third.ended;
  clients[0]?.close();
  await eventually('there is room', async () => {
    const client = await wyomingClient(port);
    client.send('ping');
    return client.next('pong').then(
      () => true,
      () => false,
    );
  });
  await server.close();
});

test('a client that leaves while it is recognised leaves nothing behind', async () => {
  const answers: Deferred<Recognition>[] = [];
  const { server, port, troubles } = await wyomingRig({
    recognize() {
      const answer = deferred<Recognition>();
      answers.push(answer);
      return answer.promise;
    },
  });
  const client = await wyomingClient(port);
  void client.transcribe(s16Of(lights)).catch(() => undefined);
  await eventually('it is being recognised', () => answers.length === 1);
  client.socket.resetAndDestroy();
  answers[0]?.resolve({ text: 'too late', language: 'en' } as Recognition);
  // in the middle of sound, too
  const second = await wyomingClient(port);
  second.send('audio-start', usualFormat);
  second.send('audio-chunk', usualFormat, s16Of(lights).subarray(0, 10_000));
  second.close();
  const third = await wyomingClient(port);
  third.send('ping', { text: 'all well?' });
  await third.next('pong');
  assert.equal(troubles, []);
  await server.close();
});

test('who asks and does not read waits, and nothing is piled up for it', async () => {
  const { server, port } = await wyomingRig();
  const client = await wyomingClient(port);
  client.socket.pause();
  const text = 'x'.repeat(100_000);
  for (let i = 0; i < 300; i++) client.send('ping', { text });
  const unread = () => client.socket.writableLength;
  let before = -1;
  await eventually('it takes no more', async () => {
    const now = unread();
    const stands = now === before && now > 0;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return stands;
  });
  assert.ok(before > 10_000_000, `${before} of 30 MB wait on the client's side`);
  client.close();
  await server.close();
});

test('a client that stays and sends for long leaves nothing behind of what it sent', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { server, port } = await wyomingRig();
  const client = await wyomingClient(port);
  const payload = Buffer.alloc(1024 * 1024);
  const sendMany = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) client.send('audio-of-another-kind', {}, payload);
    client.send('ping');
    await client.next('pong');
    await client.transcribe(s16Of(lights));
  };
  const heldMb = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers / 1e6;
  };
  await sendMany();
  const beforeMb = heldMb();
  await sendMany();
  // what was collected is given back by another thread, when it gets to it
  await eventually('of 40 MB less than 10 are held', () => heldMb() - beforeMb < 10);
  client.close();
  await server.close();
});

test('who is here when it is closed is told, and the port is free again', async () => {
  const { server, port } = await wyomingRig();
  const idle = await wyomingClient(port);
  const speaking = await wyomingClient(port);
  speaking.send('audio-start', usualFormat);
  speaking.send('audio-chunk', usualFormat, Buffer.alloc(3200));
  speaking.send('ping');
  await speaking.next('pong');
  const closing = server.close();
  for (const client of [idle, speaking]) {
    assert.equal((await client.next('error')).data, {
      code: 'INTERRUPTED',
      text: 'harkd is being stopped',
    });
    await client.ended;
  }
  await closing;
  const again = await wyomingRig({ port });
  const taken = await faultOf(() => wyomingRig({ port }));
  assert.is(taken.code, 'WYOMING_UNAVAILABLE');
  assert.match(taken.message, /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  await again.server.close();
});

test('a client that ends its half of the connection is still answered', async () => {
  const { server, port } = await wyomingRig();
  const client = await wyomingClient(port);
  const answer = client.transcribe(s16Of(lights));
  client.socket.end();
  assert.is((await answer).data['text'], 'segment 1');
  await client.ended;
  assert.is(client.heard.at(-1)?.type, 'transcript-stop');
  await server.close();
});

test.run();
