import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rangeOf } from '../../daemon/record/query.ts';
import { recordText } from '../../daemon/record/text.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { ask, httpRig, sendRaw, wellEvents } from '../fixtures/http.ts';
import { randomFrom } from '../random.ts';
import { timeBox } from '../time-box.ts';
import { httpRequests } from './http-requests.ts';

/**
 * Time-boxed, or with a number of requests to send: node dist/test/fuzz/http.test.js 200000
 */
const seed = 20261122;
const wanted = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);
const random = randomFrom(seed);
const request = httpRequests(random);
function oneOf<T>(items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

const test = suite('hostile HTTP');

test('nothing that is sent to the web page stops it or makes it grow', async () => {
  const reader = { directory: '/nonexistent/record', onDamage: () => undefined };
  const rig = await httpRig({
    maxClients: 8,
    readRecord: (format, query) => recordText(reader, format, rangeOf(query, Date.now())),
  });
  const { port } = rig.sink;
  rig.tell(...wellEvents);
  const known = new Set([200, 304, 400, 403, 404, 405, 408, 413, 415, 417, 421, 431, 503]);
  const another = Number.isFinite(wanted) ? timeBox(0, wanted) : timeBox(3000, 500);
  let sent = 0;
  let answered = 0;
  let earlyBytes = 0;
  async function attack(): Promise<void> {
    while (another()) {
      const bytes = request();
      sent += 1;
      const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(await sendRaw(port, bytes, 250)) ?? [];
      if (status !== undefined) answered += 1;
      if (status !== undefined && status !== '100')
        assert.ok(
          known.has(Number(status)),
          `${status} for ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`,
        );
      // after the code has been compiled and the buffers of the test have found their size
      if (earlyBytes === 0 && sent >= 500) earlyBytes = process.memoryUsage().rss;
    }
  }
  await Promise.all(Array.from({ length: 32 }, attack));
  assert.ok(answered > sent / 4, `only ${answered} of ${sent} requests were answered`);
  assert.equal(rig.failures, []);
  const grownMb = earlyBytes === 0 ? 0 : (process.memoryUsage().rss - earlyBytes) / 1e6;
  assert.ok(grownMb < 60, `grown by ${grownMb} MB`);
  if (Number.isFinite(wanted)) process.stdout.write(`${sent} requests, grown by ${grownMb.toFixed(1)} MB\n`);

  // all places are free again, and everything still answers
  await eventually('nobody listens', async () =>
    /^harkd_http_clients 0$/m.test((await ask(port, '/metrics')).text),
  );
  // a long attack leaves a microphone without sound for too long
  rig.tell({ type: 'level', levelDbfs: -40, atMs: 0 });
  assert.is((await ask(port, '/healthz')).status, 200);
  await rig.sink.close(500);
});

test('a request for mute is obeyed only when it is one', async () => {
  const rig = await httpRig();
  const types = ['application/json', 'application/json;charset=utf-8', 'text/plain', 'application/jsonp', ''];
  const contents = [
    '{"muted":true}',
    '{"muted":false}',
    '{"muted":1}',
    '{"muted":true',
    'true',
    '{}',
    '{"MUTED":true}',
  ];
  const sites = ['same-origin', 'cross-site', 'same-site', 'none', undefined];
  let obeyed = 0;
  for (const another = timeBox(1000, 200); another(); ) {
    const [type, body, site] = [oneOf(types), oneOf(contents), oneOf(sites)];
    const { status } = await ask(rig.sink.port, '/mute', {
      method: 'POST',
      headers: { 'Content-Type': type, ...(site === undefined ? {} : { 'Sec-Fetch-Site': site }) },
      body,
    });
    const isRequest =
      /^application\/json(;|$)/.test(type) &&
      /^\{"muted":(true|false)\}$/.test(body) &&
      (site === undefined || site === 'same-origin');
    assert.is(status === 200, isRequest, `${type} ${body} ${site}: ${status}`);
    if (isRequest) obeyed += 1;
    assert.is(rig.muteRequests.length, obeyed);
  }
  assert.ok(obeyed > 0);
  await rig.sink.close(500);
});

test.run();
