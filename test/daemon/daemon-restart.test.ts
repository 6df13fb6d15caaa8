/** What the whole daemon had heard and not delivered when it was killed, the next one delivers. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeRecords } from '../../daemon/outbox-file/records.ts';
import { freePort, listenTo, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { startDaemon } from '../fixtures/daemon.ts';
import { eventually } from '../fixtures/daemon-events.ts';
import { base, household, sentencesOf } from '../fixtures/demo.ts';
import { cuttingProxy } from '../fixtures/proxy.ts';
import { announceSkip } from '../skip.ts';

const test = suite('daemon killed with the broker away');
const spoken = sentencesOf('household.wav').map(({ text }) => text);

/** How many finals stand in the files of the outbox. */
function onDisk(stateDir: string): number {
  const directory = path.join(stateDir, 'outbox');
  const records = readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .flatMap((name) => decodeRecords(readFileSync(path.join(directory, name))).records);
  return records.filter(({ type }) => type === 'entry').length;
}

test('what it heard is delivered by the next run, in order, marked as replayed', async () => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'harkd-state-'));
  const environment = { HARKD_STATE_DIR: stateDir };
  const port = await freePort();
  const toBroker = ['--broker', `mqtt://127.0.0.1:${port}`];
  try {
    const first = startDaemon(['--source', `file:${household}`, '--pace', 'fast', ...toBroker], environment);
    await first.logged('the first transcript', ({ msg }) => /transcript 1 says/.test(msg));
    await eventually('on disk', () => onDisk(stateDir) === spoken.length);
    first.process.kill('SIGKILL');
    await first.exited;

    // a stop that can deliver nothing loses nothing, and is no failure
    const second = startDaemon(['--source', 'stdin', ...toBroker], environment);
    await second.logged('that the broker is away', ({ msg }) => msg.includes('BROKER_UNREACHABLE'));
    assert.is(await second.stop(), 0, JSON.stringify(second.log));
    const last = second.log.find(({ msg }) =>
      new RegExp(`^${spoken.length} transcripts could not be delivered`).test(msg),
    );
    assert.is(last?.level, 'warn', JSON.stringify(second.log));
    assert.match(String(last?.['hint']), stateDir);
    assert.is(onDisk(stateDir), spoken.length);

    const broker = await startMosquitto();
    const listener = await listenTo(broker.url, `${base}/#`);
    const proxy = await cuttingProxy(broker.port, port);
    const third = startDaemon(['--source', 'stdin', ...toBroker], environment);
    const finals = await listener.until(`${base}/transcript`, ({ length }) => length >= spoken.length);
    const messages = finals.map(({ text }) => JSON.parse(text));
    assert.equal(
      messages.map(({ text }) => text),
      spoken,
    );
    assert.ok(messages.every(({ replayed }) => replayed === true));
    assert.is(await third.stop(), 0);
    assert.equal(readdirSync(path.join(stateDir, 'outbox')), [], 'what is delivered is on no disk');
    listener.close();
    await proxy.close();
    await broker.stop();
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
});

test('a folder that cannot be written is said aloud, and the daemon delivers all the same', async () => {
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, `${base}/#`);
  const run = startDaemon(
    ['--source', `file:${household}`, '--pace', 'fast', '--once', '--broker', broker.url],
    { HARKD_STATE_DIR: '/proc/harkd' },
  );
  assert.is(await run.exited, 0, JSON.stringify(run.log));
  assert.is(run.log.filter(({ msg }) => msg.includes('OUTBOX_UNWRITABLE')).length, 1);
  const events = listener.on(`${base}/event`).map(({ text }) => JSON.parse(text));
  assert.is(events.find(({ type }) => type === 'outbox-unsafe')?.code, 'OUTBOX_UNWRITABLE');
  assert.is(listener.on(`${base}/transcript`).length, spoken.length);
  listener.close();
  await broker.stop();
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon killed with the broker away', mosquittoMissing);
