/**
 * One connection to one broker, for as long as it is wanted. Owns what MQTT.js is not asked to do: back-off with
 * jitter (its own is a fixed period), the choice between MQTT 5 and 3.1.1, and saying once, in words, what is wrong.
 *
 * Each attempt is a fresh MQTT.js client that never reconnects: so nothing of a lost connection lives on inside it,
 * and it cannot become a second queue that loses what ours has promised.
 */
import { Socket } from 'node:net';
import type { IClientOptions, IClientPublishOptions, MqttClient } from 'mqtt';
import { connect, Store } from 'mqtt';
import type { BrokerAccess, OpenedAccess } from './broker-access.ts';
import { accessOf, openAccess } from './broker-access.ts';
import {
  ClosedBeforeConnack,
  explain,
  isParseError,
  isPassing,
  LinksDieYoung,
  PublishRefused,
  reasonCodeOf,
  reasonError,
  Unreasonable,
} from './broker-trouble.ts';
import { parseBrokerUrl } from './broker-url.ts';
import { type Fault, toFault } from './faults.ts';
import { packetSizeGuard } from './packet-guard.ts';
import { backoffMs } from './waiting.ts';

export type Protocol = '5' | '3.1.1';

export type Message = {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retained: boolean;
  /** MQTT 5: to be sent back with an answer. */
  readonly correlationData: Buffer | undefined;
};

export type Publication = {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** The rest is said in MQTT 5 only. */
  readonly contentType?: string;
  readonly expiryS?: number;
  readonly userProperties?: Readonly<Record<string, string>>;
  readonly correlationData?: Buffer;
};

/** What the broker says, retained, when we are gone without a word. */
export type Will = {
  readonly topic: string;
  readonly payload: string;
  /**
   * MQTT 5: how long the broker waits with it for us to come back. It keeps our session for so long, so that commands
   * are not lost either; a session older than this run is thrown away.
   */
  readonly delayS?: number | undefined;
};

/** An open connection. Dead after it is lost: the next one is another link. */
export type BrokerLink = {
  readonly protocol: Protocol;
  /**
   * QoS 1 resolves when the broker has taken it. Rejects with `PublishRefused` when the broker says no, with another
   * Error when the link is lost first; whether the broker has it is unknown then.
   */
  readonly publish: (publication: Publication) => Promise<void>;
  /** At QoS 1, without the messages already retained. Rejects if the broker refuses one of them. */
  readonly subscribe: (topics: readonly string[], retained?: 'with-retained') => Promise<void>;
};

export type BrokerConnectionOptions = BrokerAccess & {
  /** mqtt, mqtts, ws or wss; a user and password in it count unless given apart. */
  readonly url: string;
  readonly clientId: string;
  readonly protocol?: 'auto' | Protocol | undefined;
  readonly will?: Will | undefined;
  /** A silent link is given up after one and a half of these. */
  readonly keepaliveS?: number | undefined;
  /** From the first byte of TCP to CONNACK. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long the broker may take to acknowledge before the link counts as lost. */
  readonly ackTimeoutMs?: number | undefined;
  readonly retry?: Partial<Retry> | undefined;
  readonly onOnline: (link: BrokerLink) => void;
  /** Once for each link that was online. */
  readonly onOffline: () => void;
  readonly onMessage: (message: Message) => void;
  /** Once for each kind of trouble, until `onWell`. */
  readonly onTrouble: (fault: Fault) => void;
  /** Trouble that was told is over: there is a link, and if the ones before it died young, it has lived a while. */
  readonly onWell: () => void;
};

export type Retry = {
  /** The back-off of daemon/waiting.ts. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** Wrong credentials do not get right by trying: brokers ban clients for it. */
  readonly credentialsMs: number;
  /** A link that lived less died young: the back-off goes on growing, else two clients with one id fight at full speed. */
  readonly stableMs: number;
  /** After a fall back to 3.1.1, a connection made later than this tries MQTT 5 again: brokers get updated. */
  readonly protocolMs: number;
};

const defaultRetry: Retry = {
  firstMs: 500,
  mostMs: 30_000,
  credentialsMs: 60_000,
  stableMs: 5_000,
  protocolMs: 6 * 3600 * 1000,
};

export type BrokerConnection = {
  /** The url without user and password, for logs and events. */
  readonly url: string;
  readonly link: () => BrokerLink | undefined;
  /** How many links there were after the first. */
  readonly reconnects: () => number;
  /** Tries now rather than at the end of the back-off. */
  readonly retryNow: () => void;
  /** Says DISCONNECT (so no last will is sent) and stops for good; waits at most `deadlineMs`. */
  readonly close: (deadlineMs: number) => Promise<void>;
};

