/**
 * Says over MQTT what the daemon hears and how it is, and takes commands from it. Topics, payloads, retain
 * and QoS: docs/mqtt.md. Finals go through the outbox and are never lost; everything else is said while there is
 * somebody to say it to.
 */
import { randomUUID } from 'node:crypto';
import { accessOf, type BrokerAccess } from '../broker-access.ts';
import type { BrokerLink, Message, Protocol, Publication, Retry } from '../broker-connection.ts';
import { connectBroker } from '../broker-connection.ts';
import type { DaemonEvent, Emit, Settings, Sink } from '../events.ts';
import { Fault, toFault } from '../faults.ts';
import type { EventMessage, HealthMessage } from '../mqtt-contract.ts';
import { topicsOf } from '../mqtt-contract.ts';
import type { Outbox } from '../outbox.ts';
import { memoryOutbox } from '../outbox.ts';
import { sleep } from '../waiting.ts';
import { type HomeAssistantOptions, keepAnnounced } from './mqtt/announcement.ts';
import { answerTo, bounded, parseCommand, type Requests } from './mqtt/commands.ts';
import { deliverInOrder } from './mqtt/delivery.ts';
import type { Happening } from './mqtt/happenings.ts';
import { happenings } from './mqtt/happenings.ts';
import { startHeartbeat } from './mqtt/heartbeat.ts';
import { type HermesOptions, hermesFor } from './mqtt/hermes.ts';
import { type HomieOptions, homieDevice } from './mqtt/homie.ts';
import { tellSparingly } from './mqtt/ignored.ts';
import { publicationsFor } from './mqtt/publications.ts';
import { keepRetained } from './mqtt/retained.ts';
import { sayingWhatIs } from './mqtt/saying.ts';
import { announceTrouble } from './mqtt/trouble.ts';

export type MqttSinkOptions = BrokerAccess & {
  readonly url: string;
  /** `harkd/<site>`: no wildcards, no leading slash. */
  readonly base: string;
  /** Must be the daemon's own: two clients with one id throw each other out. Default: made from `base`. */
  readonly clientId?: string | undefined;
  /** `auto`: MQTT 5, and 3.1.1 where the broker does not speak it. */
  readonly protocol?: 'auto' | Protocol | undefined;
  /** Names this run of the daemon; the same as in health. */
  readonly bootId?: string | undefined;
  /** Called for every health message; its part about MQTT is added here. */
  readonly health: () => Omit<HealthMessage, 'mqtt'>;
  readonly info: () => Readonly<Record<string, unknown>>;
  /** Without it nothing is said of, or heard from, Home Assistant. */
  readonly homeAssistant?: HomeAssistantOptions | undefined;
  /** Without it nothing is said of, or heard from, Rhasspy and its like. */
  readonly hermes?: HermesOptions | undefined;
  /** Without it there is no Homie device, and no second connection. */
  readonly homie?: HomieOptions | undefined;
  /** Where finals wait. Belongs to the caller, who closes it after this sink. */
  readonly outbox: Outbox;
  readonly muted?: boolean | undefined;
  /** Somebody asks for mute on or off: a person, or Rhasspy for a while. The real state comes back as a `mute` event. */
  readonly onMute: (muted: boolean, by: 'person' | 'hermes') => void;
  /** What is set at the start; every change of it comes as a `settings` event. */
  readonly settings: Settings;
  /** Somebody asks for another. Rejects with a `Fault`; what is done comes back as a `settings` event. */
  readonly onSet: (name: keyof Settings, value: string) => Promise<void>;
  /** What can be asked on `request/<name>`, besides `ping`. */
  readonly requests: Requests;
  /** A message on a command topic was not obeyed, whoever else is told: for the log. */
  readonly onIgnored?: ((command: { readonly topic: string; readonly reason: string }) => void) | undefined;
  readonly emit: Emit;
  readonly healthIntervalS?: number | undefined;
  /** Changes of health that can wait are gathered for so long. */
  readonly healthDebounceMs?: number | undefined;
  /** A final that goes out later than this is marked as replayed. */
  readonly replayAfterMs?: number | undefined;
  readonly refusedRetryMs?: number | undefined;
  readonly keepaliveS?: number | undefined;
  /** MQTT 5: a link that is lost for less than this is nobody's business. */
  readonly willDelayS?: number | undefined;
  /** How often the broker is asked whether it still has what is retained. */
  readonly retainedCheckMs?: number | undefined;
  /** What was not as we said it, and has been said again: for the log. */
  readonly onRepaired?: ((topics: readonly string[]) => void) | undefined;
  readonly connectTimeoutMs?: number | undefined;
  readonly ackTimeoutMs?: number | undefined;
  readonly retry?: Partial<Retry> | undefined;
};

