/** Server-sent events (HTML Standard §9.2) for a bounded number of clients, none of which can hold up another. */
import type { ServerResponse } from 'node:http';
import type { Transcript } from '../../events.ts';
import { commonHeaders } from './answers.ts';
import type { StreamKind, StreamMessages } from './messages.ts';

export type StreamRequest = {
  /** Made up by a page: a second stream of the same page takes the place of the first, which may be half dead. */
  readonly client: string | undefined;
  /** Only these; all when undefined. */
  readonly kinds: ReadonlySet<string> | undefined;
  /** The last final the client has; what came after it is told first. */
  readonly lastEventId: string | undefined;
  /** Without `lastEventId`: this many of the last finals are told first. */
  readonly recent: number;
};

export type EventStreamOptions = {
  readonly maxClients: number;
  /** Something is said at least so often, so that both ends notice a dead connection. */
  readonly beatMs: number;
  /** A client that leaves more than this unread is dropped; it may come back, and gets the finals it missed. */
  readonly maxUnreadBytes: number;
};

export type Say = <K extends StreamKind>(kind: K, message: StreamMessages[K]) => void;

export type EventStream = {
  /** Takes the connection over, and answers how to talk to it alone. Undefined when there is no room: then nothing was sent. */
  readonly join: (response: ServerResponse, request: StreamRequest) => Say | undefined;
  /** Says it to everybody who wants that kind. What will soon be out of date skips those who are behind. */
  readonly say: Say;
  readonly final: (transcript: Transcript) => void;
  readonly clients: () => number;
  readonly dropped: () => number;
  readonly close: () => void;
};

type Client = {
  readonly response: ServerResponse;
  readonly kinds: ReadonlySet<string> | undefined;
  behindSinceMs: number | undefined;
};
type Kept = { readonly transcript: Transcript; readonly readyAtMs: number };

/** What is kept in memory for those who come back: it was said in private, so not much and not for long. */
const maxKept = 50;
const keptForMs = 3_600_000;
/** Who has read nothing for so long is not there. */
const behindForMs = 30_000;
/** Told to browsers: how soon they come back. */
const retryMs = 1500;

const perishable: ReadonlySet<StreamKind> = new Set(['partial', 'level', 'health', 'beat']);

function frame<K extends StreamKind>(kind: K, message: StreamMessages[K], id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${kind}\ndata: ${JSON.stringify(message)}\n\n`;
}

export function eventStream(options: EventStreamOptions, nowMs = () => performance.now()): EventStream {
  const clients = new Map<string | symbol, Client>();
  const kept: Kept[] = [];
  let dropped = 0;

  // a message and not a comment: pages cannot see comments, and must notice when nothing comes any more
  const beat = setInterval(() => {
    forgetOld();
    for (const client of clients.values()) {
      const { behindSinceMs } = client;
      if (behindSinceMs !== undefined && nowMs() - behindSinceMs > behindForMs) drop(client);
    }
    say('beat', {});
  }, options.beatMs);
  beat.unref();

  function forgetOld(): void {
    while (kept[0] !== undefined && nowMs() - kept[0].readyAtMs > keptForMs) kept.shift();
  }

  function drop({ response }: Client): void {
    dropped += 1;
    response.destroy();
  }

  const wants = ({ kinds }: Client, kind: StreamKind): boolean =>
    kinds === undefined || kinds.has(kind) || kind === 'beat';

  function write(client: Client, text: string): void {
    const { response } = client;
    if (response.destroyed || response.writableEnded) return;
    if (!response.write(text)) client.behindSinceMs ??= nowMs();
    if (response.writableLength > options.maxUnreadBytes) drop(client);
  }

  function say<K extends StreamKind>(kind: K, message: StreamMessages[K], id?: string): void {
    let text: string | undefined;
    for (const client of clients.values()) {
      if (!wants(client, kind)) continue;
      if (perishable.has(kind) && client.behindSinceMs !== undefined) continue;
      text ??= frame(kind, message, id);
      write(client, text);
    }
  }

  const replayOf = ({ transcript, readyAtMs }: Kept): string =>
    frame('final', { ...transcript, ageMs: Math.round(nowMs() - readyAtMs), replayed: true }, transcript.id);

  /** A final that is not known here was told by a run before us, or is long forgotten: all we have came after it. */
  function missedBy({ lastEventId, recent }: StreamRequest): readonly Kept[] {
    forgetOld();
    if (lastEventId === undefined) return recent > 0 ? kept.slice(-recent) : [];
    return kept.slice(kept.findIndex(({ transcript }) => transcript.id === lastEventId) + 1);
  }

  return {
    join(response, request) {
      const key = request.client ?? Symbol('client');
      const before = clients.get(key);
      if (before === undefined && clients.size >= options.maxClients) return undefined;
      before?.response.destroy();
      const client: Client = { response, kinds: request.kinds, behindSinceMs: undefined };
      clients.set(key, client);
      response.on('drain', () => {
        client.behindSinceMs = undefined;
      });
      response.on('close', () => {
        if (clients.get(key) === client) clients.delete(key);
      });
      response.socket?.setNoDelay(true);
      response.writeHead(200, {
        ...commonHeaders,
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store, no-transform',
        // nginx would gather what is to be read at once
        'X-Accel-Buffering': 'no',
      });
      const missed = wants(client, 'final') ? missedBy(request).map(replayOf).join('') : '';
      write(client, `retry: ${retryMs}\n\n${missed}`);
      return (kind, message) => {
        if (wants(client, kind)) write(client, frame(kind, message));
      };
    },
    say,
    final(transcript) {
      forgetOld();
      kept.push({ transcript, readyAtMs: nowMs() });
      if (kept.length > maxKept) kept.shift();
      say('final', { ...transcript, ageMs: 0, replayed: false }, transcript.id);
    },
    clients: () => clients.size,
    dropped: () => dropped,
    close() {
      clearInterval(beat);
      for (const { response } of clients.values()) response.end();
      clients.clear();
      kept.length = 0;
    },
  };
}
