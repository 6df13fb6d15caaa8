import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../daemon/config/config.ts';
import type { DaemonEvent } from '../../daemon/events.ts';
import {
  fold,
  type HealthReadings,
  healthPayload,
  infoPayload,
  initialStatus,
  percentile,
  type Status,
  statusLine,
} from '../../daemon/status.ts';
import { everyEvent, transcript } from '../every-event.ts';

const unmeasurable: HealthReadings = {
  cpuTempC: undefined,
  throttled: { now: undefined, sinceBoot: undefined },
  load: undefined,
  rssMb: undefined,
};
const run = { nowMs: Date.UTC(2026, 10, 22, 10), bootId: 'b', uptimeS: 61.4 };
const after = (...events: DaemonEvent[]): Status => events.reduce(fold, initialStatus);
const health = (...events: DaemonEvent[]) => healthPayload(after(...events), unmeasurable, run);
const microphone = (state: 'opening' | 'listening' | 'muted' | 'lost' | 'ended'): DaemonEvent => ({
  type: 'microphone',
  state,
  device: 'hw:1',
});
const final = (rtf: number, latencyMs: number): DaemonEvent => ({
  type: 'transcript',
  transcript: { ...transcript, rtf, latencyMs },
});

/** Freezes all the way down: a fold that writes into its argument throws. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

const test = suite('status');

test('folds every event without touching what was', () => {
  let status = deepFreeze(initialStatus);
  for (const event of Object.values(everyEvent)) status = deepFreeze(fold(status, event));
  assert.is(status.transcripts, 1);
  assert.ok(status.muted);
});

test('health before anything happened is null where nothing is known, and never 0 for it', () => {
  assert.equal(health(), {
    at: '2026-11-22T10:00:00.000Z',
    bootId: 'b',
    uptimeS: 61,
    rssMb: null,
    cpuTempC: null,
    throttled: { now: null, sinceBoot: null },
    load: null,
    rtf: { p50: null, p95: null },
    latencyMs: { p50: null, p95: null },
    queue: { depthS: 0, oldestMs: 0, dropped: 0 },
    microphone: {
      state: 'closed',
      device: null,
      lastAudioMs: null,
      levelDbfs: null,
      restarts: 0,
      overruns: 0,
    },
    recognizer: { state: 'closed', provider: null, restarts: 0 },
    faults: [],
    mqtt: { reconnects: 0, outbox: 0, outboxDropped: 0 },
  });
});

test('health after everything happened', () => {
  const events = [
    microphone('opening'),
    ...Object.values(everyEvent),
    { type: 'level', levelDbfs: -41.26, atMs: run.nowMs - 800 } as const,
  ];
  const readings = {
    cpuTempC: 48.312,
    throttled: { now: false, sinceBoot: true },
    load: 0.5249,
    rssMb: 235.52,
  };
  assert.equal(healthPayload(after(...events), readings, run), {
    at: '2026-11-22T10:00:00.000Z',
    bootId: 'b',
    uptimeS: 61,
    rssMb: 235.5,
    cpuTempC: 48.3,
    throttled: { now: false, sinceBoot: true },
    load: 0.52,
    rtf: { p50: 0.2, p95: 0.2 },
    latencyMs: { p50: 400, p95: 400 },
    queue: { depthS: 1.5, oldestMs: 900, dropped: 1 },
    microphone: {
      state: 'listening',
      device: 'default',
      lastAudioMs: 800,
      levelDbfs: -41.3,
      restarts: 0,
      overruns: 1,
    },
    recognizer: { state: 'ready', provider: 'cpu', restarts: 0 },
    faults: [],
    mqtt: { reconnects: 0, outbox: 2, outboxDropped: 0 },
  });
});

test('a payload survives JSON unchanged', () => {
  const payload = health(...Object.values(everyEvent));
  assert.equal(JSON.parse(JSON.stringify(payload)), payload);
});

test('counts a microphone that came back, not one that was muted or tried in vain', () => {
  const restarts = (...states: Parameters<typeof microphone>[0][]) =>
    health(...states.map(microphone)).microphone.restarts;
  assert.is(restarts('opening', 'listening'), 0);
  assert.is(restarts('opening', 'listening', 'lost', 'opening', 'lost', 'opening', 'listening'), 1);
  assert.is(restarts('opening', 'lost', 'opening', 'listening', 'lost', 'opening', 'listening'), 2);
  assert.is(restarts('listening', 'muted', 'opening', 'listening'), 0);
});

test('a microphone that is not listening has no level', () => {
  assert.is(
    health(microphone('listening'), everyEvent.level, microphone('muted')).microphone.levelDbfs,
    null,
  );
});

test('silence is never negative, whatever the clocks say', () => {
  assert.is(health({ type: 'level', levelDbfs: -40, atMs: run.nowMs + 5000 }).microphone.lastAudioMs, 0);
});

test('counts reconnects from the second time online', () => {
  const broker = (state: 'connecting' | 'online' | 'offline'): DaemonEvent => ({
    type: 'broker',
    state,
    url: 'x',
  });
  assert.is(health(broker('connecting'), broker('online')).mqtt.reconnects, 0);
  assert.is(
    health(broker('online'), broker('online'), broker('offline'), broker('online')).mqtt.reconnects,
    1,
  );
});

test('takes percentiles over the last hundred finals', () => {
  const finals = Array.from({ length: 150 }, (_, i) => final(i / 100, i));
  const { rtf, latencyMs } = health(...finals);
  // the last hundred are 50 … 149: nearest rank 50 is 99, rank 95 is 144
  assert.equal(latencyMs, { p50: 99, p95: 144 });
  assert.equal(rtf, { p50: 0.99, p95: 1.44 });
});

test('percentile is the nearest rank', () => {
  // the worked example of Wikipedia's "Percentile"
  const values = [35, 20, 15, 50, 40];
  assert.equal(
    [5, 30, 40, 50, 100].map((percent) => percentile(values, percent)),
    [15, 20, 20, 35, 50],
  );
  assert.is(percentile([], 50), undefined);
  assert.is(percentile([7], 0), 7);
});

test('forgets a fault when its component is well again', () => {
  const mic = { ...everyEvent.fault, component: 'microphone', code: 'MICROPHONE_LOST' } as const;
  const status = after(everyEvent.fault, mic, everyEvent.recovered);
  assert.equal(Object.keys(status.faults), ['microphone']);
});

test('says in a line what goes on and what is wrong', () => {
  assert.is(statusLine(initialStatus), 'starting');
  assert.is(
    statusLine(after(everyEvent.ready, microphone('listening'), final(0.2, 300))),
    'listening, 1 transcripts',
  );
  assert.is(statusLine(after(everyEvent.ready, everyEvent.mute)), 'muted');
  assert.match(statusLine(after(everyEvent.ready, everyEvent.fault)), /; BROKER_UNREACHABLE: gone$/);
});

test('info holds no secret', () => {
  const config = loadConfig({
    environment: {},
    overrides: { mqtt: { username: 'me', password: 'hunter2' }, model: 'embedded' },
    machine: { hostname: 'pi', cores: 4 },
  });
  const machine = { board: undefined, arch: 'arm64', cores: 4, memoryMb: 3884.2, node: 'v20.20.2' };
  const before = infoPayload(initialStatus, { version: '0.1.0', startedAtMs: run.nowMs, machine, config });
  assert.is(before.startedAt, '2026-11-22T10:00:00.000Z');
  assert.equal(before.model, { name: 'embedded', sha256: null });
  assert.equal(before.provider, { requested: 'auto', active: null, reason: null });
  assert.equal(before.machine, { ...machine, board: null, memoryMb: 3884 });
  assert.is(before.configSchemaVersion, 1);
  assert.is(before.config.mqtt.password, '(hidden)');
  assert.not.match(JSON.stringify(before), /hunter2/);
  const known = infoPayload(after(everyEvent.provider), {
    version: '0.1.0',
    startedAtMs: run.nowMs,
    machine,
    config,
  });
  assert.equal(known.model, { name: 'embedded', sha256: 'ab'.repeat(32) });
  assert.equal(known.provider, { requested: 'auto', active: 'cpu', reason: 'the only one here' });
});

test.run();
