/**
 * Shows what is heard and how the daemon is: a captions page, a status page, server-sent events, metrics, and a
 * health check. docs/http.md is the contract. Plain node:http; nothing here is ever loaded from elsewhere.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { isLoopback } from '../address.ts';
import type { DaemonEvent, Sink } from '../events.ts';
import { Fault } from '../faults.ts';
import { startListening } from '../listening.ts';
import type { HealthMessage } from '../mqtt-contract.ts';
import { answer, answerJson, pageHeaders, refuse } from './http/answers.ts';
import { readAssets } from './http/assets.ts';
import { eventStream } from './http/event-stream.ts';
import type { Access } from './http/gate.ts';
import { gateFor } from './http/gate.ts';
import { metricsFor } from './http/metrics.ts';
import { muteFrom, readBody } from './http/mute-request.ts';
import type { ReadRecord, RecordFormat } from './http/record-answer.ts';
import { recordAnswer } from './http/record-answer.ts';
import type { WatchedStatus } from './http/wellness.ts';
import { reasonsOf } from './http/wellness.ts';

export type HttpSinkOptions = {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Asked of everybody when it is set; must be set off loopback. At least 16 printable characters. */
  readonly token?: string | undefined;
  readonly version: string;
  /** Folded from every event before the sinks are told of it. */
  readonly status: () => WatchedStatus;
  /** May read files of the system: called at most once a second. */
  readonly health: () => HealthMessage;
  /** Somebody asks for mute on or off. The real state comes back as a `mute` event. */
  readonly onMute: (muted: boolean) => void;
  /** What was said before; undefined where nothing is kept. */
  readonly readRecord?: ReadRecord | undefined;
  /** A request could not be answered because of a bug of ours: for the log. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Clients of /events. */
  readonly maxClients?: number | undefined;
  readonly beatMs?: number | undefined;
  readonly maxUnreadBytes?: number | undefined;
  /** A request has so long to arrive. */
  readonly requestTimeoutMs?: number | undefined;
};

export type HttpSink = Sink & { readonly host: string; readonly port: number; readonly url: string };

/** Health is said so often to those who look, and read so seldom. */
const healthEveryMs = 5000;
const healthKeptMs = 1000;
/** Beside the streams: pages being loaded, scrapes, checks. */
const otherConnections = 32;
/** Given to connections to end by themselves. */
const farewellMs = 300;

/**
 * Starts to listen. Throws `Fault` CONFIG_INVALID for an address off loopback without a token or a token that is
 * too short, HTTP_UNAVAILABLE when the address cannot be listened on.
 */
