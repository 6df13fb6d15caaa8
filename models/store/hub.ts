/**
 * Talks HTTP with a Hugging Face hub: the only file of harkd that opens a connection to the outside of the house.
 * Nothing but `harkd models add` reaches it.
 *
 * Redirects are followed here and not by the library, so that two things are certain: the token never leaves the
 * hub's own origin (files come from a content network), and https never becomes http.
 */
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { Fault } from '../../daemon/faults.ts';
import type { HubAccess } from './hub-access.ts';
import { PassingTrouble } from './patience.ts';

export type HubAnswer = {
  readonly status: 200 | 206 | 416;
  /** Of the answer that carries the body. */
  readonly header: (name: string) => string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of the connection without reading on. */
  readonly discard: () => Promise<void>;
  /** What the hub itself said before it sent us elsewhere: X-Repo-Commit and X-Linked-Size. */
  readonly commit: string | undefined;
  readonly linkedBytes: number | undefined;
};

export type Hub = {
  readonly endpoint: string;
  /**
   * GETs `path` (encoded, begins with a slash). Throws Fault (MODEL_MISSING, HUB_REFUSED, HUB_ANSWER_INVALID,
   * HUB_UNREACHABLE for what no retry mends), PassingTrouble for the rest, or the signal's reason.
   */
  readonly get: (
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<HubAnswer>;
  readonly close: () => Promise<void>;
};

const maxRedirects = 5;
/** A server that says nothing for so long has gone. */
export const usualStallMs = 30_000;

function dispatcherFor(access: HubAccess, stallMs: number): Dispatcher {
  const options = { connect: { timeout: stallMs }, headersTimeout: stallMs, bodyTimeout: stallMs };
  const { proxy } = access;
  if (proxy === undefined) return new Agent(options);
  return new EnvHttpProxyAgent({
    ...options,
    // an empty string keeps the library from looking into process.env by itself
    httpProxy: proxy.http ?? '',
    httpsProxy: proxy.https ?? '',
    noProxy: proxy.except,
  });
}

/** The hub's word for what is wrong (huggingface_hub: errors.py), if it is a word. */
function errorCode(header: string | undefined): string | undefined {
  return header !== undefined && /^[A-Za-z]{1,40}$/.test(header) ? header : undefined;
}

function retryAfterMs(header: string | undefined): number | undefined {
  const seconds = Number(header);
  if (header === undefined || header.trim() === '') return undefined;
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

function refusal(status: number, code: string | undefined, host: string, hasToken: boolean): Fault {
  if (status === 404 || code === 'RepoNotFound' || code === 'RevisionNotFound' || code === 'EntryNotFound') {
    const what = code === 'RevisionNotFound' ? 'revision' : code === 'EntryNotFound' ? 'file' : 'repository';
    return new Fault(
      'MODEL_MISSING',
      `${host} has no such ${what} (${status}${code === undefined ? '' : ` ${code}`})`,
      'check the name; a private repository needs HF_TOKEN',
    );
  }
  const because = code === undefined ? `${status}` : `${status} ${code}`;
  if (code === 'GatedRepo') {
    return new Fault(
      'HUB_REFUSED',
      `${host} asks for consent before it gives this model (${because})`,
      'accept the conditions on the model’s page, then set HF_TOKEN to a token of that account',
    );
  }
  if (status === 401 || status === 403) {
    return new Fault(
      'HUB_REFUSED',
      `${host} does not let us in (${because})`,
      hasToken ? 'HF_TOKEN is not accepted: make a new one, with read access' : 'set HF_TOKEN',
    );
  }
  return new Fault(
    'HUB_REFUSED',
    `${host} answered ${because}`,
    'if HF_ENDPOINT is set, check that it is a hub; else try again later',
  );
}

/** Certificates do not mend themselves; everything else on the way may. */
function troubleOnTheWay(thrown: unknown, host: string): Error {
  const { code = '', message = '' } = thrown as { readonly code?: string; readonly message?: string };
  if (/CERT|SIGNATURE|ERR_TLS/.test(code)) {
    return new Fault(
      'HUB_UNREACHABLE',
      `${host}: its certificate is not accepted (${code})`,
      'check the clock; behind a proxy that opens TLS, set NODE_EXTRA_CA_CERTS to its certificate',
      { cause: thrown },
    );
  }
  return new PassingTrouble(`${host}: ${code === '' ? message : code}`, { cause: thrown });
}

function insecure(from: URL, to: string): Fault {
  return new Fault(
    'HUB_ANSWER_INVALID',
    `${from.host} sends us to ${to.slice(0, 80)}`,
    'this is not how a hub behaves: check HF_ENDPOINT and the proxy',
  );
}

/** Where a redirect leads. Throws HUB_ANSWER_INVALID for what is no web address, or has lost its encryption. */
function follow(from: URL, location: string | undefined): URL {
  const to =
    location === undefined || !URL.canParse(location, from.href) ? undefined : new URL(location, from);
  if (to === undefined) throw insecure(from, 'nowhere');
  if (to.protocol !== 'https:' && !(to.protocol === 'http:' && from.protocol === 'http:')) {
    throw insecure(from, `${to.protocol}//${to.host}`);
  }
  return to;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Opens the way to the hub; nothing is sent before `get`. Throws HUB_UNREACHABLE where HF_HUB_OFFLINE says so. */
export function openHub(access: HubAccess, stallMs = usualStallMs): Hub {
  if (access.offline) {
    throw new Fault(
      'HUB_UNREACHABLE',
      'HF_HUB_OFFLINE is set: nothing may be fetched',
      'unset it, or add the model from a folder',
    );
  }
  const dispatcher = dispatcherFor(access, stallMs);
  const home = new URL(access.endpoint).origin;

  async function get(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HubAnswer> {
    let url = new URL(`${access.endpoint}${path}`);
    let trusted = true;
    let commit: string | undefined;
    let linkedBytes: number | undefined;
    for (let hops = 0; hops <= maxRedirects; hops++) {
      // once away from the hub the token is gone for good, even if somebody sends us back
      trusted &&= url.origin === home;
      const answer = await request(url, {
        dispatcher,
        signal,
        headers: {
          'user-agent': 'harkd',
          // sizes and ranges are of the file itself
          'accept-encoding': 'identity',
          ...headers,
          ...(trusted && access.token !== undefined ? { authorization: `Bearer ${access.token}` } : {}),
        },
      }).catch((thrown: unknown) => {
        signal.throwIfAborted();
        throw troubleOnTheWay(thrown, url.host);
      });
      const header = (name: string) => single(answer.headers[name]);
      const status = answer.statusCode;
      if (trusted) {
        commit ??= header('x-repo-commit');
        const linked = header('x-linked-size');
        if (linked !== undefined) linkedBytes ??= Number(linked);
      }
      const discard = async () => {
        // reads what is left if it is little, else closes; its outcome is nobody's concern
        await answer.body.dump({ limit: 16_384 }).catch(() => undefined);
      };
      if (status === 200 || status === 206 || status === 416) {
        const body = bodyOf(answer.body, url.host, signal);
        return { status, header, body, discard, commit, linkedBytes };
      }
      await discard();
      if ([301, 302, 303, 307, 308].includes(status)) {
        url = follow(url, header('location'));
      } else if (status === 408 || status === 429 || status >= 500) {
        throw new PassingTrouble(`${url.host} answered ${status}`, {
          retryAfterMs: retryAfterMs(header('retry-after')),
        });
      } else {
        throw refusal(status, errorCode(header('x-error-code')), url.host, access.token !== undefined);
      }
    }
    throw insecure(url, `more than ${maxRedirects} other places`);
  }

  return { endpoint: access.endpoint, get, close: () => dispatcher.destroy() };
}

async function* bodyOf(
  body: AsyncIterable<Uint8Array>,
  host: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (thrown) {
    signal.throwIfAborted();
    throw troubleOnTheWay(thrown, host);
  }
}
