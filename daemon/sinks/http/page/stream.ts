/** The page's end of `/events`: comes back by itself, and says when it is not there. */
import type { StreamKind, StreamMessages } from '../messages.ts';
import { tokenOf } from './settings.ts';

/** `refused`: the token is missing or wrong, and waiting does not help. */
export type StreamState = 'live' | 'lost' | 'refused';

export type StreamOptions = {
  readonly handlers: { readonly [K in StreamKind]?: (message: StreamMessages[K]) => void };
  /** This many of the last finals are told at the start. */
  readonly recent: number;
  readonly onState: (state: StreamState) => void;
};

/** The server says something at least every 10 s. */
const silentForMs = 25_000;
const firstRetryMs = 1000;
const mostRetryMs = 10_000;

/** The address of something on the server, relative to the page so that it also works below a prefix. */
export function addressOf(path: string, parameters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(parameters);
  const token = tokenOf(location);
  if (token !== '') query.set('token', token);
  return `${path}?${query}`;
}

/** Follows the stream for as long as the page lives. */
export function follow({ handlers, recent, onState }: StreamOptions): void {
  // crypto.randomUUID is missing where the page came over plain HTTP
  const client = Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join('');
  let lastEventId = '';
  let attempt = 0;
  let watch: ReturnType<typeof setTimeout> | undefined;

  function open(): void {
    const source = new EventSource(
      addressOf('events', {
        client,
        only: Object.keys(handlers).join(','),
        ...(lastEventId === '' ? { recent: String(recent) } : { lastEventId }),
      }),
    );

    function alive(): void {
      clearTimeout(watch);
      // a connection may be dead without either end having been told
      watch = setTimeout(again, silentForMs);
    }
    function again(): void {
      clearTimeout(watch);
      source.close();
      onState('lost');
      const waitMs = Math.min(mostRetryMs, firstRetryMs * 2 ** attempt) * (0.5 + Math.random() / 2);
      attempt += 1;
      setTimeout(open, waitMs);
    }

    source.onopen = () => {
      attempt = 0;
      onState('live');
      alive();
    };
    source.onerror = () => {
      onState('lost');
      // else the browser tries again by itself
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(watch);
        isRefused().then((refused) => (refused ? onState('refused') : again()), again);
      } else alive();
    };
    source.addEventListener('beat', alive);
    for (const [kind, handle] of Object.entries(handlers)) {
      source.addEventListener(kind, (event) => {
        alive();
        if (event.lastEventId !== '') lastEventId = event.lastEventId;
        // what a handler takes belongs to the kind it is listed under
        (handle as (message: unknown) => void)(JSON.parse(event.data));
      });
    }
  }

  open();
}

/** EventSource does not tell why it was turned down. */
async function isRefused(): Promise<boolean> {
  const { status } = await fetch(addressOf('events'), { method: 'HEAD', cache: 'no-store' });
  return status === 401 || status === 403;
}
