import type { EventEmitter } from 'node:events';
import { once as onceOf } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import type { MqttClient } from 'mqtt';
import { connect, connectAsync } from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EmbeddedBroker, EmbeddedBrokerOptions } from '../../daemon/broker.ts';
import { startEmbeddedBroker } from '../../daemon/broker.ts';
import { Fault } from '../../daemon/faults.ts';
import { eventually } from '../fixtures/daemon-events.ts';

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

test('remembers so much that is retained and no more, and can be cleared', () =>
  withBroker({ maxRetained: { count: 3, bytes: 100 } }, async (broker) => {
    const client = await clientOf(broker);
    const retain = (topic: string, text: string) =>
      client.publishAsync(topic, text, { qos: 1, retain: true });
    const retained = async (): Promise<string[]> => {
      const reader = await clientOf(broker);
      const heard: string[] = [];
      reader.on('message', (topic, payload) => heard.push(`${topic} ${payload.length}`));
      await reader.subscribeAsync('r/#', { qos: 1 });
      // what is retained comes before what is said from now on
      const last = once(reader, 'message');
      while (!heard.includes('r/end 1')) {
        client.publish('r/end', 'x', { qos: 1 });
        await last;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      reader.end(true);
      return heard.filter((one) => one !== 'r/end 1').sort();
    };
    for (const name of ['a', 'b', 'c', 'd', 'e']) await retain(`r/${name}`, 'x'.repeat(20));
    assert.equal(await retained(), ['r/a 20', 'r/b 20', 'r/c 20']);
    await retain('r/a', 'x'.repeat(80));
    assert.equal(await retained(), ['r/a 20', 'r/b 20', 'r/c 20'], 'too many bytes');
    await retain('r/b', '');
    await retain('r/a', 'x'.repeat(60));
    assert.equal(await retained(), ['r/a 60', 'r/c 20'], 'there is room again');
    await retain('r/d', 'x');
    assert.equal(await retained(), ['r/a 60', 'r/c 20', 'r/d 1']);
    client.end(true);
  }));

test('keeps nothing for clients that are away', () =>
  withBroker({}, async (broker) => {
    const session = { reconnectPeriod: 0, clean: false, clientId: 'away' };
    const first = await connectAsync(broker.url, session);
    await first.subscribeAsync('t', { qos: 1 });
    first.end(true);
    const publisher = await clientOf(broker);
    for (let i = 0; i < 10; i++) await publisher.publishAsync('t', String(i), { qos: 1 });
    const heard: string[] = [];
    const again = connect(broker.url, session);
    again.on('message', (_topic, payload) => heard.push(String(payload)));
    const [connack] = (await once(again, 'connect')) as [{ sessionPresent: boolean }];
    assert.is(connack.sessionPresent, false);
    await again.subscribeAsync('t', { qos: 1 });
    await publisher.publishAsync('t', 'live', { qos: 1 });
    await eventually('heard', () => heard.length > 0);
    assert.equal(heard, ['live']);
    again.end(true);
    publisher.end(true);
  }));

test('takes so many subscriptions of one client, and topics that somebody may need', () =>
  withBroker({ maxSubscriptionsPerClient: 3 }, async (broker) => {
    const client = await clientOf(broker);
    const granted = async (filters: string[]) =>
      (await client.subscribeAsync(filters, { qos: 1 }).catch(() => undefined))?.map(({ qos }) => qos);
    assert.equal(await granted(['a', 'b', 'c']), [1, 1, 1]);
    assert.equal(await granted(['a', 'b']), [1, 1], 'again is not more');
    assert.is(await granted(['d']), undefined);
    await client.unsubscribeAsync('a');
    assert.equal(await granted(['d']), [1]);
    assert.is(await granted(['x'.repeat(2000)]), undefined);
    const closed = once(client, 'close');
    client.publish('x'.repeat(2000), '', { qos: 1 });
    await closed;
  }));

test('a client that does not read is dropped, and holds up the others for so long only', () =>
  withBroker({ drainTimeoutMs: 1000 }, async (broker) => {
    const slow = connectTcp(broker.port, broker.host);
    // CONNECT as "x", SUBSCRIBE to "t" at QoS 0
    slow.write(Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 0x78]));
    await once(slow, 'data');
    slow.write(Buffer.from([0x82, 6, 0, 1, 0, 1, 0x74, 0]));
    await once(slow, 'data');
    slow.pause();
    const closed = new Promise((resolve) => slow.once('close', resolve));
    slow.on('error', () => {});
    const publisher = await clientOf(broker);
    const other = await clientOf(broker);
    let heard = 0;
    other.on('message', () => {
      heard += 1;
    });
    await other.subscribeAsync('t', { qos: 0 });
    // more than the system keeps for a connection
    for (let i = 0; i < 100; i++) await publisher.publishAsync('t', Buffer.alloc(200_000), { qos: 1 });
    await eventually('heard by who reads', () => heard === 100);
    other.end(true);
    publisher.end(true);
    // who does not read learns of it when it writes
    const pinging = setInterval(() => slow.write(Buffer.from([0xc0, 0])), 50);
    await closed;
    clearInterval(pinging);
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
