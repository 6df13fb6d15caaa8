/**
 * POSTs to the one address that the configuration names: with models/store/hub.ts, the only file of harkd that opens a
 * connection to the outside of the house (docs/adr/0009).
 *
 * Nothing is followed: a redirect would send what was said to somebody whom nobody has named.
 */
import { Agent, request } from 'undici';

export type PostOptions = {
  readonly url: string;
  /** Each `Name: value`. */
  readonly headers: readonly string[];
  readonly token?: string | undefined;
  /** For the whole of it, from the first byte of TCP to the last of the answer. */
  readonly timeoutMs: number;
  /** More of an answer is not read. */
  readonly maxAnswerBytes: number;
};

export type Outcome =
  /** `answer` is undefined where it could not be read to its end: too long, too slow, cut off. */
  | { readonly type: 'accepted'; readonly answer: string | undefined }
  /** Trying again will not help. */
  | { readonly type: 'refused'; readonly why: string }
  /** Trying again may. */
  | { readonly type: 'failed'; readonly why: string; readonly retryAfterMs?: number | undefined };

export type Poster = {
  /** One at a time. Never rejects. */
  readonly post: (body: string) => Promise<Outcome>;
  /** Ends what is under way. */
  readonly close: () => Promise<void>;
};

/** 408 request timeout, 425 too early, 429 too many requests (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4). */
const passingStatus = [408, 425, 429];

export function posterTo({ url, headers, token, timeoutMs, maxAnswerBytes }: PostOptions): Poster {
  const dispatcher = new Agent({
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const sent: Record<string, string> = {
    'user-agent': 'harkd',
    'content-type': 'application/json',
    accept: 'application/json',
    // what is not asked for need not be unpacked, nor can it be a bomb
    'accept-encoding': 'identity',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...Object.fromEntries(headers.map(headerOf)),
  };
  let underWay: AbortController | undefined;

  async function post(body: string): Promise<Outcome> {
    const attempt = new AbortController();
    underWay = attempt;
    const tooLate = () => attempt.abort(new Error(`no answer within ${timeoutMs} ms`));
    const timer = setTimeout(tooLate, timeoutMs);
    try {
      const response = await request(url, {
        method: 'POST',
        dispatcher,
        signal: attempt.signal,
        headers: sent,
        body,
        // servers close an idle connection just when the next sentence is sent, and nobody would know if it arrived
        reset: true,
      });
      const { statusCode: status } = response;
      if (status >= 200 && status < 300) {
        return { type: 'accepted', answer: await textOf(response.body, maxAnswerBytes) };
      }
      response.body.on('error', () => undefined).destroy();
      if (status >= 500 || passingStatus.includes(status)) {
        return {
          type: 'failed',
          why: `answered ${status}`,
          retryAfterMs: retryAfterMs(response.headers['retry-after']),
        };
      }
      const elsewhere = status >= 300 && status < 400 ? ', which leads elsewhere and is not followed' : '';
      return { type: 'refused', why: `answered ${status}${elsewhere}` };
    } catch (thrown) {
      return { type: 'failed', why: wordsOf(attempt.signal.reason ?? thrown) };
    } finally {
      clearTimeout(timer);
      underWay = undefined;
    }
  }

  return {
    post,
    async close() {
      underWay?.abort(new Error('harkd stops'));
      await dispatcher.destroy();
    },
  };
}

/** `Name: value` in its two parts. */
function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}

async function textOf(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      // leaving the loop closes the connection
      if (bytes > maxBytes) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

/** undici puts the words into `message`, and what the system says into `code`; several addresses make several errors. */
function wordsOf(thrown: unknown): string {
  const {
    message = '',
    code = '',
    errors,
  } = thrown as {
    readonly message?: string;
    readonly code?: string;
    readonly errors?: readonly Error[];
  };
  return message || errors?.[0]?.message || code || 'the connection failed';
}
