/**
 * Lets others have their sound recognised, over the Wyoming protocol: Home Assistant's Assist takes harkd as its
 * speech-to-text engine. docs/wyoming.md is the contract.
 *
 * Not a sink: nothing that the daemon's own microphone hears comes here, and nothing that comes here is published. The
 * protocol has no authentication by design (OHF-Voice/wyoming, SECURITY.md). So who may connect is decided by the
 * address we listen on, addresses from outside the local network are turned away, and everything a client can make us
 * hold has a limit.
 */

import type { AddressInfo, Socket } from 'node:net';
import { createServer, isIP } from 'node:net';
import { ByteReader } from './capture/bytes.ts';
import type { DetectSpeech } from './events.ts';
import { Fault, toFault } from './faults.ts';
import { startListening } from './listening.ts';
import { type Client, ClientGone, converse, otherThings, type Services } from './wyoming/conversation.ts';
import { encodeEvent, readEvent, requestInvalid } from './wyoming/event.ts';
import { isNeighbour } from './wyoming/neighbour.ts';

export type WyomingOptions = Omit<Services, 'withDetector' | 'mostAudioS'> & {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly openDetector: () => Promise<DetectSpeech>;
  /** A client was sent away, and why. Not told of those who leave. */
  readonly onTrouble: (fault: Fault, address: string) => void;
  readonly maxClients?: number;
  /** An event has so long to come. */
  readonly idleMs?: number;
  readonly mostAudioS?: number;
};

export type WyomingServer = {
  readonly port: number;
  readonly url: string;
  /** Sends every client away and frees the port. */
  readonly close: () => Promise<void>;
};

/** Every room of a house may speak at a time. */
const defaultMaxClients = 16;
const defaultIdleMs = 30_000;
/** Assist gives up a command after 15 s; dictation may be longer. */
const defaultMostAudioS = 120;
/** Given to a client to read why it is sent away. */
const farewellMs = 500;

/** Starts to listen. Throws `Fault` WYOMING_UNAVAILABLE when the address cannot be listened on. */
export async function wyomingServer(options: WyomingOptions): Promise<WyomingServer> {
  const { host, onTrouble, maxClients = defaultMaxClients } = options;
  const services: Services = {
    ...options,
    withDetector: lendingDetectors(options.openDetector),
    mostAudioS: options.mostAudioS ?? defaultMostAudioS,
  };
  const idleMs = options.idleMs ?? defaultIdleMs;
  const stopping = new AbortController();
  const conversations = new Set<Promise<void>>();
  let served = 0;

  async function serve(socket: Socket, address: string): Promise<void> {
    const { client, letGo } = clientOf(socket, idleMs, stopping.signal);
    served++;
    try {
      if (served > maxClients) throw busy(maxClients);
      await converse(client, services);
    } catch (thrown) {
      if (stopping.signal.aborted) sayWhy(client, stopped);
      else if (!(thrown instanceof ClientGone) && !client.signal.aborted) {
        const fault = toFault(thrown);
        sayWhy(client, fault);
        onTrouble(fault, address);
      }
    } finally {
      served--;
    }
    await farewell(socket, letGo);
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // a client that goes away in the middle of something is nothing to talk about
    socket.on('error', () => undefined);
    const address = socket.remoteAddress ?? '';
    if (!isNeighbour(address)) {
      socket.destroy();
      if (address !== '') onTrouble(stranger(address), address);
      return;
    }
    const conversation = serve(socket, address).finally(() => conversations.delete(conversation));
    conversations.add(conversation);
  });
  // some are told that there are too many; more of them are not
  server.maxConnections = 2 * maxClients;

  await startListening(server, options.port, host).catch((cause: NodeJS.ErrnoException) => {
    throw new Fault(
      'WYOMING_UNAVAILABLE',
      `Wyoming cannot listen on ${host}:${options.port}: ${cause.message}`,
      'choose another port (above 1023 unless root) or an address of this machine in wyoming.listen',
      { cause },
    );
  });
  // accept may fail when the process has no file descriptors left: that passes, and hearing goes on
  server.on('error', ({ message }) => {
    const hint = 'if it stays so, something here opens files or connections and does not close them';
    onTrouble(new Fault('WYOMING_UNAVAILABLE', `no client can be taken: ${message}`, hint), host);
  });

  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    port,
    url: `tcp://${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    close() {
      closing ??= (async () => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        stopping.abort();
        await Promise.all([closed, ...conversations]);
      })();
      return closing;
    },
  };
}

/** A socket as a client. It is gone when the socket is, and when `stopping` aborts. `letGo` ends the reading. */
function clientOf(
  socket: Socket,
  idleMs: number,
  stopping: AbortSignal,
): { readonly client: Client; readonly letGo: () => Promise<void> } {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, stopping]);
  const bytes = new ByteReader(socket.iterator({ destroyOnReturn: false }));

  async function read() {
    // who sends questions and does not read answers waits until it does
    if (socket.writableNeedDrain) await new Promise((resolve) => socket.once('drain', resolve));
    await otherThings();
    const event = await readEvent(bytes).catch((error: unknown) => {
      throw error instanceof Fault ? error : new ClientGone();
    });
    if (event === undefined) throw new ClientGone();
    return event;
  }

  const client: Client = {
    signal,
    send(type, data = {}) {
      if (socket.writable) socket.write(encodeEvent(type, data));
    },
    // no race of promises: one that stays open for as long as the client is here would keep every event until then
    next: () =>
      new Promise((resolve, reject) => {
        const leave = (): void => reject(new ClientGone());
        const late = (): void =>
          reject(requestInvalid(`an event comes within ${idleMs / 1000} s, got none, or half of one`));
        const timer = setTimeout(late, idleMs);
        signal.addEventListener('abort', leave, { once: true });
        if (signal.aborted) leave();
        void read()
          .then(resolve, reject)
          .finally(() => {
            clearTimeout(timer);
            signal.removeEventListener('abort', leave);
          });
      }),
  };
  return { client, letGo: () => bytes.close() };
}

/** Ends a connection so that what was sent last can still be read: with sound unread, it would be reset. */
async function farewell(socket: Socket, letGo: () => Promise<void>): Promise<void> {
  if (socket.closed) return;
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const timer = setTimeout(() => socket.destroy(), farewellMs);
  socket.end();
  void letGo().then(
    () => socket.resume(),
    () => undefined,
  );
  await closed;
  clearTimeout(timer);
}

/** Each remembers what it hears; one that is free is lent again, and starts afresh with another sound. */
function lendingDetectors(open: () => Promise<DetectSpeech>): Services['withDetector'] {
  const free: DetectSpeech[] = [];
  return async (work) => {
    const detector = free.pop() ?? (await open());
    try {
      return await work(detector);
    } finally {
      free.push(detector);
    }
  };
}

const stopped = new Fault('INTERRUPTED', 'harkd is being stopped', 'come back when it runs');

/** Nobody is sent away without a reason; Home Assistant does not read it, but notices the end of the connection. */
function sayWhy(client: Client, { code, message }: Fault): void {
  client.send('error', {
    text: code === 'INTERNAL' ? 'this is a bug of harkd: its log says more' : message,
    code,
  });
}

function busy(maxClients: number): Fault {
  return new Fault('WYOMING_BUSY', `${maxClients} clients are here already`, 'come back when one has left');
}

function stranger(address: string): Fault {
  return requestInvalid(`${address} is not of this network: Wyoming is for the local network only`);
}