/** An outbox that fills or drains says so at most so often. */
const outboxEventMs = 200;
/** Events that wait for the broker; older ones are history by then. */
const maxEvents = 200;
/** How often the broker is asked for what is retained in our name, and how long it may take to say it. */
const retainedCheckMs = 600_000;
const retainedSettleMs = 2000;
const retainedRepairMs = 60_000;
/** Kept back from the deadline of `close` for the last word: `offline`, and DISCONNECT. At most a quarter of it. */
const lastWordMs = 500;

/**
 * The sink. Connects at once and for as long as it is not closed; a broker that is away is no error, only a fault
 * that is announced. Throws `Fault` CONFIG_INVALID for a url or base it cannot use.
 */
export function mqttSink(options: MqttSinkOptions): Sink {
  const { base, outbox, emit } = options;
  if (!/^[^/$+#\0][^+#\0]*$/u.test(base) || base.endsWith('/')) {
    throw new Fault(
      'CONFIG_INVALID',
      `the mqtt base topic must not hold + or # nor begin or end with /, got ${JSON.stringify(base)}`,
      'write it like harkd/kitchen',
    );
  }
  const topics = topicsOf(base);
  const bootId = options.bootId ?? randomUUID();
  const healthIntervalS = options.healthIntervalS ?? 30;
  const willDelayS = options.willDelayS ?? 0;
  const healthDebounceMs = options.healthDebounceMs ?? 1000;
  const publications = publicationsFor(topics, bootId);
  const trouble = announceTrouble({ emit, base, username: options.username });
  const happeningsOf = happenings();
  const onIgnored = tellSparingly((ignored) => options.onIgnored?.(ignored));
  let muted = options.muted ?? false;
  let { settings } = options;
  let speaking = false;
  let throttled = false;
  let closed = false;
  let brokerState: 'connecting' | 'online' | 'offline' | undefined;

  const broker = {
    ...accessOf(options),
    url: options.url,
    clientId: options.clientId ?? `harkd-${base.replace(/[^A-Za-z0-9]+/g, '-')}`,
    protocol: options.protocol,
    keepaliveS: options.keepaliveS,
    connectTimeoutMs: options.connectTimeoutMs,
    ackTimeoutMs: options.ackTimeoutMs,
    retry: options.retry,
  };
  const connection = connectBroker({
    ...broker,
    will: { topic: topics.status, payload: 'offline', delayS: willDelayS },
    onOnline,
    onOffline: () => brokerIs('offline'),
    onMessage: obey,
    onTrouble(fault) {
      brokerIs('offline');
      trouble.connection(fault);
    },
    onWell: trouble.connectionWell,
  });

  // finals, and events (those in memory only): delivered in order, they wait for the broker
  const delivery = {
    link: () => connection.link(),
    bootId,
    replayAfterMs: options.replayAfterMs ?? 5000,
    refusedRetryMs: options.refusedRetryMs ?? 60_000,
    onRefused: trouble.refused,
    onAccepted: trouble.accepted,
  };
  const finals = deliverInOrder({
    ...delivery,
    outbox,
    publicationsOf: publications.transcript,
    onLive({ body }) {
      if (hermes !== undefined) say(hermes.captured(JSON.parse(body)));
    },
    onDelivered: outboxChanged,
  });
  const events = deliverInOrder({
    ...delivery,
    outbox: memoryOutbox({ maxEntries: maxEvents }),
    publicationsOf: publications.event,
  });
  outbox.onOverflow(({ reason, entries }) => {
    tell({
      type: 'outbox-full',
      reason,
      dropped: entries.length,
      droppedSinceStart: outbox.dropped(),
      firstId: entries.at(0)?.id ?? '',
      lastId: entries.at(-1)?.id ?? '',
    });
    outboxChanged();
  });

  const lastSaid = new Map<string, string>();
  const sayWhatIs = sayingWhatIs({
    link: () => connection.link(),
    newestOnly: new Set([topics.speech, topics.transcriptPartial]),
    onAccepted: trouble.accepted,
    onRefused: trouble.refused,
  });

  const announcement =
    options.homeAssistant === undefined
      ? undefined
      : keepAnnounced({ homeAssistant: options.homeAssistant, base, topics, say, onBirth: introduce });

  const hermes =
    options.hermes === undefined
      ? undefined
      : hermesFor({
          ...options.hermes,
          onToggle: (deaf) => options.onMute(deaf, 'hermes'),
          onIgnored,
        });

  const homie =
    options.homie === undefined
      ? undefined
      : homieDevice({
          homie: options.homie,
          name: base.replaceAll('/', ' '),
          muted,
          willDelayS,
          connect: (own) => connectBroker({ ...broker, clientId: `${broker.clientId}-homie`, ...own }),
          onMute: (muted) => options.onMute(muted, 'person'),
          onIgnored,
          onRefused(topic, refusal) {
            // a broker that is away is told of once, by the connection that delivers
            if (connection.link() !== undefined) trouble.refused(topic, refusal);
          },
          onAccepted: trouble.accepted,
        });
  // it is not ready before each of its properties has a value
  homie?.health(healthNow());

  const retained = keepRetained({
    topics: [topics.status, topics.info, topics.mute, topics.language, topics.model, topics.microphone],
    said: (topic) => lastSaid.get(topic),
    link: () => connection.link(),
    repair(topics) {
      options.onRepaired?.(topics);
      introduce();
    },
    askEveryMs: options.retainedCheckMs ?? retainedCheckMs,
    settleMs: retainedSettleMs,
    repairEveryMs: retainedRepairMs,
  });

  const heartbeat = startHeartbeat(healthIntervalS * 1000, sayHealth);
  // not from inside this call: whoever listens to us does not have us yet
  queueMicrotask(() => brokerIs('connecting'));

  function onOnline(link: BrokerLink): void {
    // we rely on no session: a broker that was killed has forgotten our subscriptions and all that was retained
    retained.linkChanged(link);
    subscribe(link, [
      topics.muteSet,
      topics.languageSet,
      topics.modelSet,
      topics.microphoneSet,
      topics.requests,
    ]);
    if (announcement !== undefined) subscribe(link, announcement.topics);
    if (hermes !== undefined) {
      hermes.linkChanged();
      subscribe(link, hermes.topics);
    }
    // of a run that crashed moments ago the delayed will is not out, and never will be: its end is told by us
    if (willDelayS > 0 && link.protocol === '5' && connection.reconnects() === 0) {
      void link.publish(publications.status('offline')).catch(() => undefined);
    }
    introduce();
    finals.linkChanged();
    events.linkChanged();
    brokerIs('online');
  }

  function subscribe(link: BrokerLink, filters: readonly string[]): void {
    const [first] = filters;
    if (first === undefined) return;
    link.subscribe(filters).then(
      () => trouble.accepted(first),
      (error: Error) => {
        if (link === connection.link()) trouble.refused(first, error);
      },
    );
  }

  /** Says who we are and how we are, to those who cannot know: in the order in which Home Assistant wants it. */
  function introduce(): void {
    const link = connection.link();
    if (link === undefined) return;
    announcement?.announce(link);
    say(publications.status('online'));
    say(publications.info(options.info()));
    say(publications.mute(muted));
    saySettings();
    say(publications.speech(speaking));
    heartbeat.within(0);
  }

  function saySettings(): void {
    say(publications.language(settings));
    say(publications.model(settings));
    say(publications.microphone(settings));
  }

  function brokerIs(state: 'connecting' | 'online' | 'offline'): void {
    if (state === brokerState) return;
    brokerState = state;
    emit({ type: 'broker', state, url: connection.url });
  }

  /** Says it if somebody is there. What is retained is said again after every connect, the rest is lost. */
  function say(publication: Publication): void {
    if (publication.retain) lastSaid.set(publication.topic, publication.payload);
    sayWhatIs(publication);
  }

  function tell(happening: Happening): void {
    const createdAtMs = Date.now();
    const message: EventMessage = { at: new Date(createdAtMs).toISOString(), ...happening };
    events.append({ id: randomUUID(), createdAtMs, bootId, body: JSON.stringify(message) });
  }

  let outboxTimer: NodeJS.Timeout | undefined;
  function outboxChanged(): void {
    outboxTimer ??= setTimeout(emitOutbox, outboxEventMs);
  }
  function emitOutbox(): void {
    clearTimeout(outboxTimer);
    outboxTimer = undefined;
    emit({ type: 'outbox', depth: outbox.depth(), dropped: outbox.dropped() });
  }

  function healthNow(): HealthMessage {
    const mqtt = {
      reconnects: connection.reconnects(),
      outbox: outbox.depth(),
      outboxDropped: outbox.dropped(),
    };
    return { ...options.health(), mqtt };
  }

  function sayHealth(): void {
    const health = healthNow();
    const wasThrottled = throttled;
    throttled = health.throttled.now === true;
    if (throttled && !wasThrottled) tell({ type: 'throttled', cpuTempC: health.cpuTempC });
    // whoever reads it later must not take the health of a dead daemon for that of a living one
    say(publications.health(health, 3 * healthIntervalS));
    homie?.health(health);
  }

  const requests: Requests = { ping: () => ({ at: new Date().toISOString(), bootId }), ...options.requests };
  const inBounds = bounded();

  function obey(message: Message): void {
    if (closed || retained.heard(message)) return;
    if (announcement?.heard(message) === true || hermes?.heard(message) === true) return;
    const command = parseCommand(message, topics);
    switch (command.type) {
      case 'mute':
        options.onMute(command.muted, 'person');
        return;
      case 'request': {
        const { name, correlationData } = command;
        void answerTo(command, requests, inBounds).then((answer) => {
          say(publications.answer(name, answer, correlationData));
          if (answer.error !== undefined) onIgnored({ topic: message.topic, reason: answer.error });
        });
        return;
      }
      case 'set': {
        const { name, value } = command;
        inBounds(() => options.onSet(name, value)).catch((thrown: unknown) => {
          const { code, message: what, hint } = toFault(thrown);
          tell({ type: 'command-refused', command: `${name}/set`, code, message: what, hint });
          onIgnored({ topic: message.topic, reason: `${code}: ${what}` });
        });
        return;
      }
      case 'ignored':
        onIgnored({ topic: command.topic, reason: command.reason });
        return;
      default:
        command satisfies never;
    }
  }

  function publish(event: DaemonEvent): void {
    if (closed) return;
    homie?.publish(event);
    for (const happening of happeningsOf(event)) tell(happening);
    switch (event.type) {
      case 'transcript':
        finals.append({
          id: event.transcript.id,
          createdAtMs: Date.now(),
          bootId,
          body: JSON.stringify(event.transcript),
        });
        outboxChanged();
        heartbeat.within(healthDebounceMs);
        return;
      case 'partial':
        say(publications.partial(event.partial));
        return;
      case 'speech-started':
      case 'speech-ended':
        speaking = event.type === 'speech-started';
        say(publications.speech(speaking));
        return;
      case 'mute':
        muted = event.muted;
        say(publications.mute(muted));
        heartbeat.within(0);
        return;
      case 'reply':
        // an answer that comes late answers nothing
        say(publications.reply(event.reply));
        return;
      case 'settings': {
        const { type: _, ...now } = event;
        settings = now;
        // a select takes a state that it offers
        announcement?.deviceChanged(connection.link());
        saySettings();
        say(publications.info(options.info()));
        return;
      }
      case 'provider':
        say(publications.info(options.info()));
        announcement?.deviceChanged(connection.link());
        heartbeat.within(0);
        return;
      case 'fault':
        if (event.component === 'recognizer' && hermes !== undefined) say(hermes.failed(event));
        heartbeat.within(0);
        return;
      case 'microphone':
      case 'recovered':
      case 'ready':
        // after the other listeners: what health says is folded from the same event
        heartbeat.within(0);
        return;
      case 'recognizer':
        heartbeat.within(event.state === 'restarting' || event.state === 'closed' ? 0 : healthDebounceMs);
        return;
      case 'segment-empty':
      case 'segment-dropped':
      case 'overrun':
      case 'queue':
        heartbeat.within(healthDebounceMs);
        return;
      case 'level':
      case 'broker':
      case 'outbox':
        return;
      default:
        event satisfies never;
    }
  }

  async function close(deadlineMs: number): Promise<{ readonly undelivered: number }> {
    const endAtMs = performance.now() + deadlineMs;
    const leftMs = () => Math.max(0, endAtMs - performance.now());
    const timers = new AbortController();
    if (outbox.depth() > 0) connection.retryNow();
    // events wait only where finals do: for them alone no stop is held up while the broker is away
    const drained =
      connection.link() === undefined ? finals.drained() : Promise.all([finals.drained(), events.drained()]);
    await Promise.race([drained, sleep(deadlineMs - Math.min(lastWordMs, deadlineMs / 4), timers.signal)]);
    closed = true;
    finals.stop();
    events.stop();
    heartbeat.stop();
    announcement?.stop();
    retained.stop();
    emitOutbox();
    const link = connection.link();
    if (link !== undefined) {
      // said in words, because a clean DISCONNECT keeps the last will from being sent
      const goodbye = link.publish(publications.status('offline')).catch(() => undefined);
      await Promise.race([goodbye, sleep(leftMs(), timers.signal)]);
    }
    await Promise.all([connection.close(leftMs()), homie?.close(leftMs())]);
    timers.abort();
    return { undelivered: outbox.depth() };
  }

  let closing: Promise<{ readonly undelivered: number }> | undefined;
  return {
    name: 'mqtt',
    publish,
    close(deadlineMs) {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
}
