import type { BrokerLink, Publication } from '../../broker-connection.ts';
import type { Outbox, OutboxEntry } from '../../outbox.ts';
import { replayOf } from '../../replay.ts';

export type DeliveryOptions = {
  readonly outbox: Outbox;
  readonly link: () => BrokerLink | undefined;
  /** All of them must be acknowledged for the entry to be; each goes out after the one before it was. */
  readonly publicationsOf: (entry: OutboxEntry, replayed: boolean) => readonly Publication[];
  /** What is replayed: see daemon/replay.ts. */
  readonly bootId: string;
  readonly replayAfterMs: number;
  /** How long to wait after the broker took an entry and said no. It stays first: no promise is broken by skipping it. */
  readonly refusedRetryMs: number;
  readonly onRefused: (topic: string, refusal: Error) => void;
  readonly onAccepted: (topic: string) => void;
  /** An entry goes out live, which it does once at most: for what must not be said again, or late. */
  readonly onLive?: (entry: OutboxEntry) => void;
  readonly onDelivered?: () => void;
};

export type Delivery = {
  readonly append: (entry: OutboxEntry) => void;
  /** To be called when a link has come. */
  readonly linkChanged: () => void;
  /** Resolves when nothing is left to deliver. */
  readonly drained: () => Promise<void>;
  readonly stop: () => void;
};

/**
 * Delivers an outbox over whatever link there is, one entry at a time: at least once, in order, acknowledged in the
 * outbox only after the broker has.
 */
export function deliverInOrder(options: DeliveryOptions): Delivery {
  const { outbox } = options;
  const replay = replayOf({ bootId: options.bootId, afterMs: options.replayAfterMs });
  let pause: NodeJS.Timeout | undefined;
  let stopped = false;

  // wake() before sleep() is not lost: `woken` remembers it
  let woken = false;
  let wakeSleeper = () => {};
  const wake = () => {
    woken = true;
    wakeSleeper();
  };
  const sleepUntilWoken = () =>
    new Promise<void>((resolve) => {
      if (woken) resolve();
      else wakeSleeper = resolve;
    });

  /** Ends the pause after a refusal, if there is one. */
  function resume(): void {
    clearTimeout(pause);
    pause = undefined;
    wake();
  }

  let drainedWaiters: (() => void)[] = [];
  outbox.onOverflow(({ entries }) => {
    for (const { id } of entries) replay.gone(id);
  });

  async function send(link: BrokerLink, entry: OutboxEntry): Promise<void> {
    const replayed = replay.isReplayed(entry);
    const publications = options.publicationsOf(entry, replayed);
    replay.attempted(entry);
    if (!replayed) options.onLive?.(entry);
    for (const publication of publications) {
      try {
        await link.publish(publication);
      } catch (error) {
        // if the link is lost, the next one will wake us; else it is this publication that is not wanted
        if (!stopped && link === options.link()) {
          pause = setTimeout(resume, options.refusedRetryMs);
          options.onRefused(publication.topic, error as Error);
        }
        return;
      }
      options.onAccepted(publication.topic);
    }
    await outbox.acknowledge(entry.id);
    replay.gone(entry.id);
    options.onDelivered?.();
  }

  async function run(): Promise<void> {
    while (!stopped) {
      woken = false;
      const entry = await outbox.peek();
      if (stopped) return;
      if (entry === undefined) {
        // something came while we looked
        if (woken) continue;
        for (const resolve of drainedWaiters) resolve();
        drainedWaiters = [];
      }
      const link = options.link();
      if (entry === undefined || link === undefined || pause !== undefined) {
        await sleepUntilWoken();
      } else {
        await send(link, entry);
      }
    }
  }
  void run();

  return {
    append(entry) {
      replay.appended(entry);
      outbox.append(entry);
      wake();
    },
    linkChanged: resume,
    drained: () =>
      new Promise<void>((resolve) => {
        drainedWaiters.push(resolve);
        wake();
      }),
    stop() {
      stopped = true;
      resume();
    },
  };
}
