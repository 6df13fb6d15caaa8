import { isAtHome } from '../address.ts';
import type { Config } from '../config/config.ts';
import type { Emit, Sink } from '../events.ts';
import type { Log } from '../log.ts';
import { type ChosenOutbox, outboxFor } from '../outbox-for.ts';

export type Webhook = {
  readonly sink: Sink;
  readonly outbox: ChosenOutbox;
  /** Scheme, host and port: as much of the address as may be said. */
  readonly origin: string;
};

/**
 * The webhook of a running daemon, or undefined where `webhook.url` is not set. Its code is loaded only where it is
 * wanted. `outbox.announce` is to be called when there is somebody to hear it, `outbox.outbox` to be closed last.
 */
export async function openWebhook(
  config: Config,
  daemon: { readonly bootId: string; readonly emit: Emit; readonly log: Log },
): Promise<Webhook | undefined> {
  const { url, ...webhook } = config.webhook;
  if (url === undefined) return undefined;
  const { origin, protocol, hostname } = new URL(url);
  const { log, emit, bootId } = daemon;
  log('info', `every transcript is sent to ${origin}`, { webhook: origin, preset: webhook.preset });
  if (protocol === 'http:' && !isAtHome(hostname.replace(/^\[|\]$/g, ''))) {
    const hint = 'use https, or an address in your own network';
    log('warn', `what is said goes to ${origin} in the clear, for everybody on the way to read`, { hint });
  }
  const outbox = await outboxFor(config, emit, {
    folder: 'webhook-outbox',
    component: 'webhook-outbox',
    // what is too old after a restart anyway need not be on the disk before it
    durable: webhook.durable && webhook.maxAgeS === undefined,
  });
  const { webhookSink } = await import('../sinks/webhook.ts');
  const sink = webhookSink({
    ...webhook,
    url,
    sender: config.site,
    bootId,
    outbox: outbox.outbox,
    emit,
    onDropped: (ids, why) => log('warn', `${ids.join(', ')} not sent to ${origin}: ${why}`, { ids, why }),
  });
  return { sink, outbox, origin };
}
