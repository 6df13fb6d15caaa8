/** The other end of docs/mqtt.md: follows one or many daemons through their broker. */
import { randomUUID } from 'node:crypto';
import { accessOf, type BrokerAccess } from './broker-access.ts';
import type { BrokerLink, Message } from './broker-connection.ts';
import { connectBroker } from './broker-connection.ts';
import type { PartialTranscript } from './events.ts';
import { Fault } from './faults.ts';
import type { EventMessage, HealthMessage, TranscriptMessage } from './mqtt-contract.ts';
import { topicsOf } from './mqtt-contract.ts';

/** What a daemon said. `site` is the last level of its base topic. */
export type SiteMessage = { readonly site: string } & (
  | { readonly type: 'status'; readonly status: 'online' | 'offline' }
  | { readonly type: 'transcript'; readonly transcript: TranscriptMessage }
  | { readonly type: 'partial'; readonly partial: Omit<PartialTranscript, 'language'> }
  | { readonly type: 'speech'; readonly speaking: boolean }
  | { readonly type: 'mute'; readonly muted: boolean }
  | { readonly type: 'health'; readonly health: HealthMessage }
  | { readonly type: 'info'; readonly info: Readonly<Record<string, unknown>> }
  | { readonly type: 'event'; readonly event: Pick<EventMessage, 'at' | 'type'> }
  /** Not as the contract says: another version of harkd, or somebody else. */
  | { readonly type: 'unreadable'; readonly topic: string }
);

export type Heard =
  | SiteMessage
  /** `online` is connected and subscribed: nothing that is said from then on is missed. */
  | { readonly type: 'broker'; readonly state: 'online' | 'offline'; readonly url: string }
  | { readonly type: 'trouble'; readonly fault: Fault }
  /** We were too slow, and the oldest messages are gone. */
  | { readonly type: 'missed'; readonly count: number };

export type FollowOptions = BrokerAccess & {
  readonly url: string;
  /** The base topic of one daemon, or with `+` for a level, of many: `harkd/+`. */
  readonly base: string;
  readonly signal: AbortSignal;
  readonly connectTimeoutMs?: number;
};

/** What waits to be read. A subscriber that is this far behind will not catch up by waiting. */
const maxWaiting = 10_000;
/** Finals come at least once; an id that was among the last so many is not handed out again. */
const rememberedIds = 1000;

/**
 * Follows until `signal` aborts: first what is retained, then what comes. Throws `Fault` if the broker cannot be
 * reached, or does not let us subscribe, in the first place; later trouble is among what is heard, and retried.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<Heard, void, undefined> {
  const { base, signal } = options;
  if (!/^[^#\0]+$/u.test(base) || base.split('/').some((level) => level === '' || /.\+|\+./u.test(level))) {
    throw new Fault(
      'CONFIG_INVALID',
      `expected a base topic, got ${JSON.stringify(base)}`,
      'write it like harkd/kitchen, or harkd/+ for all sites',
    );
  }
  const waiting: Heard[] = [];
  let missed = 0;
  let wake = () => {};
  let firstFault: Fault | undefined;
  let everOnline = false;
  const isRepeated = repetitions();

  function hear(heard: Heard): void {
    waiting.push(heard);
    if (waiting.length > maxWaiting) {
      waiting.shift();
      missed += 1;
    }
    wake();
  }
  function trouble(fault: Fault): void {
    if (everOnline) hear({ type: 'trouble', fault });
    else firstFault ??= fault;
    wake();
  }

  const connection = connectBroker({
    ...accessOf(options),
    url: options.url,
    clientId: `harkd-watch-${randomUUID().slice(0, 8)}`,
    connectTimeoutMs: options.connectTimeoutMs,
    onOnline: subscribe,
    onOffline: () => hear({ type: 'broker', state: 'offline', url: connection.url }),
    onMessage(message) {
      const said = parseSiteMessage(message, base);
      if (said === undefined || isRepeated(said)) return;
      hear(said);
    },
    onTrouble: trouble,
    onWell: () => {},
  });

  function subscribe(link: BrokerLink): void {
    const { status, info, health, transcript, transcriptPartial, speech, mute, event } = topicsOf(base);
    const topics = [status, info, health, transcript, transcriptPartial, speech, mute, event];
    link.subscribe(topics, 'with-retained').then(
      () => {
        everOnline = true;
        hear({ type: 'broker', state: 'online', url: connection.url });
      },
      (error: Error) => {
        if (link !== connection.link()) return;
        const hint = `let this user read ${base}/# in the access list of the broker`;
        trouble(new Fault('BROKER_REFUSED', `the broker refuses ${base}/#: ${error.message}`, hint));
      },
    );
  }

  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      if (firstFault !== undefined) throw firstFault;
      if (missed > 0) {
        const count = missed;
        missed = 0;
        yield { type: 'missed', count };
      }
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await connection.close(1000);
  }
}

/** Answers whether a final was heard before, by site and id. */
function repetitions(): (said: SiteMessage) => boolean {
  const seen = new Set<string>();
  return (said) => {
    if (said.type !== 'transcript') return false;
    const key = `${said.site}/${said.transcript.id}`;
    if (seen.has(key)) return true;
    seen.add(key);
    for (const oldest of seen) {
      if (seen.size <= rememberedIds) break;
      seen.delete(oldest);
    }
    return false;
  };
}

