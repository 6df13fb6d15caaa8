import type { BrokerLink, Message } from '../../broker-connection.ts';

export type RetainedOptions = {
  /** Topics on which we alone have something to say, retained. */
  readonly topics: readonly string[];
  /** What we said last on one of them. */
  readonly said: (topic: string) => string | undefined;
  readonly link: () => BrokerLink | undefined;
  /** Says all that is retained again; `topics` are those that were not as we said. */
  readonly repair: (topics: readonly string[]) => void;
  /** How often the broker is asked what it has. */
  readonly askEveryMs: number;
  /** What is on its way has come by then: an older word of ours, a retained message after a subscription. */
  readonly settleMs: number;
  /** Two daemons with one base topic must not talk each other down at full speed. */
  readonly repairEveryMs: number;
};

export type Retained = {
  /** To be called with each new link, before anything is said on it. */
  readonly linkChanged: (link: BrokerLink) => void;
  /** Whether the message was on one of the topics. */
  readonly heard: (message: Message) => boolean;
  readonly stop: () => void;
};

/**
 * Keeps on the broker what is retained in our name. After a reconnect everything is said again anyway; but a broker
 * may forget without one (purged by hand, a cluster that failed over behind a proxy), and others may write over it:
 * the last will of an earlier client id, a tool, a second daemon. So we listen to our own words, and now and then
 * subscribe again, which makes the broker say what it has. Where the access list does not let us read, nothing is heard,
 * and so nothing is missed. The idea is zigbee2mqtt's (#9629).
 */
export function keepRetained(options: RetainedOptions): Retained {
  const { topics, settleMs } = options;
  const wrong = new Set<string>();
  /** Heard at least once over this link. */
  const readable = new Set<string>();
  const heardNow = new Set<string>();
  let repairedAtMs = Number.NEGATIVE_INFINITY;
  let settling: NodeJS.Timeout | undefined;

  async function ask(link: BrokerLink): Promise<void> {
    clearTimeout(settling);
    settling = undefined;
    heardNow.clear();
    try {
      await link.subscribe(topics, 'with-retained');
    } catch {
      // not allowed to, or the link is lost
      return;
    }
    settle();
  }

  function settle(): void {
    settling ??= setTimeout(() => {
      settling = undefined;
      for (const topic of readable) if (!heardNow.has(topic)) wrong.add(topic);
      if (wrong.size === 0 || options.link() === undefined) return;
      const sinceMs = performance.now() - repairedAtMs;
      if (sinceMs < options.repairEveryMs) {
        settling = setTimeout(again, options.repairEveryMs - sinceMs);
        return;
      }
      repairedAtMs = performance.now();
      const repaired = [...wrong];
      wrong.clear();
      for (const topic of repaired) heardNow.add(topic);
      options.repair(repaired);
    }, settleMs);
  }
  function again(): void {
    settling = undefined;
    settle();
  }

  const asking = setInterval(() => {
    const link = options.link();
    if (link !== undefined) void ask(link);
  }, options.askEveryMs);

  return {
    linkChanged(link) {
      readable.clear();
      wrong.clear();
      void ask(link);
    },
    heard({ topic, payload }) {
      if (!topics.includes(topic)) return false;
      readable.add(topic);
      heardNow.add(topic);
      if (payload.toString('utf8') === options.said(topic)) {
        wrong.delete(topic);
      } else {
        wrong.add(topic);
        settle();
      }
      return true;
    },
    stop() {
      clearInterval(asking);
      clearTimeout(settling);
    },
  };
}
