/**
 * Sends finals to an address of the operator's choice, one POST each, in the order they were said, from an outbox of
 * its own. What the address answers never slows hearing, nor does it hold up the broker. Protocols: webhook/presets.ts.
 */
import { deferred } from '../deferred.ts';
import type { Emit, Reply, Sink, Transcript } from '../events.ts';
import type { FaultCode } from '../faults.ts';
import type { Outbox, OutboxEntry } from '../outbox.ts';
import { replayOf } from '../replay.ts';
import { backoffMs, sleep } from '../waiting.ts';
import { type Poster, posterTo } from './webhook/post.ts';
import { presets } from './webhook/presets.ts';

export type WebhookSinkOptions = {
  readonly url: string;
  readonly preset: keyof typeof presets;
  /** Each `Name: value`. */
  readonly headers: readonly string[];
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  /** What is older when its turn comes is given up. What a run before left counts as older. */
  readonly maxAgeS?: number | undefined;
  /** Who speaks: the site. */
  readonly sender: string;
  readonly bootId: string;
  /** Where finals wait. Belongs to the caller, who closes it after this sink. */
  readonly outbox: Outbox;
  readonly emit: Emit;
  /** These finals will not be sent: for the log. */
  readonly onDropped: (ids: readonly string[], why: string) => void;
  /** A final that goes out later than this is marked as replayed. */
  readonly replayAfterMs?: number | undefined;
  readonly retry?: { readonly firstMs: number; readonly mostMs: number } | undefined;
};

/** Of an answer. An assistant says a few sentences. */
const maxAnswerBytes = 64 * 1024;
/** A server may ask for patience, but not for more than this. */
const maxRetryAfterMs = 300_000;

/** The sink. Nothing is sent before there is a final. */
export function webhookSink(options: WebhookSinkOptions): Sink {
  const { outbox, emit, onDropped, maxAgeS } = options;
  // the path of a webhook is often its password, so only this much of it is ever said
  const { origin } = new URL(options.url);
  const retry = options.retry ?? { firstMs: 1000, mostMs: 60_000 };
  const preset = presets[options.preset](options.sender);
  const poster: Poster = posterTo({ ...options, maxAnswerBytes });
  const replay = replayOf({ bootId: options.bootId, afterMs: options.replayAfterMs ?? 5000 });
  const trouble = announceTrouble(emit, origin);
  let stopped = false;
  let failures = 0;
  let woken = deferred<void>();
  let pause = new AbortController();
  let onDrained = () => {};

  outbox.onOverflow(({ reason, entries }) => {
    for (const { id } of entries) replay.gone(id);
    onDropped(
      entries.map(({ id }) => id),
      `the outbox gave it up (${reason})`,
    );
  });

  async function done(entry: OutboxEntry): Promise<void> {
    failures = 0;
    await outbox.acknowledge(entry.id);
    replay.gone(entry.id);
  }

  /** Sends one, or waits a while: what could not be sent stays first. */
  async function send(entry: OutboxEntry): Promise<void> {
    if (maxAgeS !== undefined && (replay.ageMs(entry) ?? Number.POSITIVE_INFINITY) > maxAgeS * 1000) {
      onDropped([entry.id], `older than ${maxAgeS} s`);
      return done(entry);
    }
    const body = preset.bodyOf(JSON.parse(entry.body) as Transcript, replay.isReplayed(entry));
    replay.attempted(entry);
    const outcome = await poster.post(body);
    if (stopped && outcome.type === 'failed') return;
    switch (outcome.type) {
      case 'failed': {
        trouble.is('WEBHOOK_UNREACHABLE', outcome.why);
        const asked = Math.min(outcome.retryAfterMs ?? 0, maxRetryAfterMs);
        pause = new AbortController();
        await sleep(Math.max(asked, backoffMs(failures++, retry)), pause.signal);
        return;
      }
      case 'refused':
        trouble.is('WEBHOOK_REFUSED', outcome.why);
        onDropped([entry.id], outcome.why);
        return done(entry);
      case 'accepted':
        // it has been heard and perhaps acted upon, so it is not said again, whatever the answer is worth
        for (const reply of repliesIn(outcome.answer, entry.id)) emit({ type: 'reply', reply });
        return done(entry);
      default:
        outcome satisfies never;
    }
  }

  function repliesIn(answer: string | undefined, id: string): readonly Reply[] {
    try {
      const replies = preset.repliesIn(answer, id);
      trouble.isOver();
      return replies;
    } catch (error) {
      trouble.is('WEBHOOK_ANSWER_INVALID', `sent ${(error as Error).message}`);
      return [];
    }
  }

  async function run(): Promise<void> {
    while (!stopped) {
      // made before we look, so that what comes while we look wakes us
      woken = deferred();
      const entry = await outbox.peek();
      if (stopped) return;
      if (entry === undefined) {
        onDrained();
        await woken.promise;
      } else {
        await send(entry);
      }
    }
  }
  const running = run();

  let closing: Promise<{ readonly undelivered: number }> | undefined;
  async function close(deadlineMs: number): Promise<{ readonly undelivered: number }> {
    const timer = new AbortController();
    const drained = new Promise<void>((resolve) => {
      onDrained = resolve;
    });
    // another try now rather than at the end of a long pause
    failures = 0;
    pause.abort();
    woken.resolve();
    await Promise.race([drained, sleep(deadlineMs, timer.signal)]);
    timer.abort();
    stopped = true;
    pause.abort();
    woken.resolve();
    await poster.close();
    await running;
    if (maxAgeS !== undefined) await giveUpTheRest();
    return { undelivered: outbox.depth() };
  }

  /** What would be too old after the next start is given up now, aloud, and not missed. */
  async function giveUpTheRest(): Promise<void> {
    for (let entry = await outbox.peek(); entry !== undefined; entry = await outbox.peek()) {
      onDropped([entry.id], 'harkd stops');
      await outbox.acknowledge(entry.id);
    }
  }

  return {
    name: 'webhook',
    publish(event) {
      if (event.type !== 'transcript' || stopped) return;
      const { transcript } = event;
      const entry = {
        id: transcript.id,
        createdAtMs: Date.now(),
        bootId: options.bootId,
        body: JSON.stringify(transcript),
      };
      replay.appended(entry);
      outbox.append(entry);
      woken.resolve();
    },
    close(deadlineMs) {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
}

type WebhookCode = Extract<FaultCode, `WEBHOOK_${string}`>;

const hints: Readonly<Record<WebhookCode, string>> = {
  WEBHOOK_UNREACHABLE:
    'transcripts wait and are sent when it answers; is the server running, is webhook.url right? For a certificate authority of your own set NODE_EXTRA_CA_CERTS',
  WEBHOOK_REFUSED:
    'these transcripts are not sent again: check webhook.url, webhook.preset and webhook.tokenFile',
  WEBHOOK_ANSWER_INVALID:
    'is it the REST channel of Rasa, /webhooks/rest/webhook? For other servers: webhook.preset: json',
};

/** What is wrong with the address: each kind said once, and `recovered` once when it is well. */
function announceTrouble(emit: Emit, origin: string) {
  let announced: WebhookCode | undefined;
  return {
    is(code: WebhookCode, what: string): void {
      if (code === announced) return;
      announced = code;
      emit({ type: 'fault', component: 'webhook', code, message: `${origin}: ${what}`, hint: hints[code] });
    },
    isOver(): void {
      if (announced === undefined) return;
      announced = undefined;
      emit({ type: 'recovered', component: 'webhook', message: `${origin} takes transcripts` });
    },
  };
}
