import type { BrokerLink, Message, Publication } from '../../broker-connection.ts';
import { discoveryTopicOf, type Topics } from '../../mqtt-contract.ts';
import { discoveryOf, type HomeAssistantDevice } from './home-assistant.ts';

export type HomeAssistantOptions = {
  /** Switched off, an announcement that an earlier run made is taken back. */
  readonly enabled: boolean;
  /** Home Assistant's discovery prefix, `homeassistant`. */
  readonly prefix: string;
  /** Home Assistant's birth topic, `homeassistant/status`. */
  readonly statusTopic: string;
  /** Asked for every announcement. */
  readonly device: () => HomeAssistantDevice;
  /** After a birth every device answers at once: each waits a random part of this first. */
  readonly birthDelayMs?: number | undefined;
};

export type Announcement = {
  /** What to subscribe to beside our own topics. */
  readonly topics: readonly string[];
  readonly announce: (link: BrokerLink) => void;
  /** Announces again if what we say of the device is not what we said last. */
  readonly deviceChanged: (link: BrokerLink | undefined) => void;
  /** Whether the message was for us. */
  readonly heard: (message: Message) => boolean;
  readonly stop: () => void;
};

/**
 * Keeps harkd announced to Home Assistant. Both ways, because each fails alone: a retained announcement is lost with
 * a broker without persistence, one that is made after a birth is missed if we were away then.
 */
export function keepAnnounced(options: {
  readonly homeAssistant: HomeAssistantOptions;
  readonly base: string;
  readonly topics: Topics;
  /** Publishes, and looks after refusals. */
  readonly say: (publication: Publication) => void;
  /** Home Assistant has started: it knows nothing of us. */
  readonly onBirth: () => void;
}): Announcement {
  const { enabled, prefix, statusTopic, device, birthDelayMs = 3000 } = options.homeAssistant;
  const topic = discoveryTopicOf(prefix, options.base);
  let lastPayload: string | undefined;
  let takenBack = false;
  let birthTimer: NodeJS.Timeout | undefined;

  const retained = (payload: string) => ({ topic, payload, qos: 1, retain: true }) as const;
  const payloadNow = () => JSON.stringify(discoveryOf(options.base, options.topics, device()));

  function say(payload: string): void {
    lastPayload = payload;
    options.say({ ...retained(payload), contentType: 'application/json' });
  }

  return {
    topics: enabled ? [statusTopic] : [],
    announce(link) {
      if (enabled) {
        say(payloadNow());
      } else if (!takenBack) {
        // a broker that does not let us write there has nothing of ours either
        link.publish(retained('')).then(
          () => {
            takenBack = true;
          },
          () => undefined,
        );
      }
    },
    deviceChanged(link) {
      if (!enabled || link === undefined) return;
      const payload = payloadNow();
      if (payload !== lastPayload) say(payload);
    },
    heard(message) {
      if (!enabled || message.topic !== statusTopic) return false;
      // what is retained comes right after a connect, when all has just been said
      if (message.retained || message.payload.toString('utf8') !== 'online') return true;
      birthTimer ??= setTimeout(() => {
        birthTimer = undefined;
        options.onBirth();
      }, Math.random() * birthDelayMs);
      return true;
    },
    stop: () => clearTimeout(birthTimer),
  };
}
