/**
 * harkd as a device of the Homie convention, version 5 (https://homieiot.github.io/specification/), for openHAB and
 * other controllers that find devices by it. It has a connection of its own to the broker: a connection has one last
 * will, ours is `<base>/status`, and Homie wants `$state` to become `lost` by one ("Last Will").
 */
import { createHash } from 'node:crypto';
import type {
  BrokerConnection,
  BrokerConnectionOptions,
  BrokerLink,
  Message,
  Publication,
} from '../../broker-connection.ts';
import type { DaemonEvent } from '../../events.ts';
import type { HealthMessage } from '../../mqtt-contract.ts';

export type HomieOptions = {
  /** The first level of every topic, `homie`. */
  readonly prefix: string;
  /** Of the device: a-z, 0-9 and hyphens. */
  readonly id: string;
};

type Datatype = 'string' | 'boolean' | 'integer' | 'float';
type Property = {
  readonly name: string;
  readonly datatype: Datatype;
  readonly format?: string;
  readonly unit?: string;
  readonly settable?: true;
  readonly retained?: false;
};
type Node = { readonly name: string; readonly properties: Readonly<Record<string, Property>> };

const nodes = {
  transcript: {
    name: 'Transcript',
    // an event, not a state: what is retained would be acted upon again
    properties: { text: { name: 'Text', datatype: 'string', retained: false } },
  },
  microphone: {
    name: 'Microphone',
    properties: {
      speech: { name: 'Speech', datatype: 'boolean', format: 'silence,speech' },
      mute: { name: 'Mute', datatype: 'boolean', format: 'listening,muted', settable: true },
    },
  },
  health: {
    name: 'Health',
    properties: {
      problem: { name: 'Problem', datatype: 'boolean', format: 'well,problem' },
      latency: { name: 'Latency', datatype: 'float', format: '0:', unit: 's' },
      waiting: { name: 'Transcripts waiting for the broker', datatype: 'integer', format: '0:', unit: '#' },
      dropped: { name: 'Dropped', datatype: 'integer', format: '0:', unit: '#' },
      'cpu-temperature': { name: 'CPU temperature', datatype: 'float', unit: '°C' },
    },
  },
} as const satisfies Readonly<Record<string, Node>>;

/** The payload of `$description`. `version` is another one for another document, and the same for the same. */
export function descriptionOf(name: string) {
  const document = { homie: '5.0', name, nodes };
  const version = createHash('sha256').update(JSON.stringify(document)).digest().readUInt32BE() >>> 1;
  return { ...document, version };
}

/** What health says, by property. `undefined` is what cannot be measured: such a property has no value. */
function valuesOf({ faults, latencyMs, mqtt, queue, cpuTempC }: HealthMessage) {
  return {
    problem: faults.length > 0,
    latency: latencyMs.p50 === null ? undefined : latencyMs.p50 / 1000,
    waiting: mqtt.outbox,
    dropped: queue.dropped + mqtt.outboxDropped,
    'cpu-temperature': cpuTempC ?? undefined,
  } satisfies Record<keyof typeof nodes.health.properties, number | boolean | undefined>;
}

export type HomieDevice = {
  readonly publish: (event: DaemonEvent) => void;
  readonly health: (health: HealthMessage) => void;
  /** Says `disconnected`, and ends the connection. */
  readonly close: (deadlineMs: number) => Promise<void>;
};

