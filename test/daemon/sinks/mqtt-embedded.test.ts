import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EmbeddedBroker } from '../../../daemon/broker.ts';
import { startEmbeddedBroker } from '../../../daemon/broker.ts';
import type { Listener } from '../../fixtures/broker.ts';
import { listenTo } from '../../fixtures/broker.ts';
import { eventually, said } from '../../fixtures/daemon-events.ts';
import { cuttingProxy } from '../../fixtures/proxy.ts';
import type { Rig } from '../../fixtures/sink.ts';
import { base, rigOf } from '../../fixtures/sink.ts';

/** The embedded broker speaks 3.1.1 only: what the fallback is for. */
type World = { broker: EmbeddedBroker; rig: Rig; listener: Listener };

const test = suite<World>('daemon/sinks/mqtt with the embedded broker');

test.before.each(async (world) => {
  world.broker = await startEmbeddedBroker({ port: 0 });
  world.listener = await listenTo(world.broker.url, `${base}/#`, {});
  world.rig = rigOf(world.broker.url);
});
test.after.each(async (world) => {
  await world.rig.sink.close(200);
  world.listener.close();
  await world.broker.close();
});

test('falls back to 3.1.1 without a word of complaint, and all is as with MQTT 5', async ({
  rig,
  listener,
}) => {
  await rig.online();
  for (const seq of [1, 2, 3]) rig.sink.publish(said(seq));
  const finals = await listener.until(`${base}/transcript`, ({ length }) => length === 3);
  assert.equal(
    finals.map(({ text, qos }) => [JSON.parse(text).seq, JSON.parse(text).replayed, qos]),
    [
      [1, false, 1],
      [2, false, 1],
      [3, false, 1],
    ],
  );
  assert.is(finals[0]?.properties, undefined);
  assert.equal(rig.log.of('fault'), []);
  await listener.client.publishAsync(`${base}/mute/set`, 'ON', { qos: 1 });
  await eventually('asked', () => rig.mutes.length === 1);
  assert.equal(await rig.sink.close(1000), { undelivered: 0 });
  await listener.until(`${base}/status`, (messages) => messages.at(-1)?.text === 'offline');
});

test('an embedded broker that is restarted loses no final', async (world) => {
  const { rig, broker } = world;
  await rig.online();
  await broker.close();
  await rig.log.until('offline', () => rig.log.of('broker').at(-1)?.state === 'offline');
  for (const seq of [1, 2, 3]) rig.sink.publish(said(seq));
  const back = rig.online();
  world.broker = await startEmbeddedBroker({ port: 0 });
  world.listener.close();
  world.listener = await listenTo(world.broker.url, `${base}/#`, {});
  const line = await cuttingProxy(world.broker.port, broker.port);
  await back;
  const finals = await world.listener.until(`${base}/transcript`, ({ length }) => length === 3);
  assert.equal(
    finals.map(({ text }) => JSON.parse(text).seq),
    [1, 2, 3],
  );
  await line.close();
});

test.run();
