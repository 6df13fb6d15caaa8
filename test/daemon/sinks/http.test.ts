import { once } from 'node:events';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DaemonEvent } from '../../../daemon/events.ts';
import { Fault } from '../../../daemon/faults.ts';
import type { StreamMessages } from '../../../daemon/sinks/http/messages.ts';
import type { HttpSinkOptions } from '../../../daemon/sinks/http.ts';
import { everyEvent } from '../../every-event.ts';
import { eventually, said, transcriptOf } from '../../fixtures/daemon-events.ts';
import type { HttpRig } from '../../fixtures/http.ts';
import { ask, httpRig, listenToStream, sendRaw, wellEvents } from '../../fixtures/http.ts';

type World = { rigs: HttpRig[] };
const test = suite<World>('daemon/sinks/http');

test.before.each((world) => {
  world.rigs = [];
});
test.after.each(async ({ rigs }) => {
  for (const { sink, failures } of rigs) {
    await sink.close(1000);
    assert.equal(failures, []);
  }
});

async function start(world: World, options: Partial<HttpSinkOptions> = {}) {
  const rig = await httpRig(options);
  world.rigs.push(rig);
  return { ...rig, port: rig.sink.port };
}

const post = 'POST /mute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
const token = 'a-token-of-24-characters';
const partial = (rev: number, text: string): DaemonEvent => ({
  type: 'partial',
  partial: { id: 'boot-9', rev, text, stableChars: 0, language: 'en' },
});
const faultOf = (promise: Promise<unknown>): Promise<Fault> =>
  promise.then(
    () => assert.unreachable('expected a fault'),
    (thrown) => thrown,
  );

