import type { BrokerLink, Publication } from '../../broker-connection.ts';
import type { Outbox, OutboxEntry } from '../../outbox.ts';

export type DeliveryOptions = {
  readonly outbox: Outbox;
  readonly link: () => BrokerLink | undefined;
  /** All of them must be acknowledged for the entry to be; each goes out after the one before it was. */
  readonly publicationsOf: (entry: OutboxEntry, replayed: boolean) => readonly Publication[];
  /** Entries made by another run are replayed by definition. */
  readonly bootId: string;
  /** Older than this when it goes out, an entry is replayed. By a clock that does not step. */
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
 *
 * An entry goes out as *replayed* if a run before ours made it, if it went out before and the answer was lost (so a
 * subscriber may have it twice), or if it is older than `replayAfterMs`. Everything else is live.
 */
export function deliverInOrder(options: DeliveryOptions): Delivery {
  const { outbox } = options;
  const appendedAtMs = new Map<string, number>();
  let attemptedId: string | undefined;
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
    for (const { id } of entries) appendedAtMs.delete(id);
  });

  function isReplayed(entry: OutboxEntry): boolean {
    if (entry.bootId !== options.bootId || entry.id === attemptedId) return true;
    const sinceMs = appendedAtMs.get(entry.id);
    return sinceMs === undefined || performance.now() - sinceMs > options.replayAfterMs;
  }

  async function send(link: BrokerLink, entry: OutboxEntry): Promise<void> {
    const replayed = isReplayed(entry);
    const publications = options.publicationsOf(entry, replayed);
    attemptedId = entry.id;
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
    appendedAtMs.delete(entry.id);
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
      appendedAtMs.set(entry.id, performance.now());
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
