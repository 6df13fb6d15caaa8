import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tlsFileProblems } from '../../daemon/broker-access.ts';
import { requestsFor } from '../../daemon/commands/requests.ts';
import { optionKeys } from '../../daemon/config/live.ts';
import type { EventMessage } from '../../daemon/mqtt-contract.ts';
import { discoveryTopicOf, topicsOf } from '../../daemon/mqtt-contract.ts';
import { publicationsFor } from '../../daemon/sinks/mqtt/publications.ts';
import { parseSiteMessage } from '../../daemon/subscriber.ts';
import { opensslMissing } from '../fixtures/certificates.ts';
import { healthOf, transcriptOf } from '../fixtures/daemon-events.ts';
import { announceSkip } from '../skip.ts';

const test = suite('docs/mqtt.md');

const root = path.join(import.meta.dirname, '../../..');
const doc = readFileSync(path.join(root, 'docs/mqtt.md'), 'utf8');

/** The rows of the first table after `heading`, cells trimmed, without its head. */
function tableAfter(heading: string): string[][] {
  const from = doc.indexOf(heading);
  assert.ok(from >= 0, `no heading ${heading}`);
  const lines = doc.slice(from).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows: string[][] = [];
  for (const line of lines.slice(first)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows.slice(2);
}
function exampleAfter(heading: string): string {
  const from = doc.indexOf(heading);
  const match = /```json\n([\s\S]*?)```/.exec(doc.slice(from));
  assert.ok(match?.[1] !== undefined);
  return match[1];
}

test('topic, retain, QoS and expiry are what the code sends', () => {
  const make = publicationsFor(topicsOf('b'), 'boot');
  const entry = { id: 'a', createdAtMs: 0, bootId: 'boot', body: JSON.stringify(transcriptOf(1)) };
  const health = { ...healthOf(), mqtt: { reconnects: 0, outbox: 0, outboxDropped: 0 } };
  const settings = { language: 'auto', model: 'embedded', microphone: 'default' };
  const sent = [
    make.status('online'),
    make.info({}),
    make.health(health, 90),
    ...make.transcript(entry, false),
    make.partial({ id: 'a', rev: 1, text: '', stableChars: 0, language: 'en' }),
    make.speech(true),
    make.mute(true),
    make.language(settings),
    make.model(settings),
    make.microphone(settings),
    ...make.event(entry),
    make.reply({ id: 'a', recipient: 'home' }),
    make.answer('<command>', { status: 'ok', data: {} }, undefined),
  ];
  const expiry = new Map([
    [5, '5 s'],
    [90, '3 intervals'],
  ]);
  assert.equal(
    tableAfter('## Topics').map(([topic, , retained, qos, expires]) => [topic, retained, qos, expires]),
    sent.map(({ topic, retain, qos, expiryS }) => [
      `\`${topic.slice('b/'.length)}\``,
      retain ? 'yes' : 'no',
      String(qos),
      expiryS === undefined ? '' : expiry.get(expiryS),
    ]),
  );
  tableAfter('## Topics').forEach(([topic, payload], i) => {
    if (!payload?.startsWith('JSON')) return;
    const { contentType, userProperties } = sent[i] ?? {};
    assert.is(contentType, 'application/json', topic);
    assert.equal([userProperties?.['schema'], userProperties?.['bootId']], ['1', 'boot'], topic);
  });
});

test('the announcement to Home Assistant has its row', () => {
  const [row] = tableAfter('## Home Assistant');
  assert.is(row?.[0], `\`${discoveryTopicOf('homeassistant', 'harkd/kitchen')}\``);
});

test('every command has its row, and every option its name', () => {
  const nothing = () => ({}) as never;
  const requests = requestsFor({
    controls: nothing(),
    isSupervised: false,
    restart: nothing,
    selfTest: nothing,
    info: nothing,
    health: nothing,
    faults: nothing,
  });
  assert.equal(
    tableAfter('### request and response').map(([command]) => command),
    ['ping', ...Object.keys(requests)].map((name) => `\`${name}\``).sort(),
  );
  const [sentence = ''] = /^\*\*options\*\* are keys[\s\S]*?\n\n/m.exec(doc) ?? [];
  const sections = new Set(optionKeys.map((key) => /^(vad|partials)\./.exec(key)?.[1] ?? key));
  assert.equal(
    [...sentence.matchAll(/`([a-zA-Z.]+)`/g)].map(([, name]) => name).sort(),
    [...sections].sort(),
  );
});

test('every type of event has its row, and no other', () => {
  // a type that is missing here, or is none, does not compile
  const types: Record<EventMessage['type'], true> = {
    'microphone-lost': true,
    'microphone-back': true,
    overload: true,
    'segment-dropped': true,
    throttled: true,
    'recognizer-restarted': true,
    'command-refused': true,
    'provider-fallback': true,
    'outbox-full': true,
    'outbox-unsafe': true,
    'outbox-safe': true,
    'outbox-damaged': true,
  };
  assert.equal(
    tableAfter('### event').map(([type]) => type),
    Object.keys(types).map((type) => `\`${type}\``),
  );
});

test('the examples are read by our own subscriber', () => {
  for (const name of ['transcript', 'health']) {
    const payload = Buffer.from(exampleAfter(`### ${name}`));
    assert.is(parseSiteMessage({ topic: `harkd/x/${name}`, payload }, 'harkd/+')?.type, name);
  }
});

test('the example of health has every field, and no other', () => {
  const documented = JSON.parse(exampleAfter('### health'));
  assert.equal(Object.keys(documented), [...Object.keys(healthOf()), 'mqtt']);
});

test('the example of a transcript has every field, and no other', () => {
  const documented = JSON.parse(exampleAfter('### transcript'));
  assert.equal(Object.keys(documented), ['event_type', ...Object.keys(transcriptOf(1)), 'replayed']);
});

if (opensslMissing === undefined) {
  test('the commands under TLS make an authority, and a certificate for the broker that it vouches for', () => {
    const commands = /## TLS[\s\S]*?```sh\n([\s\S]*?)```/.exec(doc)?.[1] ?? '';
    const dir = mkdtempSync(path.join(tmpdir(), 'harkd-docs-tls-'));
    execFileSync('sh', ['-ec', commands], { cwd: dir, stdio: 'ignore' });
    const made = (name: string) => path.join(dir, name);
    const [caFile, certFile, keyFile] = ['ca.pem', 'broker.pem', 'broker-key.pem'].map(made);
    assert.equal(tlsFileProblems({ caFile, certFile, keyFile }), []);
    const verify = [
      'verify',
      '-CAfile',
      made('ca.pem'),
      '-verify_hostname',
      'broker.local',
      made('broker.pem'),
    ];
    assert.match(execFileSync('openssl', verify, { encoding: 'utf8' }), /: OK/);
    rmSync(dir, { recursive: true });
  });
} else announceSkip('the commands under TLS', opensslMissing);

test.run();