test('serves its two pages and what they name, all of it its own, under a policy without inline', async (world) => {
  const { port } = await start(world);
  for (const path of ['/', '/status']) {
    const page = await ask(port, path);
    assert.is(page.status, 200);
    assert.is(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.not.match(page.text, /https?:|\/\/[a-z]|style=|<style|\son[a-z]+=|<script>|javascript:/i);
    const linked = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => `/${link}`);
    assert.ok(linked.length >= 3);
    while (linked.length > 0) {
      const link = linked.pop() ?? '';
      const asset = await ask(port, link);
      assert.is(asset.status, 200, link);
      assert.not.match(asset.text, /@import|url\(/, link);
      for (const [, next] of asset.text.matchAll(/from '\.\/([^']+)'/g)) linked.push(`/page/${next}`);
    }
    const directives = String(page.headers['content-security-policy']).split('; ');
    assert.ok(directives.includes("default-src 'none'"));
    assert.ok(directives.includes("script-src 'self'") && directives.includes("style-src 'self'"));
    assert.not.match(directives.join(' '), /unsafe|\*\.|https?:|data:/);
    assert.is(page.headers['x-content-type-options'], 'nosniff');
    assert.is(page.headers['referrer-policy'], 'no-referrer');
  }
  assert.match(String((await ask(port, '/')).headers['content-security-policy']), /frame-ancestors \*/);
  const status = await ask(port, '/status');
  assert.match(String(status.headers['content-security-policy']), /frame-ancestors 'none'/);
  assert.is(status.headers['x-frame-options'], 'DENY');
});

test('a page that has not changed is not sent again', async (world) => {
  const { port } = await start(world);
  const { headers } = await ask(port, '/page/captions.js');
  const again = await ask(port, '/page/captions.js', { headers: { 'If-None-Match': headers.etag } });
  assert.equal([again.status, again.text], [304, '']);
});

test('knows its paths and their methods, and nothing else', async (world) => {
  const { port } = await start(world);
  const expected: readonly (readonly [string, string, number])[] = [
    ['GET', '/nothing', 404],
    ['GET', '/page/', 404],
    ['GET', '/page/../http.js', 404],
    ['GET', '/page/captions.html', 404],
    ['GET', '/page/captions.js.map', 404],
    ['GET', '/page/%2e%2e/http.js', 404],
    ['GET', '//', 404],
    ['GET', '/constructor', 404],
    ['POST', '/', 405],
    ['PUT', '/mute', 405],
    ['GET', '/mute', 405],
    ['OPTIONS', '/events', 405],
    ['DELETE', '/metrics', 405],
    ['HEAD', '/', 200],
    ['HEAD', '/events', 200],
  ];
  for (const [method, path, status] of expected) {
    const got = await ask(port, path, { method });
    assert.is(got.status, status, `${method} ${path}`);
    assert.is(got.headers['x-content-type-options'], 'nosniff');
    if (status === 405) assert.ok(got.headers.allow);
    if (method === 'HEAD') assert.is(got.text, '');
  }
});

test('is well only while microphone, recognizer and broker are, and says who is not', async (world) => {
  const { port, tell } = await start(world);
  const check = async () => {
    const { status, text } = await ask(port, '/healthz');
    const { status: word, reasons } = JSON.parse(text);
    assert.is(word, status === 200 ? 'ok' : 'unwell');
    return { status, components: reasons.map(({ component }: { component: string }) => component), reasons };
  };
  assert.equal((await check()).components, ['microphone', 'recognizer', 'broker']);
  tell(...wellEvents);
  assert.equal(await check(), { status: 200, components: [], reasons: [] });

  const breakages: readonly (readonly [DaemonEvent, DaemonEvent, string])[] = [
    [
      { type: 'microphone', state: 'lost', device: 'x' },
      { type: 'microphone', state: 'listening', device: 'x' },
      'microphone',
    ],
    [
      { type: 'microphone', state: 'ended', device: 'x' },
      { type: 'microphone', state: 'listening', device: 'x' },
      'microphone',
    ],
    [{ type: 'recognizer', state: 'restarting' }, { type: 'recognizer', state: 'busy' }, 'recognizer'],
    [{ type: 'broker', state: 'offline', url: 'x' }, { type: 'broker', state: 'online', url: 'x' }, 'broker'],
    [everyEvent.fault, everyEvent.recovered, 'broker'],
  ];
  for (const [breaks, mends, component] of breakages) {
    tell(breaks);
    const broken = await check();
    assert.equal([broken.status, broken.components], [503, [component]]);
    tell(mends);
    assert.is((await check()).status, 200);
  }
  tell(everyEvent.fault);
  const { type: _, ...fault } = everyEvent.fault;
  assert.equal((await check()).reasons, [fault]);
  tell(everyEvent.recovered);

  // it hears and delivers
  for (const component of ['outbox', 'record', 'webhook', 'webhook-outbox'] as const) {
    tell({ ...everyEvent.fault, component });
    assert.is((await check()).status, 200, component);
    tell({ ...everyEvent.recovered, component });
  }

  // it does as it was told
  tell({ type: 'mute', muted: true }, { type: 'microphone', state: 'muted', device: 'x' });
  assert.is((await check()).status, 200);
});

test('metrics are in the exposition format, and count what happened', async (world) => {
  const { port, tell } = await start(world);
  tell(...wellEvents, said(1), said(2), said(3), ...Object.values(everyEvent));
  const { headers, text } = await ask(port, '/metrics');
  assert.is(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const samples = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type) typed.add(type[1] ?? '');
    if (line === '' || line.startsWith('#')) continue;
    const sample = /^([a-z_]+)(\{(?:[a-z_]+="[^"\\]*",?)+\})? (-?[0-9.e+-]+)$/.exec(line);
    assert.ok(sample, line);
    const [, name = '', labels = '', value] = sample ?? [];
    assert.ok(typed.has(name) || typed.has(name.replace(/_(bucket|sum|count)$/, '')), name);
    samples.set(name + labels, Number(value));
  }
  const expected: Readonly<Record<string, number>> = {
    harkd_transcripts_total: 4,
    harkd_latency_seconds_count: 4,
    'harkd_latency_seconds_bucket{le="0.3"}': 0,
    'harkd_latency_seconds_bucket{le="0.5"}': 4,
    'harkd_segments_empty_total{reason="no-speech"}': 1,
    'harkd_segments_dropped_total{reason="queue-full"}': 1,
    'harkd_faults_total{component="broker",code="BROKER_UNREACHABLE"}': 1,
    harkd_audio_lost_seconds_total: 0.12,
    harkd_level_dbfs: -40,
    harkd_queue_seconds: 1.5,
    harkd_outbox_depth: 2,
    harkd_muted: 1,
    harkd_memory_bytes: Math.round(183.4 * 1024 * 1024),
    harkd_cpu_temperature_celsius: 51.2,
    'harkd_up{component="broker"}': 1,
    'harkd_info{version="9.9.9",model="embedded",provider="cpu"}': 1,
  };
  for (const [name, value] of Object.entries(expected)) assert.is(samples.get(name), value, name);
});

test('what cannot be measured is left out of the metrics, not 0', async (world) => {
  const { port, tell } = await start(world);
  tell(...wellEvents, { type: 'level', levelDbfs: Number.NEGATIVE_INFINITY, atMs: 0 });
  assert.not.match((await ask(port, '/metrics')).text, /^harkd_level_dbfs /m);
});

test('the stream tells a listener where things stand, and then what happens', async (world) => {
  const { port, tell } = await start(world);
  tell(...wellEvents, { type: 'speech-started', atMs: 0 });
  const listening = await listenToStream(port);
  await listening.until('health', 1);
  assert.equal(listening.of('speech')[0]?.data, { speaking: true });
  assert.equal(listening.of('mute')[0]?.data, { muted: false });
  const view = listening.of('health')[0]?.data as StreamMessages['health'];
  assert.equal([view.well, view.version], [true, '9.9.9']);
  assert.is(view.latency.counts.length, view.latency.boundsMs.length + 1);

  tell(
    partial(1, 'turn on'),
    { type: 'level', levelDbfs: -31.5, atMs: 0 },
    said(7, 'two\nlines\r and a \u2028 more'),
  );
  const [final] = await listening.until('final', 1);
  assert.is(final?.id, 'boot-7');
  assert.equal(final?.data, {
    ...transcriptOf(7, 'two\nlines\r and a \u2028 more'),
    ageMs: 0,
    replayed: false,
  });
  assert.equal(listening.of('partial')[0]?.data, {
    id: 'boot-9',
    rev: 1,
    text: 'turn on',
    stableChars: 0,
    language: 'en',
  });
  assert.equal(listening.of('level')[0]?.data, { levelDbfs: -31.5 });

  tell({ type: 'broker', state: 'offline', url: 'x' });
  const [, health] = await listening.until('health', 2);
  const after = health?.data as StreamMessages['health'] | undefined;
  assert.equal(after?.reasons, [{ component: 'broker', message: 'is away' }]);
  listening.close();
});

test('an interim text that comes to nothing is taken back', async (world) => {
  const { port, tell } = await start(world);
  const listening = await listenToStream(port, '?only=partial');
  const empty = (segmentId: string): DaemonEvent => ({ ...everyEvent['segment-empty'], segmentId });
  tell(partial(4, 'uh'), empty('another'), empty('boot-9'), empty('boot-9'));
  const texts = (await listening.until('partial', 2)).map(
    ({ data }) => data as { rev: number; text: string },
  );
  assert.equal(
    texts.map(({ rev, text }) => [rev, text]),
    [
      [4, 'uh'],
      [5, ''],
    ],
  );
  listening.close();
});

test('who asks for some kinds gets those', async (world) => {
  const { port, tell } = await start(world, { beatMs: 30 });
  const listening = await listenToStream(port, '?only=speech,final');
  tell(
    partial(1, 'no'),
    said(1),
    { type: 'level', levelDbfs: -10, atMs: 0 },
    { type: 'speech-ended', atMs: 0 },
  );
  await listening.until('speech', 2);
  await listening.until('beat', 2);
  assert.equal(new Set(listening.all.map(({ kind }) => kind)), new Set(['speech', 'final', 'beat']));
  listening.close();
});

test('who comes back gets the finals it missed, once, in order, marked as replayed', async (world) => {
  const { port, tell } = await start(world);
  for (let seq = 1; seq <= 5; seq++) tell(said(seq));
  const finals = async (query: string, headers = {}) => {
    const listening = await listenToStream(port, query, headers);
    await listening.until('health', 1);
    listening.close();
    const replayed = listening.of('final').map(({ data }) => data as { seq: number; replayed: boolean });
    assert.ok(replayed.every((final) => final.replayed));
    return replayed.map(({ seq }) => seq);
  };
  assert.equal(await finals(''), []);
  assert.equal(await finals('', { 'Last-Event-ID': 'boot-3' }), [4, 5]);
  assert.equal(await finals('?lastEventId=boot-3'), [4, 5]);
  assert.equal(await finals('?lastEventId=boot-5'), []);
  // the daemon was restarted meanwhile: all it has is new to this one
  assert.equal(await finals('?lastEventId=an-older-boot-17'), [1, 2, 3, 4, 5]);
  assert.equal(await finals('?recent=2'), [4, 5]);
  assert.equal(await finals('?recent=-2'), []);
  assert.equal(await finals('?recent=x'), []);
  for (let seq = 6; seq <= 200; seq++) tell(said(seq));
  assert.is((await finals('?lastEventId=boot-1')).length, 50);
  assert.is((await finals('?recent=1000000')).length, 50);
});

test('takes so many listeners and no more; a page that comes again takes its own place', async (world) => {
  const { port, tell } = await start(world, { maxClients: 2 });
  const first = await listenToStream(port, '?client=a');
  const second = await listenToStream(port, '?client=b');
  const third = await ask(port, '/events');
  assert.equal([third.status, third.headers['retry-after']], [503, '10']);
  const again = await listenToStream(port, '?client=a');
  await first.ended;
  tell(said(1));
  await Promise.all([again.until('final', 1), second.until('final', 1)]);
  again.close();
  await eventually(
    'a free place',
    async () => (await ask(port, '/events', { method: 'HEAD' })).status === 200,
  );
  second.close();
});

test('a listener that does not read is dropped, and nobody else notices', async (world) => {
  const { port, tell } = await start(world, { maxUnreadBytes: 64 * 1024 });
  const slow = connect(port, '127.0.0.1');
  slow.pause();
  slow.on('error', () => {});
  slow.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const quick = await listenToStream(port, '?only=final');
  await eventually('two listeners', async () =>
    /^harkd_http_clients 2$/m.test((await ask(port, '/metrics')).text),
  );

  const text = 'x'.repeat(10_000);
  const before = process.memoryUsage().rss;
  let sent = 0;
  // what the kernel buffers on the way is some megabytes
  while (sent < 2000 && !/^harkd_http_clients 1$/m.test((await ask(port, '/metrics')).text)) {
    for (let i = 0; i < 5; i++) tell(said(++sent, text));
    await quick.until('final', sent);
  }
  assert.match((await ask(port, '/metrics')).text, /^harkd_http_clients_dropped 1$/m);
  assert.is(quick.of('final').length, sent);
  assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  quick.close();
  slow.destroy();
});

test('mute is asked for with JSON, and answered with the real state', async (world) => {
  const { port, muteRequests } = await start(world);
  const json = { 'Content-Type': 'application/json' };
  const on = await ask(port, '/mute', { method: 'POST', headers: json, body: '{"muted": true}' });
  assert.equal([on.status, JSON.parse(on.text)], [200, { muted: true }]);
  const charset = { 'Content-Type': 'application/json; charset=utf-8' };
  await ask(port, '/mute', { method: 'POST', headers: charset, body: '{"muted": false, "why": 1}' });
  assert.equal(muteRequests, [true, false]);

  const wrong: readonly (readonly [Readonly<Record<string, string>>, string, number])[] = [
    [{}, '{"muted": true}', 415],
    [{ 'Content-Type': 'text/plain' }, '{"muted": true}', 415],
    [{ 'Content-Type': 'application/x-www-form-urlencoded' }, 'muted=true', 415],
    [json, '', 400],
    [json, 'true', 400],
    [json, 'null', 400],
    [json, '[true]', 400],
    [json, '{"muted": "true"}', 400],
    [json, '{"muted": 1}', 400],
    [json, `{"muted": true, "x": "${'x'.repeat(2000)}"}`, 413],
  ];
  for (const [headers, body, status] of wrong)
    assert.is(
      (await ask(port, '/mute', { method: 'POST', headers, body })).status,
      status,
      body.slice(0, 40),
    );
  assert.is(muteRequests.length, 2);
});

test('another site can neither read nor mute', async (world) => {
  const { port, muteRequests } = await start(world);
  const mute = (headers: Readonly<Record<string, string>>) =>
    ask(port, '/mute', {
      method: 'POST',
      headers: { Host: `localhost:${port}`, 'Content-Type': 'application/json', ...headers },
      body: '{"muted": true}',
    });
  for (const headers of [
    { Origin: 'http://evil.example' },
    { Origin: 'null' },
    { Origin: 'http://localhost:1' },
    { Origin: `http://localhost:${port}.evil.example` },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site', Origin: `http://localhost:${port}` },
    { 'Sec-Fetch-Site': 'none' },
  ]) {
    assert.is((await mute(headers)).status, 403, JSON.stringify(headers));
  }
  assert.equal(muteRequests, []);
  assert.is((await mute({ Origin: `http://localhost:${port}` })).status, 200);
  assert.is(
    (await mute({ 'Sec-Fetch-Site': 'same-origin', Origin: `http://localhost:${port}` })).status,
    200,
  );

  for (const path of ['/events', '/metrics', '/healthz']) {
    for (const site of ['cross-site', 'same-site'])
      assert.is((await ask(port, path, { headers: { 'Sec-Fetch-Site': site } })).status, 403, path);
    const { headers } = await ask(port, path, { method: 'HEAD', headers: { 'Sec-Fetch-Site': 'none' } });
    assert.is(headers['access-control-allow-origin'], undefined);
  }
});

test('answers on loopback only to names of this machine', async (world) => {
  const { port } = await start(world);
  const statusFor = async (host: string) => (await ask(port, '/', { headers: { Host: host } })).status;
  for (const host of [`localhost:${port}`, 'localhost', '127.0.0.1', '127.8.8.8:80', '[::1]:80', 'LOCALHOST'])
    assert.is(await statusFor(host), 200, host);
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost@evil.example',
    'evil.example/localhost',
    '192.168.1.5',
    '0.0.0.0',
    '[::2]',
  ]) {
    assert.is(await statusFor(host), 421, host);
  }
  assert.match(await sendRaw(port, 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 300), /^HTTP\/1.1 421 /);
  assert.match(await sendRaw(port, 'GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 400 /);
});

test('with a token nothing that was heard is told without it', async (world) => {
  const { port, muteRequests } = await start(world, { host: '0.0.0.0', token });
  const elsewhere = { Host: `kitchen.lan:${port}` };
  assert.is((await ask(port, '/', { headers: elsewhere })).status, 200);
  for (const [path, method] of [
    ['/events', 'GET'],
    ['/events', 'HEAD'],
    ['/metrics', 'GET'],
    ['/healthz', 'GET'],
    ['/mute', 'POST'],
  ] as const) {
    for (const given of ['', `?token=${token}x`, `?token=${token.slice(0, -1)}`, '?token=', '?Token=']) {
      const got = await ask(port, path + given, { method, headers: elsewhere });
      assert.is(got.status, 401, `${method} ${path}${given}`);
      assert.match(got.headers['www-authenticate'] ?? '', /^Bearer/);
      assert.not.ok(got.text.includes(token.slice(0, -1)));
    }
    for (const authorization of ['Bearer', `Basic ${token}`, `Bearer ${token}, x`, `Bearer x${token}`])
      assert.is((await ask(port, path, { method, headers: { ...elsewhere, authorization } })).status, 401);
  }
  assert.equal(muteRequests, []);
  const authorization = `Bearer ${token}`;
  assert.is((await ask(port, '/metrics', { headers: { ...elsewhere, authorization } })).status, 200);
  const listening = await listenToStream(port, `?token=${token}`, elsewhere);
  await listening.until('health', 1);
  assert.not.ok(JSON.stringify(listening.all).includes(token));
  listening.close();
});

test('does not start where it could be reached without a token, or where it cannot listen', async (world) => {
  for (const host of ['0.0.0.0', '::', '192.168.1.5', 'kitchen.lan', '']) {
    const fault = await faultOf(httpRig({ host }));
    assert.equal([fault instanceof Fault, fault.code], [true, 'CONFIG_INVALID'], host);
  }
  const short = await faultOf(httpRig({ token: 'secret' }));
  assert.is(short.code, 'CONFIG_INVALID');
  assert.not.match(short.message, /secret/);

  const { port } = await start(world);
  const taken = await faultOf(httpRig({ port }));
  assert.equal([taken.code, taken.exitCode], ['HTTP_UNAVAILABLE', 69]);
  assert.match(taken.message, new RegExp(`127.0.0.1:${port}: .*EADDRINUSE`));
});

test('turns down what is too long, too many or no HTTP, and goes on', async (world) => {
  const { port } = await start(world);
  const head = 'Host: localhost\r\n';
  const cases: readonly (readonly [string, RegExp])[] = [
    [`GET / HTTP/1.1\r\n${head}X: ${'x'.repeat(9000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    [`GET /?${'x'.repeat(9000)} HTTP/1.1\r\n${head}\r\n`, /^HTTP\/1.1 431 /],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1.1 400 /],
    ['GET / HTTP/9.9\r\n\r\n', /^HTTP\/1.1 400 /],
    [`GET / HTTP/1.1\r\n${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, /^HTTP\/1.1 400 /],
    [`GET / HTTP/1.1\r\n${head}Content-Length: 500\r\n\r\n`, /^HTTP\/1.1 413 [\s\S]*Connection: close/],
    [`GET /events HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n`, /^HTTP\/1.1 413 /],
    [`CONNECT evil.example:443 HTTP/1.1\r\n${head}\r\n`, /^$/],
    [
      `GET /events HTTP/1.1\r\n${head}Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-Fetch-Site: cross-site\r\n\r\n`,
      /^HTTP\/1.1 403 /,
    ],
  ];
  for (const [bytes, expected] of cases)
    assert.match(await sendRaw(port, bytes), expected, bytes.slice(0, 60));
  assert.is((await ask(port, '/healthz')).status, 503);
});

test('who does not come to the point is sent away', async (world) => {
  const { port, tell, muteRequests } = await start(world, { requestTimeoutMs: 200 });
  const [silent, slow, slowBody] = await Promise.all(
    ['', 'GET / HTTP/1.1\r\nHost: local', `${post}Content-Length: 15\r\n\r\n{"mut`].map((bytes) =>
      sendRaw(port, bytes, 3000),
    ),
  );
  for (const answer of [silent, slow, slowBody]) assert.match(answer ?? '', /^HTTP\/1.1 408 /);
  assert.equal(muteRequests, []);

  // the time is for requests: a stream lasts
  const listening = await listenToStream(port, '?only=final');
  await new Promise((resolve) => setTimeout(resolve, 600));
  tell(said(1));
  await listening.until('final', 1);
  listening.close();
});

test('closes at once, streams and idle connections and all, and is silent then', async (world) => {
  const { port, sink, tell } = await start(world);
  const listening = await listenToStream(port);
  const idle = connect(port, '127.0.0.1');
  idle.on('error', () => {});
  await once(idle, 'connect');
  const startedAtMs = performance.now();
  assert.equal(await sink.close(5000), { undelivered: 0 });
  assert.ok(performance.now() - startedAtMs < 2000);
  await listening.ended;
  tell(said(1), ...Object.values(everyEvent));
  assert.equal(await sink.close(0), { undelivered: 0 });
  const answered = await ask(port, '/').then(
    () => true,
    () => false,
  );
  assert.not.ok(answered);
});

test.run();