/** Reads one message under `base` (which may hold `+`). Total; undefined for a topic that is not ours to read. */
export function parseSiteMessage(
  message: Pick<Message, 'topic' | 'payload'>,
  base: string,
): SiteMessage | undefined {
  const levels = message.topic.split('/');
  const depth = base.split('/').length;
  const site = levels[depth - 1];
  if (site === undefined) return undefined;
  const text = message.payload.toString('utf8');
  // an empty retained message is how a topic is cleaned away
  if (text === '') return undefined;
  const unreadable = { site, type: 'unreadable', topic: message.topic } as const;
  const word = <T>(words: Readonly<Record<string, T>>): T | undefined =>
    Object.hasOwn(words, text) ? words[text] : undefined;

  switch (levels.slice(depth).join('/')) {
    case 'status': {
      const status = word({ online: 'online', offline: 'offline' } as const);
      return status === undefined ? unreadable : { site, type: 'status', status };
    }
    case 'speech': {
      const speaking = word({ ON: true, OFF: false });
      return speaking === undefined ? unreadable : { site, type: 'speech', speaking };
    }
    case 'mute': {
      const muted = word({ ON: true, OFF: false });
      return muted === undefined ? unreadable : { site, type: 'mute', muted };
    }
    case 'transcript': {
      const transcript = parseObject(text);
      return has<TranscriptMessage>(transcript, transcriptShape)
        ? { site, type: 'transcript', transcript }
        : unreadable;
    }
    case 'transcript/partial': {
      const partial = parseObject(text);
      return has<PartialTranscript>(partial, partialShape) ? { site, type: 'partial', partial } : unreadable;
    }
    case 'health': {
      const health = parseObject(text);
      return has<HealthMessage>(health, healthShape) ? { site, type: 'health', health } : unreadable;
    }
    case 'info': {
      const info = parseObject(text);
      return info === undefined ? unreadable : { site, type: 'info', info };
    }
    case 'event': {
      const event = parseObject(text);
      return has<EventMessage>(event, eventShape) ? { site, type: 'event', event } : unreadable;
    }
    default:
      return undefined;
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** For each field its type, or the shape of an object; `number?` may be null. What is not named may be anything. */
type Shape = { readonly [field: string]: 'string' | 'number' | 'number?' | 'boolean' | 'boolean?' | Shape };

function has<T>(value: unknown, shape: Shape): value is T {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(shape).every(([field, expected]) => {
    const got: unknown = (value as Record<string, unknown>)[field];
    if (typeof expected === 'object') return has(got, expected);
    return expected.endsWith('?')
      ? got === null || typeof got === expected.slice(0, -1)
      : typeof got === expected;
  });
}

const transcriptShape: Shape = {
  id: 'string',
  seq: 'number',
  text: 'string',
  language: 'string',
  start: 'string',
  end: 'string',
  durationMs: 'number',
  latencyMs: 'number',
  rtf: 'number',
  confidence: 'number',
  model: 'string',
  provider: 'string',
  microphone: 'string',
  replayed: 'boolean',
};
const partialShape: Shape = { id: 'string', rev: 'number', text: 'string', stableChars: 'number' };
const eventShape: Shape = { at: 'string', type: 'string' };
const healthShape: Shape = {
  at: 'string',
  bootId: 'string',
  uptimeS: 'number',
  rssMb: 'number?',
  cpuTempC: 'number?',
  throttled: { now: 'boolean?', sinceBoot: 'boolean?' },
  load: 'number?',
  rtf: { p50: 'number?', p95: 'number?' },
  latencyMs: { p50: 'number?', p95: 'number?' },
  queue: { depthS: 'number', oldestMs: 'number', dropped: 'number' },
  microphone: {
    state: 'string',
    lastAudioMs: 'number?',
    levelDbfs: 'number?',
    restarts: 'number',
    overruns: 'number',
  },
  recognizer: { state: 'string', restarts: 'number' },
  mqtt: { reconnects: 'number', outbox: 'number', outboxDropped: 'number' },
};
