import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DaemonEvent } from '../../../daemon/events.ts';
import { logSink } from '../../../daemon/sinks/log.ts';
import { everyEvent, transcript } from '../../every-event.ts';

type Line = { level: string; message: string; fields: Readonly<Record<string, unknown>> | undefined };

function collect(events: readonly DaemonEvent[], nowMs: () => number = () => 0): Line[] {
  const lines: Line[] = [];
  const sink = logSink((level, message, fields) => void lines.push({ level, message, fields }), nowMs);
  for (const event of events) sink.publish(event);
  return lines;
}

const levelsOf = (events: readonly DaemonEvent[]) => collect(events).map((line) => line.level);

const wordsFor = ({ type }: DaemonEvent) =>
  type === 'level' || type === 'partial' ? 0 : type === 'transcript' ? 2 : 1;

const test = suite('log sink');

test('has words for every event but the level and partials', () => {
  for (const event of Object.values(everyEvent)) {
    const lines = collect([event]);
    assert.is(lines.length, wordsFor(event), event.type);
    for (const { message, fields } of lines) {
      assert.not.match(message, /undefined|\[object|NaN/);
      assert.is(fields?.['event'], event.type);
    }
  }
});

test('tells what was said at debug only', () => {
  const lines = collect([{ type: 'transcript', transcript }]);
  assert.equal(
    lines.map(({ level }) => level),
    ['info', 'debug'],
  );
  assert.not.match(JSON.stringify(lines[0]), /lamp/);
  assert.equal(levelsOf([everyEvent.reply]), ['debug'], 'what is answered tells what was asked');
  assert.match(JSON.stringify(lines[1]), /lamp/);
});

test('warns of what passes, and calls for the operator otherwise', () => {
  const fault = (code: string): DaemonEvent => ({ ...everyEvent.fault, code });
  assert.equal(levelsOf([fault('BROKER_UNREACHABLE'), fault('BROKER_CREDENTIALS')]), ['warn', 'error']);
  assert.equal(levelsOf([fault('MICROPHONE_LOST'), fault('MICROPHONE_DENIED')]), ['warn', 'error']);
  assert.is(collect([fault('MICROPHONE_DENIED')])[0]?.fields?.['hint'], 'wait');
});

test('warns when a provider is not the one that was asked for', () => {
  const provider = (requested: string): DaemonEvent => ({ ...everyEvent.provider, requested });
  assert.equal(levelsOf([provider('auto'), provider('cpu'), provider('ascend')]), ['info', 'info', 'warn']);
});

test('does not say ready after every segment', () => {
  const recognizer = (state: 'loading' | 'ready' | 'busy' | 'restarting'): DaemonEvent => ({
    type: 'recognizer',
    state,
  });
  const states = ['loading', 'ready', 'busy', 'ready', 'busy', 'restarting', 'ready'] as const;
  const info = collect(states.map(recognizer)).filter(({ level }) => level === 'info');
  assert.equal(
    info.map(({ message }) => message),
    ['recognizer loading', 'recognizer ready', 'recognizer restarting', 'recognizer ready'],
  );
});

test('sums up overruns to one line a minute', () => {
  let clockMs = 0;
  const overrun: DaemonEvent = { type: 'overrun', lostMs: 100 };
  const lines: Line[] = [];
  const sink = logSink(
    (level, message, fields) => void lines.push({ level, message, fields }),
    () => clockMs,
  );
  for (const atMs of [0, 10, 20, 59_999, 60_000, 60_001]) {
    clockMs = atMs;
    sink.publish(overrun);
  }
  assert.equal(
    lines.map(({ fields }) => fields?.['lostMs']),
    [100, 400],
  );
});

test('warns of each loss from the outbox once', () => {
  const outbox = (depth: number, dropped: number): DaemonEvent => ({ type: 'outbox', depth, dropped });
  assert.equal(levelsOf([outbox(1, 0), outbox(9, 2), outbox(9, 2), outbox(8, 3)]), [
    'debug',
    'warn',
    'debug',
    'warn',
  ]);
});

test('closes with nothing left to deliver', async () => {
  assert.equal(await logSink(() => {}).close(10), { undelivered: 0 });
});

test.run();
