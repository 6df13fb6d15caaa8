import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  BrokerConnection,
  BrokerConnectionOptions,
  BrokerLink,
} from '../../daemon/broker-connection.ts';
import { connectBroker } from '../../daemon/broker-connection.ts';
import type { Fault } from '../../daemon/faults.ts';
import { freePort } from '../fixtures/broker.ts';
import { eventually } from '../fixtures/daemon-events.ts';

/**
 * Brokers that behave in ways no broker we could install does: scripts of bytes, written by hand from the
 * specifications (3.1.1 §3.2, 5.0 §3.2 and §3.4), so that they owe nothing to the library under test.
 */
const connack311 = Buffer.from([0x20, 0x02, 0x00, 0x00]);
const connack311BadVersion = Buffer.from([0x20, 0x02, 0x00, 0x01]);
const connack5 = Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00]);
const connack5UnsupportedVersion = Buffer.from([0x20, 0x03, 0x00, 0x84, 0x00]);
const disconnect5ServerShuttingDown = Buffer.from([0xe0, 0x02, 0x8b, 0x00]);
const disconnect5TakenOver = Buffer.from([0xe0, 0x02, 0x8e, 0x00]);

type Script = (client: {
  readonly socket: Socket;
  readonly protocolLevel: number;
  readonly count: number;
}) => void;

type World = {
  /** Starts a broker by its script and a connection to it. */
  readonly play: (script: Script, options?: Partial<BrokerConnectionOptions>) => Promise<Played>;
};
type Played = {
  readonly connection: BrokerConnection;
  readonly links: BrokerLink[];
  readonly faults: Fault[];
  readonly levels: number[];
  offline: number;
  well: number;
};

const test = suite<World>('daemon/broker-connection');
const endings: (() => Promise<void> | void)[] = [];

test.before.each((world) => {
  Object.assign(world, { play });
});
test.after.each(async () => {
  for (const end of endings.splice(0)) await end();
});

async function play(script: Script, options: Partial<BrokerConnectionOptions> = {}): Promise<Played> {
  const levels: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (connect) => {
      // fixed header, then "MQTT" with its length, then the level: 4 is 3.1.1, 5 is 5.0
      const protocolLevel = connect.readUInt8(connect.indexOf('MQTT') + 4);
      levels.push(protocolLevel);
      script({ socket, protocolLevel, count: levels.length });
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));

  const links: BrokerLink[] = [];
  const faults: Fault[] = [];
  const played = { links, faults, levels, offline: 0, well: 0 };
  const connection = connectBroker({
    url: `mqtt://127.0.0.1:${port}`,
    clientId: 'c',
    connectTimeoutMs: 300,
    retry: { firstMs: 20, mostMs: 40, credentialsMs: 50, stableMs: 0 },
    onOnline: (link) => links.push(link),
    onOffline: () => {
      played.offline += 1;
    },
    onMessage: () => {},
    onTrouble: (fault) => faults.push(fault),
    onWell: () => {
      played.well += 1;
    },
    ...options,
  });
  endings.push(
    () => connection.close(100),
    () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  );
  return Object.assign(played, { connection });
}

const refusals: [string, Script][] = [
  ['a 3.1.1 return code', ({ socket }) => socket.end(connack311BadVersion)],
  ['an MQTT 5 reason code', ({ socket }) => socket.end(connack5UnsupportedVersion)],
  ['hanging up', ({ socket }) => socket.end()],
  ['a reset', ({ socket }) => socket.resetAndDestroy()],
  ['nonsense', ({ socket }) => socket.write(Buffer.from([0x20, 0x03, 0x00, 0x00, 0x7f]))],
];
for (const [how, refuse] of refusals) {
  test(`MQTT 5 refused by ${how}: 3.1.1 at once, and again after a drop`, async ({ play }) => {
    const played = await play((client) => {
      if (client.protocolLevel === 5) refuse(client);
      else client.socket.write(connack311);
      if (client.count === 2) setTimeout(() => client.socket.destroy(), 20);
    });
    await eventually('online twice', () => played.links.length === 2);
    assert.equal(played.levels, [5, 4, 4], 'the choice is remembered');
    assert.equal(
      played.links.map(({ protocol }) => protocol),
      ['3.1.1', '3.1.1'],
    );
    assert.equal(played.faults, []);
  });
}

test('MQTT 5 is tried again after a while: brokers get updated', async ({ play }) => {
  const played = await play(
    ({ socket, protocolLevel, count }) => {
      if (protocolLevel === 5) socket.write(count < 3 ? connack311BadVersion : connack5);
      else socket.write(connack311);
      if (count === 2) setTimeout(() => socket.destroy(), 50);
    },
    { retry: { firstMs: 20, mostMs: 20, stableMs: 0, protocolMs: 10 } },
  );
  await eventually('online twice', () => played.links.length === 2);
  assert.equal(played.levels, [5, 4, 5]);
});

