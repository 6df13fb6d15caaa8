import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemdNotifier } from '../../daemon/systemd.ts';
import { announceSkip } from '../skip.ts';

const repoRoot = path.join(import.meta.dirname, '../../..');
const runs = (program: string, args: string[]) => spawnSync(program, args).status === 0;

const test = suite('systemd');

test('does nothing where systemd does not listen', async () => {
  for (const notifySocket of [undefined, '']) {
    const notifier = systemdNotifier({ notifySocket, onTrouble: assert.unreachable });
    await notifier.ready('listening');
    notifier.status('busy');
    await notifier.stopping();
  }
});

test('tells once when it cannot be told, and never throws', async () => {
  const troubles: string[] = [];
  const { PATH } = process.env;
  process.env['PATH'] = '/nonexistent';
  const notifier = systemdNotifier({
    notifySocket: '/nonexistent',
    onTrouble: (text) => troubles.push(text),
  });
  await notifier.ready('listening');
  await notifier.stopping();
  process.env['PATH'] = PATH;
  assert.is(troubles.length, 1);
  assert.match(troubles[0] ?? '', /^systemd cannot be told how we are: .*ENOENT/);
});

const lacking = !runs('systemd-notify', ['--version'])
  ? 'systemd-notify is missing (apt install systemd)'
  : !runs('python3', ['-c', 'import socket; socket.recv_fds'])
    ? 'python3 from 3.9 is missing (apt install python3)'
    : undefined;

if (lacking !== undefined) announceSkip('systemd notifications to a real socket', lacking);
else {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-notify-'));
  const socketPath = path.join(folder, 'notify');
  let listener: ChildProcess;
  let received: AsyncIterator<string>;
  const next = async (): Promise<string> => JSON.parse((await received.next()).value);

  test.before(async () => {
    listener = spawn('python3', [path.join(repoRoot, 'test/fixtures/notify-listener.py'), socketPath]);
    assert.ok(listener.stdout);
    received = createInterface(listener.stdout)[Symbol.asyncIterator]();
    assert.is(await next(), 'listening');
    process.env['NOTIFY_SOCKET'] = socketPath;
  });

  test.after(() => {
    delete process.env['NOTIFY_SOCKET'];
    listener.kill();
    rmSync(folder, { recursive: true });
  });

  /** What is said until the barrier, as lines. */
  const message = async (): Promise<string[]> => {
    const lines = (await next()).trim().split('\n');
    while ((await next()) !== 'BARRIER=1');
    return lines;
  };

  test('says ready, status and stopping, in that order', async () => {
    const notifier = systemdNotifier({ notifySocket: socketPath, onTrouble: assert.unreachable });
    const ready = notifier.ready('listening to\n  the kitchen');
    assert.equal((await message()).sort(), [
      `MAINPID=${process.pid}`,
      'READY=1',
      'STATUS=listening to the kitchen',
    ]);
    await ready;
    notifier.status('recognising');
    assert.ok((await message()).includes('STATUS=recognising'));
    const stopping = notifier.stopping();
    assert.equal(await message(), ['STOPPING=1', 'STATUS=stopping']);
    await stopping;
  });

  test('sends the last of many, and nothing twice', async () => {
    const notifier = systemdNotifier({ notifySocket: socketPath, onTrouble: assert.unreachable });
    for (let i = 0; i < 50; i++) notifier.status(`segment ${i}`);
    assert.ok((await message()).includes('STATUS=segment 49'));
    notifier.status('segment 49');
    const stopping = notifier.stopping();
    assert.equal(await message(), ['STOPPING=1', 'STATUS=stopping']);
    await stopping;
  });
}

test.run();