/** Keeps the device on the broker, until closed. `connect` makes the connection, with the broker's own options. */
export function homieDevice(options: {
  readonly homie: HomieOptions;
  /** Friendly name. */
  readonly name: string;
  readonly muted: boolean;
  readonly willDelayS: number;
  readonly connect: (
    own: Pick<
      BrokerConnectionOptions,
      'will' | 'onOnline' | 'onOffline' | 'onMessage' | 'onTrouble' | 'onWell'
    >,
  ) => BrokerConnection;
  readonly onMute: (muted: boolean) => void;
  readonly onIgnored: (command: { readonly topic: string; readonly reason: string }) => void;
  readonly onRefused: (topic: string, refusal: Error) => void;
  readonly onAccepted: (topic: string) => void;
}): HomieDevice {
  const { onRefused, onAccepted } = options;
  const base = `${options.homie.prefix}/5/${options.homie.id}`;
  const stateTopic = `${base}/$state`;
  const muteSetTopic = `${base}/microphone/mute/set`;
  let closed = false;
  /** What stands in each retained property; an empty payload is none. */
  const values = new Map<string, string>([
    ['microphone/speech', 'false'],
    ['microphone/mute', String(options.muted)],
  ]);

  const connection = options.connect({
    will: { topic: stateTopic, payload: 'lost', delayS: options.willDelayS },
    onOnline: (link) => void introduce(link),
    onOffline: () => undefined,
    onMessage: obey,
    onTrouble: (fault) => onRefused(stateTopic, fault),
    onWell: () => onAccepted(stateTopic),
  });

  const retained = (topic: string, payload: string): Publication => ({
    topic,
    payload,
    qos: 1,
    retain: true,
  });

  async function say(link: BrokerLink, publication: Publication): Promise<boolean> {
    try {
      await link.publish(publication);
      onAccepted(publication.topic);
      return true;
    } catch (error) {
      // if the link is lost, all is said again on the next one
      if (link === connection.link()) onRefused(publication.topic, error as Error);
      return false;
    }
  }

  /** `ready` means that everything has been said and commands are heard. */
  async function introduce(link: BrokerLink): Promise<void> {
    const description = JSON.stringify(descriptionOf(options.name));
    const said = [
      say(link, retained(stateTopic, 'init')),
      say(link, { ...retained(`${base}/$description`, description), contentType: 'application/json' }),
      ...Array.from(values, ([path, payload]) => say(link, retained(`${base}/${path}`, payload))),
      link.subscribe([muteSetTopic]).then(
        () => true,
        (error: Error) => {
          if (link === connection.link()) onRefused(muteSetTopic, error);
          return false;
        },
      ),
    ];
    const all = await Promise.all(said);
    if (all.every(Boolean) && !closed) await say(link, retained(stateTopic, 'ready'));
  }

  function set(path: string, payload: string): void {
    if (values.get(path) === payload) return;
    values.set(path, payload);
    const link = connection.link();
    if (link !== undefined) void say(link, retained(`${base}/${path}`, payload));
  }

  function obey({ topic, payload, retained }: Message): void {
    if (closed || topic !== muteSetTopic) return;
    const word = payload.length > 5 ? undefined : payload.toString('utf8');
    if (retained)
      options.onIgnored({ topic, reason: 'retained commands are ignored: send it without retain' });
    else if (word === 'true' || word === 'false') options.onMute(word === 'true');
    else options.onIgnored({ topic, reason: `expected true or false, got ${payload.length} bytes` });
  }

  return {
    publish(event) {
      const link = connection.link();
      switch (event.type) {
        case 'transcript':
          // QoS 0 is what the convention wants of an event: said now or never
          if (link !== undefined) {
            const { text } = event.transcript;
            void say(link, { topic: `${base}/transcript/text`, payload: text, qos: 0, retain: false });
          }
          return;
        case 'speech-started':
        case 'speech-ended':
          set('microphone/speech', String(event.type === 'speech-started'));
          return;
        case 'mute':
          set('microphone/mute', String(event.muted));
          return;
        default:
          // the rest is in health
          return;
      }
    },
    health(health) {
      for (const [name, value] of Object.entries(valuesOf(health))) {
        set(`health/${name}`, value === undefined ? '' : String(value));
      }
    },
    async close(deadlineMs) {
      closed = true;
      const link = connection.link();
      if (link !== undefined) {
        const goodbye = link.publish(retained(stateTopic, 'disconnected')).catch(() => undefined);
        await Promise.race([goodbye, new Promise((resolve) => setTimeout(resolve, deadlineMs).unref())]);
      }
      await connection.close(deadlineMs);
    },
  };
}
