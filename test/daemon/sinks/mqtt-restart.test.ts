import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort, listenTo, mosquittoMissing, startMosquitto } from '../../fixtures/broker.ts';
import { eventually, said } from '../../fixtures/daemon-events.ts';
import { logFiles, openRig } from '../../fixtures/outbox.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import { base, rigOf } from '../../fixtures/sink.ts';
import { announceSkip } from '../../skip.ts';

const test = suite('daemon/sinks/mqtt with an outbox on disk');

test('what a run before left goes out first and replayed, under the boot it is of; what is new is live', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'harkd-outbox-'));
  const port = await freePort();
  const before = await openRig(directory);
  const url = `mqtt://127.0.0.1:${port}`;
  const away = rigOf(url, { outbox: before.outbox, bootId: 'first' });
  for (let seq = 1; seq <= 20; seq++) away.sink.publish(said(seq));
  assert.equal(await away.sink.close(0), { undelivered: 20 });
  await before.outbox.close();

  const after = await openRig(directory);
  assert.is(after.outbox.depth(), 20);
  const back = rigOf(url, { outbox: after.outbox, bootId: 'second' });
  back.sink.publish(said(21));
  const broker = await startMosquitto();
  const listener = await listenTo(broker.url, `${base}/#`);
  const proxy = await cuttingProxy(broker.port, port);
  const finals = await listener.until(`${base}/transcript`, ({ length }) => length === 21);
  const messages = finals.map(({ text }) => JSON.parse(text));
  assert.equal(
    messages.map(({ seq }) => seq),
    Array.from({ length: 21 }, (_, i) => i + 1),
  );
  assert.equal(
    messages.map(({ replayed }) => replayed),
    [...Array.from({ length: 20 }, () => true), false],
  );
  // a broker that is reached late may have been tried with 3.1.1, where there are no properties
  const boots = finals.flatMap(({ properties }) => properties?.userProperties?.['bootId'] ?? []);
  if (boots.length > 0) assert.equal([...new Set(boots)], ['first', 'second']);
  await eventually('acknowledged', () => after.outbox.depth() === 0);
  assert.equal(await back.sink.close(1000), { undelivered: 0 });
  await after.outbox.close();
  assert.equal(logFiles(directory), []);
  listener.close();
  await proxy.close();
  await broker.kill();
  rmSync(directory, { recursive: true });
});

if (mosquittoMissing === undefined) test.run();
else announceSkip('daemon/sinks/mqtt with an outbox on disk', mosquittoMissing);
