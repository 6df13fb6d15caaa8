import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startEmbeddedBroker } from '../../../daemon/broker.ts';
import { jsonLine, linesFor, watch } from '../../../daemon/commands/watch.ts';
import { Fault } from '../../../daemon/faults.ts';
import type { HealthMessage } from '../../../daemon/mqtt-contract.ts';
import type { Heard } from '../../../daemon/subscriber.ts';
import { eventually, healthOf, said, transcriptOf } from '../../fixtures/daemon-events.ts';
import { rigOf } from '../../fixtures/sink.ts';

const test = suite('daemon/commands/watch');

/** What a test started; ended whether it passes or not. */
const endings: (() => Promise<unknown>)[] = [];
test.after.each(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const at = new Date(2026, 10, 22, 9, 5, 7);
const site = 'kitchen';

function finalOf(text: string, part: object = {}): Heard {
  // no zone: local time, so that the clock in the line does not depend on where the test runs
  const said = { ...transcriptOf(1, text), end: '2026-11-22T09:05:06' };
  return { site, type: 'transcript', transcript: { event_type: 'final', ...said, replayed: false, ...part } };
}
function healthMessage(part: Partial<HealthMessage>): Heard {
  const mqtt = { reconnects: 0, outbox: 0, outboxDropped: 0 };
  return { site, type: 'health', health: { ...healthOf(part), mqtt } };
}
function plain(...heard: Heard[]): (string | undefined)[] {
  const line = linesFor(false);
  return heard.map((one) => line(one, at));
}

test('a final is a line: when its speech ended, where, what, how sure', () => {
  assert.equal(plain(finalOf('turn on the lamp')), [
    '09:05:06  kitchen   turn on the lamp  (en, 420 ms, 91 %)',
  ]);
});

test('a replayed final cannot pass for a live one', () => {
  assert.match(
    plain(finalOf('open the door', { replayed: true }))[0] ?? '',
    /replayed, said 2026-11-22T07:30/,
  );
});

test('columns line up once the longest site was seen', () => {
  const line = linesFor(false);
  line({ site: 'upstairs-bathroom', type: 'status', status: 'online' }, at);
  const [a, b] = [
    line({ site: 'attic', type: 'status', status: 'online' }, at),
    line({ site: 'kitchen', type: 'status', status: 'offline' }, at),
  ];
  assert.is(a?.indexOf('●'), b?.indexOf('○'));
});

test('only changes of state are told', () => {
  const health = healthMessage({});
  const lost = healthMessage({ microphone: { ...healthOf().microphone, state: 'lost' } });
  const lines = plain(
    { site, type: 'status', status: 'online' },
    { site, type: 'status', status: 'online' },
    { site, type: 'speech', speaking: false },
    { site, type: 'mute', muted: false },
    health,
    healthMessage({ uptimeS: 99, cpuTempC: 61.4 }),
    healthMessage({ recognizer: { state: 'busy', provider: 'cpu', restarts: 0 } }),
    lost,
    health,
  );
  assert.equal(
    lines.map((line) => line?.slice(20)),
    [
      '● online',
      undefined,
      undefined,
      undefined,
      'microphone listening, recognizer ready',
      undefined,
      undefined,
      'microphone lost, recognizer ready',
      'microphone listening, recognizer ready',
    ],
  );
});

test('nothing from the network reaches the terminal as a command', () => {
  const evil = '\x1b[2J\x9b31m\x07 a\r\nb \u202eevil\u2066';
  const lines = plain(
    finalOf(evil, { language: evil, start: evil, replayed: true }),
    { site: evil, type: 'status', status: 'online' },
    { site, type: 'unreadable', topic: evil },
    { site, type: 'event', event: { at: evil, type: evil as 'overload' } },
    healthMessage({ microphone: { ...healthOf().microphone, state: evil } }),
  );
  for (const line of lines) assert.not.match(line ?? '', /[\p{Cc}\u202e\u2066]/u);
  const json = jsonLine(finalOf(evil), at);
  assert.not.match(json, /\p{Cc}/u);
  assert.is(JSON.parse(json).transcript.text, evil, 'and for machines it is unchanged');
});

test('colour is only colour', () => {
  const colours = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
  const coloured = linesFor(true)(finalOf('hello'), at);
  assert.match(coloured ?? '', colours);
  assert.is(coloured?.replace(colours, ''), plain(finalOf('hello'))[0]);
});

test('for machines: one object a line, with everything', () => {
  assert.equal(JSON.parse(jsonLine({ site, type: 'speech', speaking: true }, at)), {
    receivedAt: at.toISOString(),
    type: 'speech',
    site,
    speaking: true,
  });
  const fault = new Fault('BROKER_UNREACHABLE', 'm', 'h');
  assert.equal(JSON.parse(jsonLine({ type: 'trouble', fault }, at)), {
    receivedAt: at.toISOString(),
    type: 'trouble',
    code: 'BROKER_UNREACHABLE',
    message: 'm',
    hint: 'h',
  });
});

test('follows a daemon until told to stop, and ends cleanly', async () => {
  const broker = await startEmbeddedBroker({ port: 0 });
  const rig = rigOf(broker.url, { base: 'harkd/kitchen' });
  await rig.online();
  const stop = new AbortController();
  endings.push(
    () => broker.close(),
    () => rig.sink.close(500),
    async () => stop.abort(),
  );
  const lines: string[] = [];
  const jsonLines: string[] = [];
  const has = (text: string) => [lines, jsonLines].every((all) => all.some((line) => line.includes(text)));
  const common = { url: broker.url, base: 'harkd/+', colour: false, signal: stop.signal };
  const watching = [
    watch({ ...common, json: false, write: (text) => void lines.push(text) }),
    watch({ ...common, json: true, write: (text) => void jsonLines.push(text) }),
  ];
  await eventually('known', () => has('online'));
  rig.sink.publish({ type: 'speech-started', atMs: 0 });
  rig.sink.publish(said(1, 'turn on the lamp'));
  await eventually('told', () => has('turn on the lamp'));
  await rig.sink.close(1000);
  await eventually('offline', () => has('offline'));
  stop.abort();
  await Promise.all(watching);
  assert.ok(lines.some((line) => line.endsWith('kitchen   speech\n')));
  for (const line of jsonLines) {
    assert.match(line, /^\{.*\}\n$/);
    JSON.parse(line);
  }
});

test.run();
