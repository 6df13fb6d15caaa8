import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerAccess } from '../../../daemon/broker-access.ts';
import type { MosquittoOptions } from '../../fixtures/broker.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import type { Authority, Certificate, Certificates } from '../../fixtures/certificates.ts';
import { certificates, opensslMissing } from '../../fixtures/certificates.ts';
import { said } from '../../fixtures/daemon-events.ts';
import type { Rig } from '../../fixtures/sink.ts';
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
function daemonOf(url: string, access: BrokerAccess = {}): Rig {
  const rig = rigOf(url, access);
  endings.push(() => rig.sink.close(100));
  return rig;
}
async function faultOf({ log }: Rig) {
  await log.until('refused', () => log.of('fault').length > 0);
  const { code, message, hint } = log.of('fault')[0] as { code: string; message: string; hint: string };
  return { code, message, hint };
}
async function delivers({ sink, log, online, outbox }: Rig): Promise<void> {
  await online();
  sink.publish(said(1));
  await log.until('delivered', () => log.of('outbox').at(-1)?.depth === 0 && outbox.depth() === 0);
  assert.equal(log.of('fault'), []);
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

type World = {
  files: Certificates;
  /** Of the broker. */
  authority: Authority;
  server: Certificate;
  other: Authority;
  clients: Authority;
  client: Certificate;
};

const tls = suite<World>('daemon/sinks/mqtt over TLS');
tls.before((world) => {
  world.files = certificates();
  world.authority = world.files.authority('home');
  world.server = world.authority.sign('broker', 'IP:127.0.0.1');
  world.other = world.files.authority('other');
  world.clients = world.files.authority('clients');
  world.client = world.clients.sign('harkd', 'DNS:harkd');
});
tls.after.each(endAll);
tls.after(({ files }) => files.remove());

tls('a certificate nobody vouches for is refused, and told with its remedy', async ({ server }) => {
  const broker = await brokerOf({ tls: server });
  const daemon = daemonOf(broker.url);
  daemon.sink.publish(said(1));
  const { code, message, hint } = await faultOf(daemon);
  assert.is(code, 'BROKER_CERTIFICATE');
  assert.match(message, /unable to verify the first certificate/);
  assert.match(hint, /mqtt\.caFile/);
  assert.is(daemon.outbox.depth(), 1);
});

tls('with the authority known to Node.js, it delivers', async ({ authority, server }) => {
  const broker = await brokerOf({ tls: server });
  const file = path.join(import.meta.dirname, '../../fixtures/sink-process.js');
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: authority.certFile };
  const child = fork(file, [broker.url, 'close'], { env });
  const [code] = await once(child, 'exit');
  assert.is(code, 0);
});

for (const websockets of [false, true]) {
  const over = websockets ? 'wss' : 'mqtts';
  tls(`over ${over} it delivers with the right authority, and to nobody else`, async (world) => {
    const { authority, server, other } = world;
    const broker = await brokerOf({ websockets, tls: server });
    assert.ok(broker.url.startsWith(`${over}://`));
    await delivers(daemonOf(broker.url, { caFile: authority.certFile }));
    const { code, hint } = await faultOf(daemonOf(broker.url, { caFile: other.certFile }));
    assert.is(code, 'BROKER_CERTIFICATE');
    assert.match(hint, /name the authority/);
  });

  tls(`over ${over} the certificate of the broker itself may be named, and its name`, async (world) => {
    const named = world.authority.sign(`named-${over}`, 'DNS:broker.test');
    const broker = await brokerOf({ websockets, tls: named });
    const caFile = named.certFile;
    await delivers(daemonOf(broker.url, { caFile, serverName: 'broker.test' }));
    const { code, message, hint } = await faultOf(daemonOf(broker.url, { caFile }));
    assert.is(code, 'BROKER_CERTIFICATE');
    assert.match(message, /127\.0\.0\.1/);
    assert.match(hint, /mqtt\.serverName/);
  });

  tls(`over ${over} a broker that wants a certificate gets ours`, async (world) => {
    const { authority, server, clients, client, other } = world;
    const broker = await brokerOf({
      websockets,
      tls: { ...server, clientCaFile: clients.certFile },
    });
    const caFile = authority.certFile;
    await delivers(daemonOf(broker.url, { caFile, ...client }));

    const without = await faultOf(daemonOf(broker.url, { caFile }));
    assert.is(without.code, 'BROKER_CERTIFICATE', without.message);
    assert.match(without.hint, /set mqtt\.certFile/);

    const strange = other.sign(`strange-${over}`, 'DNS:harkd');
    const refused = await faultOf(daemonOf(broker.url, { caFile, ...strange }));
    assert.is(refused.code, 'BROKER_CERTIFICATE', refused.message);
    assert.match(refused.hint, /does not take our certificate/);

    const old = clients.sign(`old-${over}`, 'DNS:harkd', -1);
    const expired = await faultOf(daemonOf(broker.url, { caFile, ...old }));
    assert.is(expired.code, 'BROKER_CERTIFICATE', expired.message);
    assert.match(expired.hint, /ended at .*: renew it/);
  });
}

tls('a broker whose certificate has expired is told as such, with what our clock says', async (world) => {
  const expired = world.authority.sign('expired', 'IP:127.0.0.1', -1);
  const broker = await brokerOf({ tls: expired });
  const { code, message, hint } = await faultOf(daemonOf(broker.url, { caFile: world.authority.certFile }));
  assert.is(code, 'BROKER_CERTIFICATE');
  assert.match(message, /CERT_HAS_EXPIRED/);
  assert.match(hint, /clock/);
});

tls('files are read for each connection: one that is mended is used without a restart', async (world) => {
  const broker = await brokerOf({ tls: world.server, users: { harkd: 'token-2' } });
  const [caFile, passwordFile] = ['renewed.pem', 'token'].map((name) => path.join(world.files.dir, name));
  if (caFile === undefined || passwordFile === undefined) throw new Error('two names are two paths');
  copyFileSync(world.other.certFile, caFile);
  writeFileSync(passwordFile, 'token-1\n');
  const { log, online } = daemonOf(broker.url, { caFile, username: 'harkd', passwordFile });
  const told = (code: string) => log.until(code, () => log.of('fault').some((fault) => fault.code === code));
  await told('BROKER_CERTIFICATE');
  writeFileSync(caFile, 'half a cert');
  copyFileSync(world.authority.certFile, caFile);
  await told('BROKER_CREDENTIALS');
  writeFileSync(passwordFile, 'token-2\n');
  await online();
  await log.until('recovered', () => log.of('recovered').length > 0);
});

tls('a file that is gone is told, and no connection is tried with less', async (world) => {
  const broker = await brokerOf({ tls: world.server });
  const caFile = path.join(world.files.dir, 'gone.pem');
  const { code, message } = await faultOf(daemonOf(broker.url, { caFile }));
  assert.is(code, 'BROKER_CERTIFICATE');
  assert.match(message, /mqtt\.caFile is .*gone\.pem \(ENOENT\)/);
});

tls('TLS where there is none is said as such', async () => {
  const broker = await brokerOf({});
  const { code, hint } = await faultOf(daemonOf(broker.url.replace('mqtt:', 'mqtts:')));
  assert.is(code, 'BROKER_REFUSED');
  assert.match(hint, /scheme/);
});

if (mosquittoMissing === undefined) ws.run();
else announceSkip('daemon/sinks/mqtt over WebSocket', mosquittoMissing);
const missing = mosquittoMissing ?? opensslMissing;
if (missing === undefined) tls.run();
else announceSkip('daemon/sinks/mqtt over TLS', missing);