export async function httpSink(options: HttpSinkOptions): Promise<HttpSink> {
  const { host, token, status } = options;
  checkToken(host, token);
  const assets = readAssets(path.join(import.meta.dirname, 'http', 'page'));
  const gate = gateFor(token);
  const stream = eventStream({
    maxClients: options.maxClients ?? 32,
    beatMs: options.beatMs ?? 10_000,
    maxUnreadBytes: options.maxUnreadBytes ?? 256 * 1024,
  });
  let soundAtMs: number | undefined;
  const reasons = () =>
    reasonsOf(status(), soundAtMs === undefined ? undefined : performance.now() - soundAtMs);
  const health = keptFor(healthKeptMs, options.health);
  const metrics = metricsFor({
    version: options.version,
    status,
    health,
    reasons,
    clients: stream.clients,
    clientsDropped: stream.dropped,
  });
  const view = () => ({
    well: reasons().length === 0,
    reasons: reasons(),
    version: options.version,
    model: status().provider?.model ?? null,
    latency: metrics.latency(),
    health: health(),
  });

  type Route = {
    readonly access: Access;
    readonly method: 'GET' | 'POST';
    readonly serve: (
      request: IncomingMessage,
      response: ServerResponse,
      query: URLSearchParams,
    ) => void | Promise<void>;
  };
  const page = (name: string, framing: 'anywhere' | 'nowhere'): Route => ({
    access: 'page',
    method: 'GET',
    serve: (request, response) => sendAsset(request, response, name, framing),
  });
  const answerRecord = recordAnswer(options.readRecord);
  const transcripts = (format: RecordFormat): readonly [string, Route] => [
    `/transcripts.${format}`,
    { access: 'data', method: 'GET', serve: (_, response, query) => answerRecord(response, format, query) },
  ];
  const routes = new Map<string, Route>([
    ['/', page('captions.html', 'anywhere')],
    ['/status', page('status.html', 'nowhere')],
    ...[...assets.keys()]
      .filter((name) => !name.endsWith('.html'))
      .map((name) => [`/page/${name}`, page(name, 'nowhere')] as const),
    ['/events', { access: 'data', method: 'GET', serve: joinStream }],
    [
      '/metrics',
      {
        access: 'data',
        method: 'GET',
        serve: async (_, response) => answer(response, 200, metrics.contentType, await metrics.text()),
      },
    ],
    [
      '/healthz',
      {
        access: 'data',
        method: 'GET',
        serve(_, response) {
          const found = reasons();
          answerJson(response, found.length === 0 ? 200 : 503, {
            status: found.length === 0 ? 'ok' : 'unwell',
            reasons: found,
            muted: status().muted,
            version: options.version,
          });
        },
      },
    ],
    ...(['json', 'srt', 'vtt'] as const).map(transcripts),
    ['/mute', { access: 'command', method: 'POST', serve: obeyMute }],
  ]);

  function sendAsset(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    framing: 'anywhere' | 'nowhere',
  ): void {
    const asset = assets.get(name);
    if (asset === undefined) throw new Error(`no asset ${name}: the build did not bring it`);
    // kept by browsers, but asked about each time: a page of the version before would misunderstand us
    const headers = { ...pageHeaders(framing), ETag: asset.etag, 'Cache-Control': 'no-cache' };
    if (request.headers['if-none-match'] === asset.etag) response.writeHead(304, headers).end();
    else answer(response, 200, asset.type, asset.body, headers);
  }

  function joinStream(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    // a page that was turned down asks again this way, because EventSource does not tell why
    if (request.method === 'HEAD') {
      answer(response, 200, 'text/event-stream; charset=utf-8', '');
      return;
    }
    const lastEventId = request.headers['last-event-id'] ?? query.get('lastEventId') ?? undefined;
    const tell = stream.join(response, {
      client: query.get('client')?.slice(0, 64) || undefined,
      kinds: query.has('only') ? new Set(query.get('only')?.split(',')) : undefined,
      lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
      recent: Math.min(50, Number.parseInt(query.get('recent') ?? '0', 10) || 0),
    });
    if (tell === undefined) {
      refuse(response, 503, 'there are too many listeners already', { 'Retry-After': '10' });
      return;
    }
    // who comes in the middle is told where things stand
    tell('speech', { speaking: status().speaking });
    tell('mute', { muted: status().muted });
    tell('health', view());
  }

  async function obeyMute(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    if (body === 'gone') return;
    const wanted = body === 'too long' ? body : muteFrom(request.headers['content-type'], body);
    if (wanted === 'too long') return refuse(response, 413, 'expected a shorter body');
    if (wanted === 'wrong type') return refuse(response, 415, 'expected Content-Type: application/json');
    if (wanted === undefined) return refuse(response, 400, 'expected {"muted": true} or {"muted": false}');
    options.onMute(wanted);
    answerJson(response, 200, { muted: status().muted });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [target = '', search = ''] = (request.url ?? '').split('?', 2);
    const route = routes.get(target);
    const query = new URLSearchParams(search);
    const refusal = gate(request.headers, query, route?.access ?? 'page');
    if (refusal !== undefined) {
      const challenge = refusal.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="harkd"' } : {};
      return refuse(response, refusal.status, refusal.message, challenge);
    }
    if (route === undefined) return refuse(response, 404, 'there is nothing here');
    const allowed = route.method === 'GET' ? ['GET', 'HEAD'] : [route.method];
    if (!allowed.includes(request.method ?? '')) {
      return refuse(response, 405, `expected ${allowed.join(' or ')}`, { Allow: allowed.join(', ') });
    }
    if (route.method === 'GET' && announcesBody(request)) {
      return refuse(response, 413, 'expected a request without a body');
    }
    await route.serve(request, response, query);
  }

  const requestTimeoutMs = options.requestTimeoutMs ?? 10_000;
  const server = createServer(
    {
      maxHeaderSize: 8 * 1024,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: requestTimeoutMs / 4,
      requireHostHeader: true,
    },
    (request, response) => {
      // a client that goes away in the middle of something is nothing to talk about
      response.on('error', () => {});
      serve(request, response).catch((error: unknown) => {
        options.onFailure?.(error);
        if (response.headersSent) response.destroy();
        else refuse(response, 500, 'this is a bug of harkd: its log says more');
      });
    },
  );
  server.maxConnections = (options.maxClients ?? 32) + otherConnections;
  server.on('clientError', sayClientError);

  await startListening(server, options.port, host).catch((cause: NodeJS.ErrnoException) => {
    stream.close();
    throw new Fault(
      'HTTP_UNAVAILABLE',
      `the web page cannot listen on ${host}:${options.port}: ${cause.message}`,
      'choose another port (above 1023 unless root) or an address of this machine in http.listen',
      { cause },
    );
  });
  // accept may fail when the process has no file descriptors left: that passes, and hearing goes on
  server.on('error', (error) => options.onFailure?.(error));

  const healthTimer = setInterval(() => {
    if (stream.clients() > 0) stream.say('health', view());
  }, healthEveryMs);
  healthTimer.unref();

  /** Interim texts whose final may never come. */
  let shown: { readonly id: string; readonly rev: number; readonly language: string } | undefined;

  function publish(event: DaemonEvent): void {
    metrics.count(event);
    switch (event.type) {
      case 'partial':
        shown = event.partial;
        stream.say('partial', event.partial);
        return;
      case 'transcript':
        if (shown?.id === event.transcript.id) shown = undefined;
        stream.final(event.transcript);
        return;
      case 'segment-empty':
      case 'segment-dropped':
        // what was shown meanwhile turned out to be nothing
        if (shown?.id === event.segmentId) {
          const { id, rev, language } = shown;
          stream.say('partial', { id, rev: rev + 1, text: '', stableChars: 0, language });
          shown = undefined;
        }
        return;
      case 'speech-started':
      case 'speech-ended':
        stream.say('speech', { speaking: event.type === 'speech-started' });
        return;
      case 'mute':
        stream.say('mute', { muted: event.muted });
        return;
      case 'level':
        soundAtMs = performance.now();
        stream.say('level', { levelDbfs: event.levelDbfs });
        return;
      case 'microphone':
        // the time without sound counts from the opening
        soundAtMs = event.state === 'listening' ? performance.now() : undefined;
        sayHealthSoon();
        return;
      case 'fault':
      case 'recovered':
      case 'broker':
      case 'provider':
      case 'ready':
        sayHealthSoon();
        return;
      case 'recognizer':
        if (event.state !== 'busy') sayHealthSoon();
        return;
      case 'queue':
      case 'outbox':
      case 'overrun':
      case 'reply':
      case 'settings':
        return;
      default:
        event satisfies never;
    }
  }

  let soon: NodeJS.Immediate | undefined;
  /** Once for everything that happens at the same time, and not on the path of hearing. */
  function sayHealthSoon(): void {
    if (stream.clients() === 0) return;
    soon ??= setImmediate(() => {
      soon = undefined;
      stream.say('health', view());
    });
  }

  async function close(deadlineMs: number): Promise<{ readonly undelivered: number }> {
    clearInterval(healthTimer);
    clearImmediate(soon);
    stream.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const timer = setTimeout(() => server.closeAllConnections(), Math.min(farewellMs, deadlineMs));
    await closed;
    clearTimeout(timer);
    return { undelivered: 0 };
  }

  const { port } = server.address() as AddressInfo;
  let closing: Promise<{ readonly undelivered: number }> | undefined;
  return {
    name: 'http',
    host,
    port,
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}/`,
    publish,
    close(deadlineMs) {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
}

function checkToken(host: string, token: string | undefined): void {
  if (token === undefined && !isLoopback(host)) {
    throw new Fault(
      'CONFIG_INVALID',
      `the web page on ${host} can be reached from elsewhere, expected a token`,
      'set http.tokenFile (openssl rand -hex 16 makes a token), or listen on 127.0.0.1',
    );
  }
  // never said: it may be nearly right
  if (token !== undefined && !/^[!-~]{16,200}$/.test(token)) {
    throw new Fault(
      'CONFIG_INVALID',
      `the token of the web page has ${token.length} characters, expected 16 to 200 of A-Z, a-z, 0-9 or signs`,
      'openssl rand -hex 16 makes one',
    );
  }
}

function announcesBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
}

function keptFor<T>(keptMs: number, read: () => T): () => T {
  let value: T | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (value === undefined || performance.now() - readAtMs > keptMs) {
      value = read();
      readAtMs = performance.now();
    }
    return value;
  };
}

/** Bytes that are no HTTP, too long, or too slow: there is no request to answer, so the answer is written by hand. */
function sayClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
