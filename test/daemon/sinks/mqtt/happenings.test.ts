import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DaemonEvent } from '../../../../daemon/events.ts';
import { happenings } from '../../../../daemon/sinks/mqtt/happenings.ts';

const test = suite('daemon/sinks/mqtt/happenings');

function typesOf(...events: DaemonEvent[]): string[] {
  const happeningsOf = happenings();
  return events.flatMap((event) => happeningsOf(event)).map(({ type }) => type);
}
const microphone = (state: Extract<DaemonEvent, { type: 'microphone' }>['state']): DaemonEvent => ({
  type: 'microphone',
  state,
  device: 'm',
});
const recognizer = (state: Extract<DaemonEvent, { type: 'recognizer' }>['state']): DaemonEvent => ({
  type: 'recognizer',
  state,
});
const provider = (requested: string, active: string): DaemonEvent => ({
  type: 'provider',
  requested,
  active,
  reason: 'r',
  model: 'm',
  modelSha256: 's',
});
const dropped = (reason: 'queue-full' | 'recognizer-failed'): DaemonEvent => ({
  type: 'segment-dropped',
  segmentId: 's',
  durationMs: 1,
  reason,
});
const queue = (depthS: number): DaemonEvent => ({ type: 'queue', depthS, oldestMs: 0 });

test('a microphone is lost once and back once, however often it is tried in between', () => {
  assert.equal(
    typesOf(
      microphone('opening'),
      microphone('listening'),
      microphone('lost'),
      microphone('opening'),
      microphone('lost'),
      microphone('opening'),
      microphone('listening'),
      microphone('opening'),
      microphone('listening'),
    ),
    ['microphone-lost', 'microphone-back'],
  );
});

test('mute is no loss', () => {
  assert.equal(typesOf(microphone('listening'), microphone('muted'), microphone('listening')), []);
});

test('overload is said once an episode, each lost segment each time', () => {
  assert.equal(
    typesOf(
      queue(30),
      dropped('queue-full'),
      dropped('queue-full'),
      queue(12),
      dropped('queue-full'),
      queue(0),
      dropped('recognizer-failed'),
      dropped('queue-full'),
    ),
    [
      'overload',
      'segment-dropped',
      'segment-dropped',
      'segment-dropped',
      'segment-dropped',
      'overload',
      'segment-dropped',
    ],
  );
});

test('a recognizer has restarted when it is ready after having died, not when it first starts', () => {
  assert.equal(
    typesOf(
      recognizer('loading'),
      recognizer('ready'),
      recognizer('busy'),
      recognizer('restarting'),
      recognizer('loading'),
      recognizer('ready'),
      recognizer('ready'),
    ),
    ['recognizer-restarted'],
  );
});

test('a fallback is another provider than was named, or another than before', () => {
  assert.equal(typesOf(provider('auto', 'cpu'), provider('cpu', 'cpu')), []);
  assert.equal(typesOf(provider('ascend', 'cpu')), ['provider-fallback']);
  assert.equal(typesOf(provider('auto', 'rknn'), provider('auto', 'cpu')), ['provider-fallback']);
});

test.run();
