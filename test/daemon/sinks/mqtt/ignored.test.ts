import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Ignored, tellSparingly } from '../../../../daemon/sinks/mqtt/ignored.ts';

const test = suite('daemon/sinks/mqtt/ignored');

test('tells a few a minute, and how many went untold', () => {
  let nowMs = 0;
  const told: Ignored[] = [];
  const tell = tellSparingly(
    (ignored) => told.push(ignored),
    3,
    () => nowMs,
  );
  for (let i = 0; i < 1000; i++) tell({ topic: `t${i}`, reason: 'no' });
  assert.equal(
    told.map(({ topic, reason }) => [topic, reason]),
    [
      ['t0', 'no'],
      ['t1', 'no'],
      ['t2', 'no'],
    ],
  );
  nowMs = 60_000;
  tell({ topic: 'later', reason: 'no' });
  tell({ topic: 'last', reason: 'no' });
  assert.equal(told.slice(3), [
    { topic: 'later', reason: 'no (and 997 more went untold)' },
    { topic: 'last', reason: 'no' },
  ]);
});

test.run();