test('what answers neither version is no broker: said once, tried on, with 5 and 3.1.1 in turn', async ({
  play,
}) => {
  const played = await play(({ socket }) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await eventually('six tries', () => played.levels.length >= 6);
  assert.equal(played.levels.slice(0, 6), [5, 4, 5, 4, 5, 4]);
  assert.is(played.faults.length, 1);
  assert.is(played.faults[0]?.code, 'BROKER_REFUSED');
  assert.match(played.faults[0]?.hint ?? '', /scheme/);
});

test('a version asked for by name is not changed', async ({ play }) => {
  const played = await play(({ socket }) => socket.end(connack311BadVersion), { protocol: '5' });
  await eventually('three tries', () => played.levels.length >= 3);
  assert.equal(played.levels.slice(0, 3), [5, 5, 5]);
  assert.is(played.faults[0]?.code, 'BROKER_REFUSED');
});

test('a broker that takes the connection and says nothing is unreachable', async ({ play }) => {
  const played = await play(() => {});
  await eventually('told', () => played.faults.length === 1);
  assert.is(played.faults[0]?.code, 'BROKER_UNREACHABLE');
  assert.equal(played.levels, [5], 'silence is no word about the version');
});

test('other trouble is told anew, the same is not, and well only once it is', async ({ play }) => {
  const replies = [
    Buffer.from([0x20, 0x03, 0x00, 0x88, 0x00]), // server unavailable
    Buffer.from([0x20, 0x03, 0x00, 0x88, 0x00]),
    Buffer.from([0x20, 0x03, 0x00, 0x86, 0x00]), // bad user name or password
    connack5,
  ];
  const played = await play(({ socket, count }) => void socket.write(replies[count - 1] ?? connack5));
  await eventually('online', () => played.links.length === 1);
  assert.equal(
    played.faults.map(({ code }) => code),
    ['BROKER_REFUSED', 'BROKER_CREDENTIALS'],
  );
  assert.is(played.well, 1);
});

test('a broker that shuts down says goodbye: offline, but no fault if it comes back', async ({ play }) => {
  const played = await play(({ socket, count }) => {
    socket.write(connack5);
    if (count === 1) setTimeout(() => socket.end(disconnect5ServerShuttingDown), 20);
  });
  await eventually('online again', () => played.links.length === 2);
  assert.is(played.offline, 1);
  assert.equal(played.faults, []);
  assert.is(played.connection.reconnects(), 1);
});

test('a client id taken over is told with its remedy', async ({ play }) => {
  const played = await play(({ socket }) => {
    socket.write(connack5);
    setTimeout(() => socket.end(disconnect5TakenOver), 20);
  });
  await eventually('told', () => played.faults.length > 0);
  assert.is(played.faults[0]?.code, 'BROKER_REFUSED');
  assert.match(played.faults[0]?.hint ?? '', /client id/);
});

test('a broker that answers pings but never acknowledges is given up, and what waited is rejected', async ({
  play,
}) => {
  const played = await play(({ socket }) => void socket.write(connack5), { ackTimeoutMs: 100 });
  await eventually('online', () => played.links.length === 1);
  const [link] = played.links;
  const outcome = await link?.publish({ topic: 't', payload: 'x', qos: 1, retain: false }).then(
    () => 'acknowledged',
    (error: Error) => error.message,
  );
  assert.is(outcome, 'link lost: no acknowledgement of t');
  assert.is(played.offline, 1);
  const late = await link
    ?.publish({ topic: 't', payload: 'x', qos: 1, retain: false })
    .catch((error) => error);
  assert.instance(late, Error, 'a dead link stays dead');
});

test('a refused publication rejects with the reason of the broker', async ({ play }) => {
  const played = await play(({ socket }) => {
    socket.write(connack5);
    socket.on('data', (packet) => {
      // PUBLISH at QoS 1 to "t": header, length, 00 01 't', packet id; PUBACK 5.0 §3.4 with 0x87 not authorized
      if ((packet.readUInt8(0) & 0xf0) === 0x30) {
        socket.write(Buffer.from([0x40, 0x04, packet.readUInt8(5), packet.readUInt8(6), 0x87, 0x00]));
      }
    });
  });
  await eventually('online', () => played.links.length === 1);
  const error = await played.links[0]
    ?.publish({ topic: 't', payload: 'x', qos: 1, retain: false })
    .catch((thrown) => thrown);
  assert.is(error.name, 'PublishRefused');
  assert.is(error.reasonCode, 135);
  assert.is(played.offline, 0);
});

const publish = (qos: number, topic: string, bodyBytes: number): Buffer => {
  const header = [0x30 | (qos << 1)];
  for (let length = 2 + topic.length + 2 + 1 + bodyBytes; ; length >>= 7) {
    header.push((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    if (length <= 0x7f) break;
  }
  // no properties; a packet id, which QoS 0 does not have, is then part of the body
  return Buffer.concat([
    Buffer.from([...header, 0, topic.length]),
    Buffer.from(topic),
    Buffer.from([0, 1, 0]),
    Buffer.alloc(bodyBytes),
  ]);
};

const unreasonable: [string, RegExp, Buffer][] = [
  ['a packet too long to be for us', /a packet of 30\d{4} bytes/, publish(1, 't', 300_000)],
  ['the announcement of one', /a packet of 2684354\d\d bytes/, Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])],
  ['QoS 2', /QoS 2/, publish(2, 't', 3)],
];
for (const [what, words, bytes] of unreasonable) {
  test(`a broker that sends ${what} is left, and named`, async ({ play }) => {
    const played = await play(({ socket }) => {
      socket.write(connack5);
      setTimeout(() => socket.write(bytes), 10);
    });
    await eventually('told', () => played.faults.length > 0);
    assert.is(played.faults[0]?.code, 'BROKER_REFUSED');
    assert.match(played.faults[0]?.message ?? '', words);
    assert.is(played.offline, 1);
  });
}

test('a broker that sends and never reads cannot have us hold what is meant for it', async ({ play }) => {
  const played = await play(({ socket }) => {
    socket.write(connack5);
    socket.pause();
    const speaking = setInterval(() => socket.write(publish(1, 't', 0)), 50);
    socket.once('close', () => clearInterval(speaking));
  });
  await eventually('online', () => played.links.length === 1);
  // more than the buffers of the system take
  const payload = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 20; i++) {
    void played.links[0]?.publish({ topic: 't', payload, qos: 1, retain: false }).catch(() => undefined);
  }
  await eventually('told', () => played.faults.length > 0);
  assert.match(played.faults[0]?.message ?? '', /sends and does not read/);
});

test.run();
