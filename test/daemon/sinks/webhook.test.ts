import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Sink } from '../../../daemon/events.ts';
import { memoryOutbox, type Outbox } from '../../../daemon/outbox.ts';
import { type WebhookSinkOptions, webhookSink } from '../../../daemon/sinks/webhook.ts';
import { freePort } from '../../fixtures/broker.ts';
import { type EventLog, eventLog, eventually, said, transcriptOf } from '../../fixtures/daemon-events.ts';
import {
  type Answerer,
  answerAsRasa,
  answerOk,
  answerStatus,
  type WebhookServer,
  webhookServer,
} from '../../fixtures/webhook-server.ts';

type Rig = {
  readonly sink: Sink;
  readonly log: EventLog;
  readonly outbox: Outbox;
  readonly dropped: [string, string][];
};
type World = { servers: WebhookServer[]; rigs: Rig[] };

const test = suite<World>('daemon/sinks/webhook');

test.before.each((world) => {
  world.servers = [];
  world.rigs = [];
});
test.after.each(async (world) => {
  await Promise.all(world.rigs.map(({ sink }) => sink.close(100)));
  await Promise.all(world.servers.map(({ close }) => close()));
});

async function serve(world: World, answer?: Answerer, port?: number): Promise<WebhookServer> {
  const server = await webhookServer(answer, port);
  world.servers.push(server);
  return server;
}
function rigOf(world: World, url: string, options: Partial<WebhookSinkOptions> = {}): Rig {
  const log = eventLog();
  const dropped: [string, string][] = [];
  const outbox = options.outbox ?? memoryOutbox();
  const sink = webhookSink({
    url,
    preset: 'json',
    headers: [],
    timeoutMs: 5000,
    sender: 'kitchen',
    bootId: 'boot',
    outbox,
    emit: log.emit,
    onDropped: (ids, why) => void dropped.push(...ids.map((id): [string, string] => [id, why])),
    replayAfterMs: 60_000,
    retry: { firstMs: 20, mostMs: 40 },
    ...options,
  });
  const rig = { sink, log, outbox, dropped };
  world.rigs.push(rig);
  return rig;
}
const empty = ({ outbox }: Rig) => eventually('delivered', () => outbox.depth() === 0);
const seqsOf = ({ posted }: WebhookServer) =>
  posted.map(({ body }) => (JSON.parse(body) as { seq: number }).seq);
const codesOf = ({ log }: Rig) => log.of('fault').map(({ code }) => code);
const rasaPath = '/webhooks/rest/webhook';

test('each final is one POST of the message on `transcript`, with the headers that were asked for', async (world) => {
  const server = await serve(world);
  const rig = rigOf(world, `${server.url}/hook/secret?x=1`, {
    headers: ['X-Api-Key: a:b c', 'X-Room:kitchen'],
    token: 'token-of-ours',
  });
  rig.sink.publish(said(1, 'Zwölf Äpfel — “twelve” 🍎'));
  await empty(rig);
  const [request] = server.posted;
  assert.equal([request?.method, request?.path], ['POST', '/hook/secret?x=1']);
  assert.equal(JSON.parse(request?.body ?? ''), {
    event_type: 'final',
    ...transcriptOf(1, 'Zwölf Äpfel — “twelve” 🍎'),
    replayed: false,
  });
  assert.is(request?.headers['x-api-key'], 'a:b c');
  assert.is(request?.headers['x-room'], 'kitchen');
  assert.is(request?.headers.authorization, 'Bearer token-of-ours');
  assert.is(request?.headers['content-type'], 'application/json');
  assert.equal(rig.log.all, []);
});

test('finals come in the order they were said, one at a time, and nothing else does', async (world) => {
  const server = await serve(world);
  const rig = rigOf(world, server.url);
  rig.sink.publish({ type: 'speech-started', atMs: 1 });
  for (let seq = 1; seq <= 200; seq++) rig.sink.publish(said(seq));
  await empty(rig);
  assert.equal(
    seqsOf(server),
    Array.from({ length: 200 }, (_, i) => i + 1),
  );
  assert.is(server.mostAtOnce(), 1);
});

test('a server in trouble is tried again, the first stays first, and says that it is replayed', async (world) => {
  const server = await serve(world, (request, response, count) =>
    (count <= 3 ? answerStatus([503, 429, 500][count - 1] ?? 500) : answerOk)(request, response, count),
  );
  const rig = rigOf(world, server.url);
  rig.sink.publish(said(1));
  rig.sink.publish(said(2));
  await empty(rig);
  assert.equal(seqsOf(server), [1, 1, 1, 1, 2]);
  assert.equal(
    server.posted.map(({ body }) => (JSON.parse(body) as { replayed: boolean }).replayed),
    [false, true, true, true, false],
  );
  assert.equal(codesOf(rig), ['WEBHOOK_UNREACHABLE'], 'told once');
  assert.match(rig.log.of('fault')[0]?.message ?? '', /answered 503/);
  assert.is(rig.log.of('recovered').length, 1);
  assert.equal(rig.dropped, []);
});

