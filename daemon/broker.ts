/**
 * A small MQTT 3.1.1 broker inside the daemon, for a machine that has none. It has no passwords and no TLS, so it
 * listens on loopback only; who wants more wants Mosquitto.
 */

import type { AddressInfo, Socket } from 'node:net';
import { createServer, isIP } from 'node:net';
import { Duplex, Transform } from 'node:stream';
import { Aedes } from 'aedes';
import { isLoopback } from './address.ts';
import { Fault } from './faults.ts';
import { startListening } from './listening.ts';
import { packetSizeGuard } from './packet-guard.ts';

export type EmbeddedBrokerOptions = {
  /** A loopback address; anything else is refused. */
  readonly host?: string;
  /** 0 takes any free port; one that is taken is replaced by a free one. */
  readonly port?: number;
  readonly maxClients?: number;
  /** Whole packets, header included. A client that announces a longer one is dropped before it is read. */
  readonly maxPacketBytes?: number;
  /** Retained messages it remembers; what is beyond that is passed on and forgotten. Topics count as well. */
  readonly maxRetained?: { readonly count: number; readonly bytes: number };
  readonly maxSubscriptionsPerClient?: number;
  /** A client that does not read holds up those who publish to it for so long, and is dropped then. */
  readonly drainTimeoutMs?: number;
};

/** Longer topics nobody needs, and each one is kept. */
const maxTopicBytes = 1024;

export type EmbeddedBroker = {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** The wanted port belonged to somebody else (often a broker that could be used instead). */
  readonly requestedPortTaken: boolean;
  /** Drops every client at once and frees the port. */
  readonly close: () => Promise<void>;
};

/**
 * Starts the broker. Throws `Fault` CONFIG_INVALID for a host that is not loopback, BROKER_UNREACHABLE when it
 * cannot listen at all.
 */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
  const host = options.host ?? '127.0.0.1';
  const wantedPort = options.port ?? 1883;
  const maxPacketBytes = options.maxPacketBytes ?? 256 * 1024;
  if (!isLoopback(host)) {
    throw new Fault(
      'CONFIG_INVALID',
      `the embedded broker listens on loopback only, got host ${host}`,
      'use 127.0.0.1, or install a broker with passwords (apt install mosquitto) and name it with --broker',
    );
  }

  const mayRetain = retainedBounds(options.maxRetained ?? { count: 2000, bytes: 8 * 1024 * 1024 });
  const maxSubscriptions = options.maxSubscriptionsPerClient ?? 2000;
  // counted before they are made: one packet may hold thousands
  const filtersByClient = new WeakMap<object, Set<string>>();
  const aedes = await Aedes.createBroker({
    // for the CONNECT of a silent client
    connectTimeout: 10_000,
    drainTimeout: options.drainTimeoutMs ?? 10_000,
    queueLimit: 42,
    preConnect(_client, packet, done) {
      // a session would be a queue without a bound for a client that may never come back
      packet.clean = true;
      done(null, true);
    },
    authorizePublish(_client, packet, done) {
      if (Buffer.byteLength(packet.topic) > maxTopicBytes) {
        done(new Error(`a topic may have ${maxTopicBytes} bytes`));
        return;
      }
      if (packet.retain && !mayRetain(packet.topic, packet.payload.length)) packet.retain = false;
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const { topic } = subscription;
      const filters = filtersByClient.get(client) ?? new Set();
      filtersByClient.set(client, filters);
      const isTooMuch =
        Buffer.byteLength(topic) > maxTopicBytes || (filters.size >= maxSubscriptions && !filters.has(topic));
      if (!isTooMuch) filters.add(topic);
      // null is refused, with 0x80 in the SUBACK
      done(null, isTooMuch ? null : subscription);
    },
  });
  aedes.on('unsubscribe', (filters, client) => {
    for (const filter of filters) filtersByClient.get(client)?.delete(filter);
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
    const guard = refuseLongPackets(maxPacketBytes);
    guard.once('error', () => socket.destroy());
    socket.once('error', () => guard.destroy());
    aedes.handle(Duplex.from({ readable: socket.pipe(guard), writable: socket }));
  });
  server.maxConnections = options.maxClients ?? 64;

  let requestedPortTaken = false;
  try {
    await startListening(server, wantedPort, host).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      requestedPortTaken = true;
      await startListening(server, 0, host);
    });
  } catch (cause) {
    aedes.close();
    throw new Fault(
      'BROKER_UNREACHABLE',
      `the embedded broker cannot listen on ${host}:${wantedPort}: ${(cause as Error).message}`,
      'choose another port (above 1023 unless root), or name an existing broker with --broker',
      { cause },
    );
  }

  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    host,
    port,
    url: `mqtt://${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    requestedPortTaken,
    close() {
      closing ??= (async () => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        for (const socket of sockets) socket.destroy();
        await Promise.all([closed, new Promise<void>((resolve) => aedes.close(() => resolve()))]);
      })();
      return closing;
    },
  };
}

/** Answers a function that keeps the count, and says whether one more may be retained. An empty one is a removal. */
function retainedBounds(most: { readonly count: number; readonly bytes: number }) {
  const bytesByTopic = new Map<string, number>();
  let bytes = 0;
  return (topic: string, payloadBytes: number): boolean => {
    const before = bytesByTopic.get(topic) ?? 0;
    const now = payloadBytes === 0 ? 0 : Buffer.byteLength(topic) + payloadBytes;
    const isNew = before === 0 && now > 0;
    if (now > before && (bytes - before + now > most.bytes || (isNew && bytesByTopic.size >= most.count))) {
      return false;
    }
    bytes += now - before;
    if (now === 0) bytesByTopic.delete(topic);
    else bytesByTopic.set(topic, now);
    return true;
  };
}

/** Passes MQTT bytes through, and fails at the first packet that announces more than `maxPacketBytes`. */
function refuseLongPackets(maxPacketBytes: number): Transform {
  const lengthOfTooLong = packetSizeGuard(maxPacketBytes);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const packetBytes = lengthOfTooLong(chunk);
      if (packetBytes === undefined) done(undefined, chunk);
      else done(new Error(`a packet may have ${maxPacketBytes} bytes, got one of ${packetBytes}`));
    },
  });
}
