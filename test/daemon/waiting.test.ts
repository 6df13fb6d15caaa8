import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { backoffMs, sleep } from '../../daemon/waiting.ts';

const waiting = suite('waiting');

waiting('back-off doubles, is capped, and never falls below half of its step', () => {
  const bounds = { firstMs: 100, mostMs: 1000 };
  assert.equal(
    [0, 1, 2, 3, 4, 60].map((attempt) => backoffMs(attempt, bounds, () => 1)),
    [100, 200, 400, 800, 1000, 1000],
  );
  assert.equal(
    [0, 1, 2, 3, 4, 60].map((attempt) => backoffMs(attempt, bounds, () => 0)),
    [50, 100, 200, 400, 500, 500],
  );
});

waiting('a sleep ends at once when it is aborted', async () => {
  const abort = new AbortController();
  const slept = sleep(60_000, abort.signal);
  abort.abort();
  await slept;
  await sleep(60_000, abort.signal);
  assert.ok(abort.signal.aborted);
});

waiting.run();