test('a server that is not there loses nothing', async (world) => {
  const port = await freePort();
  const rig = rigOf(world, `http://127.0.0.1:${port}/secret-path`);
  for (let seq = 1; seq <= 5; seq++) rig.sink.publish(said(seq));
  await rig.log.until('told', () => codesOf(rig).length > 0);
  assert.not.match(rig.log.of('fault')[0]?.message ?? '', /secret-path/, 'a path is often a password');
  const server = await serve(world, answerOk, port);
  await empty(rig);
  assert.equal(seqsOf(server), [1, 2, 3, 4, 5]);
  assert.is(rig.log.of('recovered').length, 1);
});

test('what is refused is dropped aloud, and the next one goes', async (world) => {
  const server = await serve(world, (request, response, count) =>
    (count <= 2 ? answerStatus(422) : answerOk)(request, response, count),
  );
  const rig = rigOf(world, server.url);
  for (let seq = 1; seq <= 3; seq++) rig.sink.publish(said(seq));
  await empty(rig);
  assert.equal(seqsOf(server), [1, 2, 3]);
  assert.equal(rig.dropped, [
    ['boot-1', 'answered 422'],
    ['boot-2', 'answered 422'],
  ]);
  assert.equal(codesOf(rig), ['WEBHOOK_REFUSED']);
  assert.is(rig.log.of('recovered').length, 1);
});

test('a redirect is refused: what was said goes nowhere else', async (world) => {
  const other = await serve(world);
  for (const status of [301, 302, 303, 307, 308]) {
    const server = await serve(world, answerStatus(status, { location: `${other.url}/collect` }));
    const rig = rigOf(world, server.url, { token: 'ours' });
    rig.sink.publish(said(1));
    await empty(rig);
    assert.match(rig.dropped[0]?.[1] ?? '', /leads elsewhere and is not followed/, String(status));
  }
  assert.is(other.posted.length, 0);
});

test('Rasa answers a sentence with replies, in order, its fields and no others', async (world) => {
  const server = await serve(world, answerAsRasa);
  const rig = rigOf(world, server.url + rasaPath, { preset: 'rasa', maxAgeS: 30 });
  rig.sink.publish(said(1, 'turn on the lamp'));
  await empty(rig);
  assert.equal(JSON.parse(server.posted[0]?.body ?? ''), { sender: 'kitchen', message: 'turn on the lamp' });
  assert.equal(
    rig.log.of('reply').map(({ reply }) => reply),
    [
      { id: 'boot-1', recipient: 'kitchen', text: 'you said: turn on the lamp' },
      {
        id: 'boot-1',
        recipient: 'kitchen',
        text: 'more?',
        buttons: [{ title: 'yes', payload: '/affirm' }],
      },
      { id: 'boot-1', recipient: 'kitchen', image: 'https://rasa.example/lamp.png' },
    ],
  );
  assert.equal(codesOf(rig), []);
});

/** Answers of which nothing comes but a fault: the sentence counts as heard, and is not said twice. */
const nonsense: Readonly<Record<string, Answerer>> = {
  nothing: (_, response) => void response.end(),
  'not JSON': (_, response) => void response.end('<!DOCTYPE html>'),
  'no list': (_, response) => void response.end('{"recipient_id":"kitchen"}'),
  'a list of no replies': (_, response) => void response.end('[1,null,"x"]'),
  'too many replies': (_, response) => void response.end(`[${'{},'.repeat(500)}{}]`),
  'a reply without a bottom': (_, response) =>
    void response.end(`[{"custom":${'['.repeat(30_000)}${']'.repeat(30_000)}}]`),
  'no end': (_, response) => {
    const pour = () => {
      while (!response.destroyed && response.write('['.repeat(65_536)));
    };
    response.on('drain', pour);
    pour();
  },
  'a drop at a time': (_, response) => {
    const timer = setInterval(() => response.write(' '), 10);
    response.once('close', () => clearInterval(timer));
  },
  'half of what it announced': (_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('[');
    setTimeout(() => response.destroy(), 20);
  },
  'bytes that are no text': (_, response) => void response.end(Buffer.from([0xff, 0xfe, 0x00, 0x5b])),
};

