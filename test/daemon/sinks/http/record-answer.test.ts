import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../../daemon/faults.ts';
import { type ReadRecord, recordAnswer } from '../../../../daemon/sinks/http/record-answer.ts';
import { eventually } from '../../../fixtures/daemon-events.ts';
import { ask, type HttpRig, httpRig } from '../../../fixtures/http.ts';

type World = { rigs: HttpRig[] };
const test = suite<World>('daemon/sinks/http/record-answer');

test.before.each((world) => {
  world.rigs = [];
});
test.after.each(async ({ rigs }) => {
  for (const { sink } of rigs) await sink.close(1000);
});

async function start({ rigs }: World, options: Parameters<typeof httpRig>[0]) {
  const rig = await httpRig(options);
  rigs.push(rig);
  return { ...rig, port: rig.sink.port };
}

const token = 'a-token-of-24-characters';
const paths = ['/transcripts.json', '/transcripts.srt', '/transcripts.vtt'];
const words: ReadRecord = async function* (format, query) {
  yield `${format} `;
  yield JSON.stringify(query);
};

test('hands on the format and the query, and streams what comes back', async (world) => {
  const { port, failures } = await start(world, { readRecord: words });
  const types = ['application/json', 'application/x-subrip; charset=utf-8', 'text/vtt; charset=utf-8'];
  for (const [index, path] of paths.entries()) {
    const { status, headers, text } = await ask(port, `${path}?since=-1h&limit=5&other=x`);
    assert.is(status, 200);
    assert.is(headers['content-type'], types[index]);
    assert.is(headers['cache-control'], 'no-store');
    assert.is(headers['x-content-type-options'], 'nosniff');
    assert.is(text, `${path.split('.')[1]} {"since":"-1h","limit":"5"}`);
    const head = await ask(port, path, { method: 'HEAD' });
    assert.is(head.status, 200);
    assert.is(head.headers['content-type'], types[index]);
    assert.is(head.text, '');
    assert.is((await ask(port, path, { method: 'POST' })).status, 405);
  }
  assert.equal(failures, []);
});

test('an empty record is an empty answer', async (world) => {
  const { port } = await start(world, { readRecord: async function* () {} });
  const { status, text } = await ask(port, '/transcripts.srt');
  assert.is(status, 200);
  assert.is(text, '');
});

test('where nothing is kept it says why there is nothing', async (world) => {
  const { port } = await start(world, {});
  for (const path of paths) {
    const { status, text } = await ask(port, path);
    assert.is(status, 404);
    assert.match((JSON.parse(text) as { error: string }).error, /record\.enabled/);
  }
});

test('is as private as everything else that was heard', async (world) => {
  const guarded = await start(world, { token, readRecord: words });
  const open = await start(world, { readRecord: words });
  for (const path of paths) {
    assert.is((await ask(guarded.port, path)).status, 401);
    const headers = { Authorization: `Bearer ${token}` };
    assert.is((await ask(guarded.port, path, { headers })).status, 200);
    assert.is((await ask(guarded.port, `${path}?token=${token}`)).status, 200);
    assert.is((await ask(open.port, path, { headers: { Host: 'evil.example' } })).status, 421);
    assert.is((await ask(open.port, path, { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status, 403);
  }
});

test('what is not understood or cannot be read is said, and is no bug', async (world) => {
  const faultFor = (code: 'USAGE_INVALID' | 'RECORD_UNREADABLE') => new Fault(code, 'message', 'hint');
  const atOnce = await start(world, {
    readRecord: () => {
      throw faultFor('USAGE_INVALID');
    },
  });
  const usage = await ask(atOnce.port, '/transcripts.json');
  assert.is(usage.status, 400);
  assert.equal(JSON.parse(usage.text), { error: 'message; hint' });
  const later = await start(world, {
    // biome-ignore lint/correctness/useYield: it fails before there is anything to say
    readRecord: async function* () {
      throw faultFor('RECORD_UNREADABLE');
    },
  });
  assert.is((await ask(later.port, '/transcripts.json')).status, 503);
  assert.equal([...atOnce.failures, ...later.failures], []);
});

test('a record that breaks off is an answer that breaks off, and is told to the log', async (world) => {
  const { port, failures } = await start(world, {
    readRecord: async function* () {
      yield '[';
      throw new Fault('RECORD_UNREADABLE', 'EIO', 'replace the card');
    },
  });
  const got = await ask(port, '/transcripts.json').then(
    () => 'whole',
    () => 'broken',
  );
  assert.is(got, 'broken');
  assert.is(failures.length, 1);
});

const part = 'x'.repeat(64 * 1024);

/** A server of nothing but endless records, that forgets who stands still after 50 ms. */
async function endless(): Promise<{
  server: Server;
  port: number;
  reading: () => number;
  yielded: () => number;
}> {
  let reading = 0;
  let yielded = 0;
  const answer = recordAnswer(async function* () {
    reading += 1;
    try {
      for (;;) {
        yielded += 1;
        yield part;
        await new Promise(setImmediate);
      }
    } finally {
      reading -= 1;
    }
  }, 50);
  const server = createServer((_, response) => void answer(response, 'json', new URLSearchParams()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, port, reading: () => reading, yielded: () => yielded };
}

test('reads no faster than the client does, and lets go of one that takes nothing', async () => {
  const { server, port, reading, yielded } = await endless();
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await eventually('read', () => reading() === 1);
  await eventually('let go', () => reading() === 0);
  // what the kernel and the streams hold, and not what there is
  assert.ok(yielded() < 500, `${yielded()} parts`);
  socket.destroy();
  server.close();
});

test('four may read at once, and who goes away makes room', async () => {
  const { server, port, reading } = await endless();
  const sockets = Array.from({ length: 4 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.resume();
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return socket;
  });
  await eventually('four', () => reading() === 4);
  const fifth = await ask(port, '/');
  assert.is(fifth.status, 503);
  assert.is(fifth.headers['retry-after'], '5');
  for (const socket of sockets) socket.destroy();
  await eventually('none', () => reading() === 0);
  const next = connect(port, '127.0.0.1');
  next.resume().write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await eventually('one', () => reading() === 1);
  next.destroy();
  await eventually('none', () => reading() === 0);
  server.close();
});

test.run();
