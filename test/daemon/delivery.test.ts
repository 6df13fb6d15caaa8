/** A few minutes of `npm run test:delivery` in a few seconds. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mosquittoMissing } from '../fixtures/broker.ts';
import type { TrialResult } from '../fixtures/delivery.ts';
import { brokenPromises, tryDelivery } from '../fixtures/delivery.ts';
import { cannotMount, tinyDisk } from '../fixtures/outbox.ts';
import { announceSkip } from '../skip.ts';

const judge = suite('the judge of delivery');

judge('sees what is lost, out of order, under another id, or again without a word', () => {
  const result: TrialResult = {
    promised: new Set([1, 2, 3, 4]),
    notPromised: 0,
    arrived: [
      { seq: 1, id: 'a', replayed: false },
      { seq: 1, id: 'a', replayed: true },
      { seq: 3, id: 'c', replayed: false },
    ],
    brokerKills: 0,
    daemonKills: 0,
    diskFull: 0,
  };
  assert.equal(brokenPromises(result), ['2 is lost', '4 is lost']);
  const more = [
    { seq: 2, id: 'b', replayed: true },
    { seq: 4, id: 'd', replayed: false },
    { seq: 4, id: 'e', replayed: true },
    { seq: 4, id: 'd', replayed: false },
  ];
  assert.equal(brokenPromises({ ...result, arrived: [...result.arrived, ...more] }), [
    '2 came for the first time after 3',
    '4 came with the ids d and e',
    '4 came again and did not say so',
  ]);
});
judge.run();

const test = suite('delivery through kills and full disks');

const probe = tinyDisk(64);
probe?.remove();
if (probe === undefined) announceSkip('delivery with a full disk', cannotMount);

test('150 finals, 4 broker kills, 3 daemon kills, a full disk: none lost, in order', async () => {
  const diskFills = probe === undefined ? 0 : 1;
  const result = await tryDelivery({ finals: 150, brokerKills: 4, daemonKills: 3, diskFills, seed: 11 });
  assert.equal(brokenPromises(result), []);
  assert.ok(result.promised.size >= 150);
  assert.is(result.brokerKills, 4);
  assert.is(result.daemonKills, 3);
  // said again where finals that were delivered meanwhile had made a little room, which the next ones filled
  assert.ok(
    result.diskFull >= diskFills && (diskFills > 0 || result.diskFull === 0),
    `${result.diskFull} times full`,
  );
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('delivery through kills and full disks', mosquittoMissing);
