import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openWebhook } from '../../../daemon/commands/webhook.ts';
import { loadConfig } from '../../../daemon/config/config.ts';
import { eventLog } from '../../fixtures/daemon-events.ts';

const test = suite('daemon/commands/webhook');
const stateDir = mkdtempSync(path.join(tmpdir(), 'harkd-webhook-'));
test.after(() => rmSync(stateDir, { recursive: true }));

/** What is opened and said for these keys. Nothing is sent: nothing was said. */
async function open(webhook: Readonly<Record<string, string>>) {
  const environment = Object.fromEntries([
    ['HARKD_STATE_DIR', stateDir],
    ...Object.entries(webhook).map(([key, value]) => [`HARKD_WEBHOOK_${key}`, value]),
  ]);
  const config = loadConfig({ environment, machine: { hostname: 'kitchen', cores: 4 } });
  const lines: string[] = [];
  const { emit } = eventLog();
  const opened = await openWebhook(config, {
    bootId: 'boot',
    emit,
    log: (level, message) => void lines.push(`${level} ${message}`),
  });
  await opened?.sink.close(0);
  await opened?.outbox.outbox.close();
  return { opened, lines };
}

test('without an address there is none, and nothing is said of it', async () => {
  assert.equal(await open({}), { opened: undefined, lines: [] });
});

test('says where transcripts go, and warns of what goes there in the clear', async () => {
  const away = await open({ URL: 'http://hooks.example:8080/secret?token=secret' });
  assert.equal(away.lines, [
    'info every transcript is sent to http://hooks.example:8080',
    'warn what is said goes to http://hooks.example:8080 in the clear, for everybody on the way to read',
  ]);
  assert.is(away.opened?.origin, 'http://hooks.example:8080');
  for (const URL of ['https://hooks.example/secret', 'http://192.168.1.2/secret', 'http://[fd00::1]:5005/']) {
    const { lines } = await open({ URL });
    assert.is(lines.length, 1, lines.join('\n'));
    assert.not.match(lines.join('\n'), /secret/);
  }
});

test('what waits is kept on disk, unless it would be too old after a restart', async () => {
  const URL = 'http://127.0.0.1:1/';
  const keptIn = async (more: Readonly<Record<string, string>>) =>
    (await open({ URL, ...more })).opened?.outbox.keptIn;
  assert.is(await keptIn({}), path.join(stateDir, 'webhook-outbox'));
  assert.is(await keptIn({ DURABLE: 'false' }), undefined);
  assert.is(await keptIn({ MAX_AGE_S: '60' }), undefined);
  assert.is(await keptIn({ PRESET: 'rasa' }), undefined);
});

test.run();
