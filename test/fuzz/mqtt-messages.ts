/** What anybody on a broker can say on the topics that a daemon listens to, well-formed to nonsense. */
import type { IClientPublishOptions } from 'mqtt';
import { topicsOf } from '../../daemon/mqtt-contract.ts';

export type HostileMessage = {
  readonly topic: string;
  readonly payload: Buffer;
  readonly options: IClientPublishOptions;
};

const words = [
  ...[
    'ON',
    'OFF',
    'on\n',
    'true',
    'false',
    'online',
    'offline',
    'ＯＮ',
    'O\0N',
    '',
    'en',
    'auto',
    'embedded',
  ],
  ...['../../etc/passwd', 'plughw:CARD=Mic', '__proto__', 'constructor', '\u202e', '💥', '\ud800', '%s%n'],
  ...['{"transaction":"a"}', '{"transaction":1e999}', '{"transaction":{}}', '{"__proto__":{"status":"ok"}}'],
  ...[
    '{"siteId":"test"}',
    '{"siteId":"test","reason":"dialogueSession"}',
    '{"siteId":["test"]}',
    'null',
    '7',
  ],
  ...['{"vad":{"threshold":0.4}}', '{"keyTerms":["a"]}', '{"constructor":{"prototype":{}}}', '"', '[', '{'],
];
const levels = [
  '+',
  '#',
  '$SYS',
  '',
  ' ',
  'ping',
  'PING',
  'a/b',
  '..',
  'restart',
  '__proto__',
  'constructor',
];

/** Answers a function that makes one after the other, the same for the same random numbers. */
export function mqttMessages(random: () => number, base: string): () => HostileMessage {
  const below = (limit: number): number => Math.floor(random() * limit);
  function oneOf<T>(items: readonly T[]): T {
    return items[below(items.length)] as T;
  }
  const { request, rasaReply, requests: _, response, ...topics } = topicsOf(base);
  const known = [
    ...Object.values(topics),
    ...[
      'homeassistant/status',
      'hermes/asr/toggleOn',
      'hermes/asr/toggleOff',
      'homie/5/fuzz/microphone/mute/set',
    ],
  ];

  function randomBytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: below(most) }, () => below(256)));
  }
  function topic(): string {
    const kind = random();
    if (kind < 0.55) return oneOf(known);
    // a client library refuses to send wildcards, and so do brokers
    const level = oneOf(levels).replace(/[+#]/g, 'x');
    if (kind < 0.8) return `${request}${level}`;
    if (kind < 0.9) return `${request}${'x'.repeat(below(300))}${level}`;
    return `${base}/${level}/set`;
  }
  function payload(): Buffer {
    const kind = random();
    if (kind < 0.5) return Buffer.from(oneOf(words));
    if (kind < 0.6) return Buffer.concat([Buffer.from(oneOf(words)), randomBytes(20)]);
    if (kind < 0.8) return randomBytes(200);
    if (kind < 0.9) return Buffer.from(oneOf(['[', '{"a":', '"\\u', '-', '1e', ' ']).repeat(below(2000)));
    // at and over the limits
    return random() < 0.2 ? Buffer.alloc(300_000, oneOf(words) || 'x') : Buffer.alloc(below(70_000), '[');
  }
  /** Brokers end the connection of who sends control characters in a string of MQTT. */
  const printable = () => oneOf(words).replace(/\p{C}/gu, '');
  function properties(): NonNullable<IClientPublishOptions['properties']> {
    return {
      ...(random() < 0.3 ? { correlationData: randomBytes(300) } : {}),
      ...(random() < 0.3 ? { responseTopic: oneOf(['elsewhere', `${base}/mute/set`, response]) } : {}),
      ...(random() < 0.3 ? { contentType: printable() } : {}),
      ...(random() < 0.3 ? { userProperties: { [printable()]: printable(), schema: ['1', '2'] } } : {}),
      ...(random() < 0.3 ? { messageExpiryInterval: below(3) } : {}),
      ...(random() < 0.3 ? { payloadFormatIndicator: random() < 0.5 } : {}),
    };
  }
  return () => ({
    topic: topic(),
    payload: payload(),
    options: {
      qos: oneOf([0, 0, 1, 2] as const),
      retain: random() < 0.15,
      ...(random() < 0.4 ? { properties: properties() } : {}),
    },
  });
}
