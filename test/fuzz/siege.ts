/**
 * Sends hostile MQTT messages, broker streams, HTTP requests and configuration files to what of a daemon meets the
 * outside (test/fixtures/besieged.ts), and tells whether it still answers, and how its memory has grown meanwhile.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import path from 'node:path';
import { startEmbeddedBroker } from '../../daemon/broker.ts';
import { sleep } from '../../daemon/waiting.ts';
import type { Order, Report } from '../fixtures/besieged.ts';
import { listenTo, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { ask, sendRaw } from '../fixtures/http.ts';
import { randomFrom } from '../random.ts';
import { brokerStreams } from './broker-packets.ts';
import { httpRequests } from './http-requests.ts';
import { mqttMessages } from './mqtt-messages.ts';

const base = 'harkd/fuzz';
const hostileBase = 'harkd/hostile';

export type Force = {
  readonly messages: number;
  readonly streams: number;
  readonly requests: number;
  readonly files: number;
};

export type Siege = {
  /** Until the code is compiled and buffers have found their size. */
  readonly warmUp: Force;
  readonly attack: Force;
  readonly seed: number;
  readonly report?: (line: string) => void;
};

export type SiegeResult = {
  readonly sent: Force;
  /** Requests that got an answer of HTTP. */
  readonly answered: number;
  readonly configs: number;
  readonly faults: number;
  readonly heapGrownMb: number;
  readonly rssGrownMb: number;
  readonly rssMb: number;
};

type Of<T extends Report['type']> = Extract<Report, { readonly type: T }>;

/** Throws when the besieged process ends, breaks a promise, or does not answer when all is over. */
export async function besiege({ warmUp, attack, seed, report = () => {} }: Siege): Promise<SiegeResult> {
  const random = randomFrom(seed);
  const broker = mosquittoMissing === undefined ? await startMosquitto() : await embedded();
  const hostile = await hostileBroker(brokerStreams(random, hostileBase));
  const file = path.join(import.meta.dirname, '../fixtures/besieged.js');
  const child = fork(file, [broker.url, hostile.url, base, hostileBase], { execArgv: ['--expose-gc'] });
  let ended = false;
  const fallen = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) => {
      if (!ended) reject(new Error(`it ended with ${code ?? signal}`));
    });
    child.on('message', (message: Report) => {
      if (message.type === 'broken') reject(new Error(message.what));
    });
  });
  fallen.catch(() => undefined);
  const unfallen = <T>(work: Promise<T>): Promise<T> => Promise.race([work, fallen]);

  function told<T extends Report['type']>(type: T): Promise<Of<T>> {
    return unfallen(
      new Promise((resolve) => {
        const listen = (message: Report) => {
          if (message.type !== type) return;
          child.off('message', listen);
          resolve(message as Of<T>);
        };
        child.on('message', listen);
      }),
    );
  }
  const order = (what: Order) => void child.send(what);
  const measure = () => {
    const measured = told('measured');
    order({ do: 'measure' });
    return measured;
  };

  const { httpPort } = await told('ready');
  const listener = await listenTo(broker.url, `${base}/response/ping`);
  /** What was sent before is dealt with when this is answered. */
  async function ping(): Promise<void> {
    const transaction = String(random());
    const isAnswer = ({ text }: { readonly text: string }) => text.includes(transaction);
    const asking = setInterval(
      () => listener.client.publish(`${base}/request/ping`, JSON.stringify({ transaction }), { qos: 1 }),
      200,
    );
    try {
      await unfallen(listener.until(`${base}/response/ping`, (all) => all.some(isAnswer)));
    } finally {
      clearInterval(asking);
    }
  }

  const nextMessage = mqttMessages(random, base);
  async function sendMessages(count: number): Promise<void> {
    const { client } = listener;
    await inParallel(count, 64, async () => {
      const { topic, payload, options } = nextMessage();
      // a broker turns messages away (quota exceeded) while the daemon has many to read: again then, each is to arrive
      while (!(await isTaken(client.publishAsync(topic, payload, options)))) await sleep(5);
    });
    await ping();
  }
  const nextRequest = httpRequests(random);
  let answered = 0;
  async function sendRequests(count: number): Promise<void> {
    await inParallel(count, 32, async () => {
      if ((await sendRaw(httpPort, nextRequest(), 250)).startsWith('HTTP/1.1 ')) answered += 1;
    });
  }
  const read = { configs: 0, faults: 0 };
  async function sendFiles(count: number): Promise<void> {
    const portion = 500;
    for (let left = count; left > 0; left -= portion) {
      const done = told('read');
      order({ do: 'read', files: Math.min(portion, left), seed: Math.floor(random() * 2 ** 31) });
      const { configs, faults } = await done;
      read.configs += configs;
      read.faults += faults;
    }
  }
  async function send(force: Force, name: string): Promise<void> {
    const startedAtMs = performance.now();
    const said = (what: string) =>
      report(`${name}: ${what}, ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
    await unfallen(sendMessages(force.messages));
    said(`${force.messages} messages`);
    await unfallen(hostile.serve(force.streams));
    said(`${force.streams} streams of a broker`);
    await unfallen(sendRequests(force.requests));
    said(`${force.requests} requests`);
    await sendFiles(force.files);
    said(`${force.files} configuration files`);
  }

  try {
    await send(warmUp, 'warm-up');
    const early = await measure();
    await send(attack, 'attack');
    await ping();
    const { status } = await ask(httpPort, '/metrics');
    if (status !== 200) throw new Error(`the web page answers ${status}`);
    const late = await measure();
    return {
      sent: {
        messages: warmUp.messages + attack.messages,
        streams: warmUp.streams + attack.streams,
        requests: warmUp.requests + attack.requests,
        files: warmUp.files + attack.files,
      },
      answered,
      ...read,
      heapGrownMb: late.heapMb - early.heapMb,
      rssGrownMb: late.rssMb - early.rssMb,
      rssMb: late.rssMb,
    };
  } finally {
    ended = true;
    listener.close();
    const gone = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGKILL');
    await gone;
    hostile.close();
    await broker.kill();
  }
}

async function embedded() {
  const { url, close } = await startEmbeddedBroker({ port: 0 });
  return { url, kill: close };
}

/** A server that takes whoever connects: while it serves it sends each a stream and hangs up, else it says nothing. */
async function hostileBroker(next: () => Buffer) {
  const quiet = Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00]);
  const sockets = new Set<Socket>();
  let left = 0;
  let done = () => {};
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    socket.once('data', () => {
      socket.write(left > 0 ? next() : quiet);
      if (left === 0) return;
      // long enough to be read, short enough for many
      setTimeout(() => {
        socket.destroy();
        left -= 1;
        if (left === 0) done();
      }, 4);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve: (count: number) =>
      new Promise<void>((resolve) => {
        left = count;
        done = resolve;
        hangUp();
      }),
    close() {
      server.close();
      hangUp();
    },
  };
}

function isTaken(publication: Promise<unknown>): Promise<boolean> {
  return publication.then(
    () => true,
    () => false,
  );
}

async function inParallel(count: number, width: number, work: () => Promise<void>): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}
