/** Who may come in. Nothing here looks at a password: there is one token, or the machine itself is the boundary. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../../address.ts';

/** `page`: static, the same for everybody. `data`: what was heard and how we are. `command`: changes something. */
export type Access = 'page' | 'data' | 'command';

export type Refusal = { readonly status: 401 | 403 | 421; readonly message: string };

export type Gate = (
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
  access: Access,
) => Refusal | undefined;

/** Compared as digests: of equal length whatever came in, and in a time that does not depend on what is right. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * The gate of a server with or without a token. Without one the server listens on loopback only, where two things
 * could still reach it that are not its user: a name that an attacker lets resolve to 127.0.0.1 (DNS rebinding),
 * told by `Host`; and a page of another origin in the user's browser, told by `Sec-Fetch-Site` and `Origin`.
 */
export function gateFor(token: string | undefined): Gate {
  const expected = token === undefined ? undefined : digest(token);

  return (headers, query, access) => {
    // with a token a rebound name opens nothing, and a reverse proxy may keep the name it was called by
    if (expected === undefined && !isLoopback(hostnameOf(headers.host))) {
      return { status: 421, message: 'expected a Host that is this machine: localhost or 127.0.0.1' };
    }
    if (access === 'page') return undefined;
    if (isForeign(headers, access)) {
      return { status: 403, message: 'expected a request from this site, not from another one' };
    }
    if (expected !== undefined && !timingSafeEqual(digest(givenToken(headers, query)), expected)) {
      return { status: 401, message: 'expected the token: Authorization: Bearer …, or ?token=…' };
    }
    return undefined;
  };
}

/** EventSource cannot set headers (HTML Standard §9.2), hence the query. */
function givenToken(headers: IncomingHttpHeaders, query: URLSearchParams): string {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  return bearer ?? query.get('token') ?? '';
}

/**
 * Browsers say where a request comes from with `Sec-Fetch-Site` (Fetch Metadata) where they trust the connection,
 * and else with `Origin`, on everything that is no plain GET. Programs say neither, and are not tricked by pages.
 */
function isForeign(headers: IncomingHttpHeaders, access: Access): boolean {
  const site = headers['sec-fetch-site'];
  // `none`: typed by the user. Another port of localhost is `same-site`, and another program
  if (site !== undefined) return site !== 'same-origin' && (site !== 'none' || access === 'command');
  const { origin } = headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== headers.host?.toLowerCase();
}

function hostnameOf(host: string | undefined): string {
  const url = `http://${host ?? ''}`;
  if (host === undefined || /[/?#@\\]/.test(host) || !URL.canParse(url)) return '';
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
}