for (const [what, answer] of Object.entries(nonsense)) {
  test(`an assistant that answers with ${what} is told of, once, and stops nothing`, async (world) => {
    const server = await serve(world, (request, response, count) =>
      (count <= 2 ? answer : answerAsRasa)(request, response, count),
    );
    const rig = rigOf(world, server.url + rasaPath, { preset: 'rasa', timeoutMs: 250 });
    for (let seq = 1; seq <= 3; seq++) rig.sink.publish(said(seq));
    await empty(rig);
    assert.is(server.posted.length, 3, 'each sentence once');
    assert.equal(codesOf(rig), ['WEBHOOK_ANSWER_INVALID']);
    assert.is(rig.log.of('recovered').length, 1);
    assert.is(rig.log.of('reply').length, 3, 'of the last sentence');
  });
}

test('one that hangs, hangs up, or speaks no HTTP is tried again', async (world) => {
  const misdeeds: Readonly<Record<string, (write: (bytes: string) => void, hangUp: () => void) => void>> = {
    hangs: () => undefined,
    'hangs up': (_, hangUp) => hangUp(),
    'speaks no HTTP': (write) => write('220 mail.example ESMTP\r\n'),
    'sends headers without end': (write) => write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`),
  };
  for (const [what, misbehave] of Object.entries(misdeeds)) {
    const port = await freePort();
    let tries = 0;
    const bad = createServer((socket) => {
      tries += 1;
      socket.on('error', () => undefined);
      socket.once('data', () =>
        misbehave(
          (bytes) => void socket.write(bytes),
          () => void socket.destroy(),
        ),
      );
    }).listen(port, '127.0.0.1');
    const rig = rigOf(world, `http://127.0.0.1:${port}`, { timeoutMs: 150 });
    rig.sink.publish(said(1));
    await eventually(`tried again one that ${what}`, () => tries >= 2);
    assert.equal(codesOf(rig), ['WEBHOOK_UNREACHABLE'], what);
    assert.is(rig.outbox.depth(), 1, what);
    bad.close();
    await rig.sink.close(0);
  }
});

test('what is too old when its turn comes, or was left by a run before, is given up aloud', async (world) => {
  const outbox = memoryOutbox();
  const body = JSON.stringify(transcriptOf(9));
  outbox.append({ id: 'before-9', createdAtMs: Date.now(), bootId: 'before', body });
  const server = await serve(world, (request, response, count) => {
    // the second sentence waits for the answer to the first until it is old
    if (count === 1) setTimeout(() => answerAsRasa(request, response, count), 1200);
    else answerAsRasa(request, response, count);
  });
  const rig = rigOf(world, server.url + rasaPath, { preset: 'rasa', maxAgeS: 1, outbox });
  rig.sink.publish(said(1));
  rig.sink.publish(said(2));
  await empty(rig);
  assert.is(server.posted.length, 1);
  assert.equal(rig.dropped, [
    ['before-9', 'older than 1 s'],
    ['boot-2', 'older than 1 s'],
  ]);
});

test('without an age, what a run before left is sent as replayed', async (world) => {
  const outbox = memoryOutbox();
  outbox.append({ id: 'before-9', createdAtMs: 0, bootId: 'before', body: JSON.stringify(transcriptOf(9)) });
  const server = await serve(world);
  const rig = rigOf(world, server.url, { outbox });
  await empty(rig);
  assert.is((JSON.parse(server.posted[0]?.body ?? '') as { replayed: boolean }).replayed, true);
});

test('an outbox that is full gives up the oldest aloud', async (world) => {
  const rig = rigOf(world, `http://127.0.0.1:${await freePort()}`, {
    outbox: memoryOutbox({ maxEntries: 2 }),
  });
  for (let seq = 1; seq <= 4; seq++) rig.sink.publish(said(seq));
  assert.equal(
    rig.dropped.map(([id]) => id),
    ['boot-1', 'boot-2'],
  );
});

test('its end tries once more, waits no longer than it may, and counts what is left', async (world) => {
  const port = await freePort();
  const patient = { retry: { firstMs: 60_000, mostMs: 60_000 } };
  const rig = rigOf(world, `http://127.0.0.1:${port}`, patient);
  rig.sink.publish(said(1));
  await rig.log.until('told', () => codesOf(rig).length > 0);
  const server = await serve(world, answerOk, port);
  assert.equal(await rig.sink.close(5000), { undelivered: 0 });
  assert.equal(seqsOf(server), [1]);

  const hangs = await serve(world, () => undefined);
  const left = rigOf(world, hangs.url);
  left.sink.publish(said(1));
  left.sink.publish(said(2));
  const beganAtMs = performance.now();
  assert.equal(await left.sink.close(200), { undelivered: 2 });
  assert.ok(performance.now() - beganAtMs < 2000, 'what is under way is broken off');
  assert.equal(await left.sink.close(200), { undelivered: 2 }, 'twice is once');

  const old = rigOf(world, hangs.url, { maxAgeS: 30 });
  old.sink.publish(said(1));
  assert.equal(await old.sink.close(50), { undelivered: 0 });
  assert.equal(old.dropped, [['boot-1', 'harkd stops']]);
});

test.run();
