import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { replayOf } from '../../daemon/replay.ts';
import { eventually } from '../fixtures/daemon-events.ts';

const test = suite('daemon/replay');
const entry = { id: 'boot-1', bootId: 'boot' };

test('what was just said is live, once', () => {
  const replay = replayOf({ bootId: 'boot', afterMs: 60_000 });
  replay.appended(entry);
  assert.not(replay.isReplayed(entry));
  replay.attempted(entry);
  assert.ok(replay.isReplayed(entry), 'it may have arrived');
});

test('what is old, and what another run made, is replayed', async () => {
  const replay = replayOf({ bootId: 'boot', afterMs: 20 });
  replay.appended(entry);
  await eventually('old', () => replay.isReplayed(entry));
  assert.ok((replay.ageMs(entry) ?? 0) > 20);
  const left = { id: 'before-1', bootId: 'before' };
  assert.ok(replay.isReplayed(left));
  assert.is(replay.ageMs(left), undefined);
});

test('what is gone has no age', () => {
  const replay = replayOf({ bootId: 'boot', afterMs: 60_000 });
  replay.appended(entry);
  replay.gone(entry.id);
  assert.is(replay.ageMs(entry), undefined);
});

test.run();
