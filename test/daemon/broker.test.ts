import type { EventEmitter } from 'node:events';
import { once as onceOf } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import type { MqttClient } from 'mqtt';
import { connectAsync } from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EmbeddedBroker, EmbeddedBrokerOptions } from '../../daemon/broker.ts';
import { startEmbeddedBroker } from '../../daemon/broker.ts';
import { Fault } from '../../daemon/faults.ts';

const test = suite('daemon/broker');

/** MQTT.js types its events in a way node:events does not know. */
function once(emitter: unknown, name: string): Promise<unknown[]> {
  return onceOf(emitter as EventEmitter, name);
}

async function withBroker(
  options: EmbeddedBrokerOptions,
  work: (broker: EmbeddedBroker) => Promise<void>,
): Promise<void> {
  const broker = await startEmbeddedBroker({ port: 0, ...options });
  try {
    await work(broker);
  } finally {
    await broker.close();
  }
}

function clientOf(broker: EmbeddedBroker): Promise<MqttClient> {
  return connectAsync(broker.url, { reconnectPeriod: 0, connectTimeout: 2000 }, false);
}

test('carries a message from one client to another, and keeps what is retained', () =>
  withBroker({}, async (broker) => {
    const publisher = await clientOf(broker);
    await publisher.publishAsync('a/status', 'online', { qos: 1, retain: true });
    const subscriber = await clientOf(broker);
    const message = once(subscriber, 'message');
    await subscriber.subscribeAsync('a/#', { qos: 1 });
    const [topic, payload, packet] = await message;
    assert.equal(
      [topic, String(payload), (packet as { retain: boolean }).retain],
      ['a/status', 'online', true],
    );
    publisher.end(true);
    subscriber.end(true);
  }));

test('a taken port is replaced by a free one, and it says so', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const address = squatter.address();
  assert.ok(address !== null && typeof address === 'object');
  try {
    await withBroker({ port: address.port }, async (broker) => {
      assert.is(broker.requestedPortTaken, true);
      assert.is.not(broker.port, address.port);
      assert.is(broker.url, `mqtt://127.0.0.1:${broker.port}`);
      (await clientOf(broker)).end(true);
    });
  } finally {
    squatter.close();
  }
});

test('listens on loopback and nowhere else', async () => {
  for (const host of ['0.0.0.0', '192.168.1.10', '::', 'example.org', '127.evil.example']) {
    try {
      await (await startEmbeddedBroker({ host, port: 0 })).close();
      assert.unreachable(host);
    } catch (thrown) {
      assert.instance(thrown, Fault);
      assert.is((thrown as Fault).code, 'CONFIG_INVALID');
    }
  }
});

test('drops a client that announces a packet over the limit, long before it is whole', () =>
  withBroker({ maxPacketBytes: 1000 }, async (broker) => {
    const client = await clientOf(broker);
    await client.publishAsync('t', Buffer.alloc(900), { qos: 1 });
    const closed = once(client, 'close');
    client.publish('t', Buffer.alloc(1000), { qos: 0 });
    await closed;

    const raw = connectTcp(broker.port, broker.host);
    const rawClosed = once(raw, 'close');
    raw.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])); // PUBLISH of 268 435 455 bytes, not one of them sent
    await rawClosed;
  }));

test('five bytes of length are no MQTT', () =>
  withBroker({ maxPacketBytes: 2 ** 30 }, async (broker) => {
    const raw = connectTcp(broker.port, broker.host);
    const closed = once(raw, 'close');
    raw.write(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]));
    await closed;
  }));

test('takes no more clients than it was told, and those it has stay', () =>
  withBroker({ maxClients: 2 }, async (broker) => {
    const first = await clientOf(broker);
    const second = await clientOf(broker);
    const third = connectTcp(broker.port, broker.host);
    third.on('error', () => {});
    await once(third, 'close');
    assert.ok(first.connected && second.connected);
    first.end(true);
    second.end(true);
  }));

test('close drops clients at once, and the port is free again', async () => {
  const broker = await startEmbeddedBroker({ port: 0 });
  const client = await clientOf(broker);
  const idle = connectTcp(broker.port, broker.host);
  await once(idle, 'connect');
  const gone = Promise.all([once(client, 'close'), once(idle, 'close')]);
  await broker.close();
  await gone;
  const again = await startEmbeddedBroker({ port: broker.port });
  assert.is(again.requestedPortTaken, false);
  await again.close();
  await again.close();
});

test.run();
