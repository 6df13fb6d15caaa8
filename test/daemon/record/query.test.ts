import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { rangeOf } from '../../../daemon/record/query.ts';
import { randomFrom } from '../../random.ts';
import { timeBox } from '../../time-box.ts';

const nowMs = Date.UTC(2026, 10, 22, 12);
const sinceMs = (since: string) => rangeOf({ since }, nowMs).sinceMs;

const test = suite('daemon/record/query');

test('counts back from now', () => {
  assert.is(sinceMs('-90s'), nowMs - 90_000);
  assert.is(sinceMs('-15min'), nowMs - 900_000);
  assert.is(sinceMs('-15m'), nowMs - 900_000);
  assert.is(sinceMs('-1h'), nowMs - 3_600_000);
  assert.is(sinceMs('-7d'), nowMs - 7 * 86_400_000);
});

test('takes days and times of this machine, and exact ones', () => {
  assert.is(sinceMs('2026-11-22'), new Date(2026, 10, 22).getTime());
  assert.is(sinceMs('2026-11-22 18:30'), new Date(2026, 10, 22, 18, 30).getTime());
  assert.is(sinceMs('2026-11-22T18:30:05.250'), new Date(2026, 10, 22, 18, 30, 5, 250).getTime());
  assert.is(sinceMs('2026-11-22T18:30:00Z'), Date.UTC(2026, 10, 22, 18, 30));
  assert.is(sinceMs('2026-11-22T18:30+05:30'), Date.UTC(2026, 10, 22, 13));
  // as an address has it when + was not escaped
  assert.is(sinceMs('2026-11-22T18:30 05:30'), Date.UTC(2026, 10, 22, 13));
  assert.equal(rangeOf({ until: '2026-11-23T00:00Z', limit: '5' }, nowMs), {
    sinceMs: undefined,
    untilMs: Date.UTC(2026, 10, 23),
    limit: 5,
  });
});

function refused(query: Parameters<typeof rangeOf>[0]): void {
  try {
    rangeOf(query, nowMs);
  } catch (fault) {
    assert.instance(fault, Fault, JSON.stringify(query));
    assert.is((fault as Fault).code, 'USAGE_INVALID');
    return;
  }
  assert.unreachable(JSON.stringify(query));
}

test('says what it does not understand', () => {
  for (const since of [
    '',
    'yesterday',
    '1h',
    '-h',
    '-1y',
    '2026-02-30',
    '2026-13-01',
    '2026-11-22T25:00',
    '0',
  ]) {
    refused({ since });
    refused({ until: since });
  }
  for (const limit of ['', '0', '-1', '1.5', '1e3', 'all', '9999999999']) refused({ limit });
});

test('whatever comes is a time or a fault', () => {
  const seed = 7;
  const random = randomFrom(seed);
  const another = timeBox(500, 1000);
  const pieces = ['-', '1', '2026', '11', '22', 'T', ' ', ':', 'Z', '+', 'h', 'd', '\0', '99999999', '.'];
  let understood = 0;
  for (let round = 1; another(); round++) {
    const length = 1 + Math.floor(random() * 10);
    const since = Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)]).join('');
    try {
      const ms = sinceMs(since);
      assert.ok(
        ms !== undefined && Number.isFinite(ms),
        `${JSON.stringify(since)}, round ${round} of seed ${seed}`,
      );
      understood += 1;
    } catch (fault) {
      assert.instance(fault, Fault, JSON.stringify(since));
    }
  }
  assert.ok(understood > 0);
});

test.run();