/**
 * Starts connecting, and never stops until closed. Callbacks come later, never from inside this call.
 * Throws `Fault` CONFIG_INVALID for a url it cannot use.
 */
export function connectBroker(options: BrokerConnectionOptions): BrokerConnection {
  const connection = new Connection(options);
  connection.start();
  return connection;
}

type Attempt = {
  readonly client: MqttClient;
  readonly protocol: Protocol;
  readonly certificateEndsAt: Date | undefined;
  /** Set at CONNACK. */
  link: BrokerLink | undefined;
  onlineAtMs: number;
  /** Rejecters of what waits for an acknowledgement: MQTT.js forgets them when the stream just closes. */
  readonly waiting: Set<(reason: Error) => void>;
};

class Connection implements BrokerConnection {
  readonly url: string;
  readonly #options: BrokerConnectionOptions;
  readonly #retry: Retry;
  readonly #access: BrokerAccess;
  readonly #clientOptions: IClientOptions;
  #attempt: Attempt | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #failures = 0;
  #links = 0;
  #announcedCode: string | undefined;
  #diedYoung = 0;
  #wellTimer: NodeJS.Timeout | undefined;
  #refusedV5AtMs: number | undefined;

  constructor(options: BrokerConnectionOptions) {
    const { href, username, password } = parseBrokerUrl(options.url);
    this.url = href;
    this.#options = options;
    this.#retry = { ...defaultRetry, ...options.retry };
    this.#access = {
      ...accessOf(options),
      username: options.username ?? username,
      password: options.password ?? password,
    };
    this.#clientOptions = {
      clientId: options.clientId,
      keepalive: options.keepaliveS ?? 20,
      connectTimeout: options.connectTimeoutMs ?? 10_000,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // the cache is a buffer for each number a packet may carry: 65 536 of them, 7 MB and the time to make them
      writeCache: false,
    };
  }

  start(): void {
    this.#schedule(0);
  }

  link(): BrokerLink | undefined {
    return this.#attempt?.link;
  }

  reconnects(): number {
    return Math.max(0, this.#links - 1);
  }

  retryNow(): void {
    if (this.#closed || this.#attempt !== undefined) return;
    this.#failures = 0;
    this.#schedule(0);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#wellTimer);
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    const { client } = attempt;
    for (const reject of attempt.waiting) reject(new Error('connection closed'));
    if (attempt.link !== undefined) {
      // a polite DISCONNECT, written out before the socket goes: without it the broker sends our last will.
      // MQTT.js would hold it back for acknowledgements that nobody waits for any more
      client.outgoing = {};
      await Promise.race([
        new Promise<void>((resolve) => client.end(false, () => resolve())),
        new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref()),
      ]);
    }
    client.end(true);
    client.stream.destroy();
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#connect(), delayMs);
  }

  #protocol(): Protocol {
    const wanted = this.#options.protocol ?? 'auto';
    if (wanted !== 'auto') return wanted;
    const refusedAtMs = this.#refusedV5AtMs;
    if (refusedAtMs === undefined) return '5';
    if (performance.now() - refusedAtMs < this.#retry.protocolMs) return '3.1.1';
    this.#refusedV5AtMs = undefined;
    return '5';
  }

  #connect(): void {
    const protocol = this.#protocol();
    let access: OpenedAccess;
    try {
      access = openAccess(this.#access);
    } catch (thrown) {
      this.#retryAfter(toFault(thrown));
      return;
    }
    const client = connect(this.url, {
      ...this.#clientOptions,
      ...clientAccess(this.#access, access),
      ...sessionOptions(protocol, this.#options.will, this.#links > 0),
      incomingStore: unclosableStore(),
      outgoingStore: unclosableStore(),
    });
    const { certificateEndsAt } = access;
    const attempt: Attempt = {
      client,
      protocol,
      certificateEndsAt,
      link: undefined,
      onlineAtMs: 0,
      waiting: new Set(),
    };
    this.#attempt = attempt;
    // small packets must not wait for the TCP acknowledgement of the one before: 40 ms each, measured on loopback
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
    let reached = false;
    client.stream.once(this.url.startsWith('mqtts') ? 'secureConnect' : 'connect', () => {
      reached = true;
    });
    this.#guard(attempt);
    client.on('connect', () => this.#online(attempt));
    client.on('message', (topic, payload, packet) => {
      if (attempt !== this.#attempt) return;
      this.#options.onMessage({
        topic,
        payload,
        retained: packet.retain,
        correlationData: packet.properties?.correlationData,
      });
    });
    client.on('disconnect', ({ reasonCode }) => this.#lose(attempt, reasonError(reasonCode ?? 0)));
    const silently = () => reached && attempt.link === undefined;
    client.on('error', (error) => {
      const { code } = error as NodeJS.ErrnoException;
      this.#lose(attempt, silently() && code === 'ECONNRESET' ? new ClosedBeforeConnack() : error);
    });
    client.on('close', () =>
      this.#lose(attempt, silently() ? new ClosedBeforeConnack() : new Error('link closed')),
    );
  }

  /** Gives up a broker that sends what a broker has no reason to send, before it fills our memory. */
  #guard(attempt: Attempt): void {
    const { client, protocol } = attempt;
    const lengthOfTooLong = packetSizeGuard(maxPacketBytes[protocol]);
    client.stream.on('data', (chunk: Buffer) => {
      const packetBytes = lengthOfTooLong(chunk);
      if (packetBytes !== undefined) {
        this.#lose(attempt, new Unreasonable(`it sends a packet of ${packetBytes} bytes`));
      } else if (client.stream.writableLength > maxUnsentBytes) {
        this.#lose(attempt, new Unreasonable('it sends and does not read'));
      }
    });
    client.on('packetreceive', (packet) => {
      // we subscribe at QoS 1; of QoS 2, MQTT.js would keep every message until the broker releases it
      if (packet.cmd === 'publish' && packet.qos === 2) {
        this.#lose(attempt, new Unreasonable('it sends at QoS 2, which nobody asked for'));
      }
    });
  }

  #online(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    attempt.link = this.#linkOf(attempt);
    attempt.onlineAtMs = performance.now();
    this.#links += 1;
    this.#options.onOnline(attempt.link);
    if (this.#announcedCode === undefined) return;
    if (this.#diedYoung === 0) this.#well();
    else this.#wellTimer = setTimeout(() => this.#well(), this.#retry.stableMs);
  }

  #well(): void {
    this.#announcedCode = undefined;
    this.#options.onWell();
  }

  #linkOf(attempt: Attempt): BrokerLink {
    const { client, protocol } = attempt;
    const acknowledged = (what: string, start: (settle: (error?: Error | null) => void) => void) =>
      new Promise<void>((resolve, reject) => {
        if (attempt !== this.#attempt) {
          reject(new Error('link lost'));
          return;
        }
        const timer = setTimeout(
          () => this.#lose(attempt, new Error(`no acknowledgement of ${what}`)),
          this.#options.ackTimeoutMs ?? 20_000,
        );
        const settle = (error?: Error | null) => {
          clearTimeout(timer);
          attempt.waiting.delete(settle);
          if (error === undefined || error === null) resolve();
          else reject(error);
        };
        attempt.waiting.add(settle);
        start(settle);
      });
    return {
      protocol,
      publish: (publication) =>
        acknowledged(publication.topic, (settle) => {
          const { topic, payload } = publication;
          client.publish(topic, payload, publishOptions(publication, protocol), (error) => {
            const reasonCode = reasonCodeOf(error);
            settle(reasonCode === undefined ? error : new PublishRefused(topic, reasonCode));
          });
        }),
      subscribe: (topics, retained) =>
        acknowledged('a subscription', (settle) => {
          // MQTT 5 can leave the retained messages out (§3.8.3.1, retain handling 2); in 3.1.1 they come, marked
          const rh = retained === undefined ? 2 : 0;
          client.subscribe([...topics], protocol === '5' ? { qos: 1, rh } : { qos: 1 }, (error) =>
            settle(error),
          );
        }),
    };
  }

  #lose(attempt: Attempt, cause: Error): void {
    if (attempt !== this.#attempt) return;
    this.#attempt = undefined;
    const { client } = attempt;
    for (const reject of [...attempt.waiting]) reject(new Error(`link lost: ${cause.message}`));
    client.end(true);

    clearTimeout(this.#wellTimer);
    const wasOnline = attempt.link !== undefined;
    if (wasOnline) {
      if (performance.now() - attempt.onlineAtMs < this.#retry.stableMs) {
        this.#diedYoung += 1;
      } else {
        this.#diedYoung = 0;
        this.#failures = 0;
      }
      this.#options.onOffline();
    }

    if (!wasOnline && this.#isAboutProtocol(cause)) {
      if (attempt.protocol === '5') {
        this.#refusedV5AtMs = performance.now();
        this.#schedule(0);
        return;
      }
      // 3.1.1 got no further than 5 did: it was not the protocol, so the next attempt speaks 5 again
      this.#refusedV5AtMs = undefined;
    }

    // a link that was well and went away is no trouble yet: the first reconnect mostly finds the broker back
    const passing = wasOnline && isPassing(cause);
    const harmless = passing && this.#diedYoung < 3;
    const reason = passing ? new LinksDieYoung() : cause;
    this.#retryAfter(harmless ? undefined : explain(reason, this.url, attempt.certificateEndsAt));
  }

  #retryAfter(fault: Fault | undefined): void {
    const { credentialsMs } = this.#retry;
    const slow = fault?.code === 'BROKER_CREDENTIALS';
    this.#schedule(
      backoffMs(this.#failures, slow ? { firstMs: credentialsMs, mostMs: credentialsMs } : this.#retry),
    );
    this.#failures += 1;
    if (fault !== undefined && fault.code !== this.#announcedCode) {
      this.#announcedCode = fault.code;
      this.#options.onTrouble(fault);
    }
  }

  /** How brokers without MQTT 5 take its CONNECT: with a 3.1.1 return code 1, with an error of 5, or by hanging up. */
  #isAboutProtocol(cause: Error): boolean {
    if ((this.#options.protocol ?? 'auto') !== 'auto') return false;
    const reasonCode = reasonCodeOf(cause);
    // 1 and 132 unsupported version, 129 malformed packet, 130 protocol error
    if (reasonCode !== undefined) return [1, 129, 130, 132].includes(reasonCode);
    return cause instanceof ClosedBeforeConnack || isParseError(cause);
  }
}

/**
 * Longer packets from a broker are not read. Of MQTT 5 it is told, and leaves such messages out; one of 3.1.1 cannot
 * know, so that only what would endanger our memory ends the connection.
 */
const maxPacketBytes: Readonly<Record<Protocol, number>> = { '5': 256 * 1024, '3.1.1': 16 * 1024 * 1024 };
/** What waits to be sent. More than we ever say at once; of acknowledgements, 4 bytes that cost 150 in memory, 65 536. */
const maxUnsentBytes = 256 * 1024;

/**
 * MQTT.js goes on with the packets it has read when its client has ended, and its stores throw once they are closed: a
 * PUBREL behind a DISCONNECT would be the end of the daemon. Found by test/fuzz/siege.test.ts.
 */
function unclosableStore(): Store {
  return Object.assign(new Store(), { close: (done?: () => void) => done?.() });
}

function sessionOptions(protocol: Protocol, will: Will | undefined, isReconnect: boolean): IClientOptions {
  const { topic, payload, delayS = 0 } = will ?? {};
  const message =
    topic === undefined
      ? {}
      : { will: { topic, payload: Buffer.from(payload ?? ''), qos: 1 as const, retain: true } };
  if (protocol === '3.1.1') return { ...message, protocolVersion: 4, clean: true };
  const maximumPacketSize = maxPacketBytes['5'];
  if (message.will === undefined || delayS === 0) {
    return { ...message, protocolVersion: 5, clean: true, properties: { maximumPacketSize } };
  }
  return {
    protocolVersion: 5,
    // what the broker kept for a run before is not for us: a command must not be obeyed by a daemon started later
    clean: !isReconnect,
    // the will is sent when its delay or the session ends, whichever comes first (§3.1.3.2.2)
    properties: { maximumPacketSize, sessionExpiryInterval: delayS },
    will: { ...message.will, properties: { willDelayInterval: delayS } },
  };
}

/** As MQTT.js wants it; for wss it is handed on to another library. */
function clientAccess(
  { username, serverName }: BrokerAccess,
  { password, secureContext }: OpenedAccess,
): IClientOptions {
  const tls = {
    ...(secureContext === undefined ? {} : { secureContext }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
  return {
    ...tls,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    wsOptions: tls as NonNullable<IClientOptions['wsOptions']>,
  };
}

function publishOptions(publication: Publication, protocol: Protocol): IClientPublishOptions {
  const { qos, retain, contentType, expiryS, userProperties, correlationData } = publication;
  if (protocol !== '5') return { qos, retain };
  return {
    qos,
    retain,
    properties: {
      payloadFormatIndicator: true,
      ...(contentType === undefined ? {} : { contentType }),
      ...(expiryS === undefined ? {} : { messageExpiryInterval: expiryS }),
      ...(userProperties === undefined ? {} : { userProperties: { ...userProperties } }),
      ...(correlationData === undefined ? {} : { correlationData }),
    },
  };
}
