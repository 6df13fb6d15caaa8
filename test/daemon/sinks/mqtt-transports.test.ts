import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MosquittoOptions } from '../../fixtures/broker.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { said } from '../../fixtures/daemon-events.ts';
import { base, rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

const endings: (() => Promise<unknown>)[] = [];
async function endAll(): Promise<void> {
  for (const end of endings.splice(0).reverse()) await end();
}
async function brokerOf(options: MosquittoOptions) {
  const broker = await startMosquitto(options);
  endings.push(() => broker.kill());
  return broker;
}
function daemonOf(url: string) {
  const rig = rigOf(url);
  endings.push(() => rig.sink.close(100));
  return rig;
}

const ws = suite('daemon/sinks/mqtt over WebSocket');
ws.after.each(endAll);

ws('says what it says over TCP', async () => {
  const broker = await brokerOf({ websockets: true });
  const listener = await listenTo(broker.url, `${base}/#`);
  endings.push(async () => listener.close());
  const { sink, log } = daemonOf(broker.url);
  sink.publish(said(1));
  await listener.until(`${base}/transcript`, ({ length }) => length === 1);
  assert.equal(log.of('fault'), []);
});

const tls = suite<{ dir: string; certFile: string; keyFile: string }>('daemon/sinks/mqtt over TLS');
tls.before((world) => {
  world.dir = mkdtempSync(path.join(tmpdir(), 'harkd-tls-'));
  world.certFile = path.join(world.dir, 'cert.pem');
  world.keyFile = path.join(world.dir, 'key.pem');
  const { status, stderr } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', world.keyFile, '-out', world.certFile],
  ]);
  assert.is(status, 0, String(stderr));
});
tls.after.each(endAll);
tls.after(({ dir }) => rmSync(dir, { recursive: true }));

tls(
  'a certificate nobody vouches for is refused, and told with its remedy',
  async ({ certFile, keyFile }) => {
    const broker = await brokerOf({ tls: { certFile, keyFile } });
    const { sink, log, outbox } = daemonOf(broker.url);
    sink.publish(said(1));
    await log.until('refused', () => log.of('fault').length > 0);
    const [fault] = log.of('fault');
    assert.is(fault?.code, 'BROKER_REFUSED');
    assert.match(fault?.message ?? '', /self-signed certificate/);
    assert.match(fault?.hint ?? '', /NODE_EXTRA_CA_CERTS/);
    assert.is(outbox.depth(), 1);
  },
);

tls('with the authority known, it delivers', async ({ certFile, keyFile }) => {
  const broker = await brokerOf({ tls: { certFile, keyFile } });
  const file = path.join(import.meta.dirname, '../../fixtures/sink-process.js');
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: certFile };
  const child = fork(file, [broker.url, 'close'], { env });
  const [code] = await once(child, 'exit');
  assert.is(code, 0);
});

tls('TLS where there is none is said as such', async () => {
  const broker = await brokerOf({});
  const { log } = daemonOf(broker.url.replace('mqtt:', 'mqtts:'));
  await log.until('refused', () => log.of('fault').length > 0);
  assert.match(log.of('fault')[0]?.hint ?? '', /scheme/);
});

if (mosquittoMissing === undefined) ws.run();
else announceSkip('daemon/sinks/mqtt over WebSocket', mosquittoMissing);
const openssl = spawnSync('openssl', ['version']).status === 0;
if (mosquittoMissing === undefined && openssl) tls.run();
else
  announceSkip(
    'daemon/sinks/mqtt over TLS',
    mosquittoMissing ?? 'openssl is not installed: apt install openssl',
  );
