import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** On every answer. `no-referrer` also because the address of a page may carry the token. */
export const commonHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

const policy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
};

/**
 * For a page. OBS loads it as a page of its own and needs no exception; captions may also stand in a frame, in a
 * dashboard say: there is nothing to click. The status page has a button, so nobody may put it below another one.
 */
export function pageHeaders(framing: 'anywhere' | 'nowhere'): OutgoingHttpHeaders {
  const directives = { ...policy, 'frame-ancestors': framing === 'anywhere' ? '*' : "'none'" };
  return {
    'Content-Security-Policy': Object.entries(directives)
      .map(([name, value]) => `${name} ${value}`)
      .join('; '),
    ...(framing === 'nowhere'
      ? { 'X-Frame-Options': 'DENY', 'Cross-Origin-Opener-Policy': 'same-origin' }
      : {}),
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  };
}

/** Answers in one piece. `HEAD` gets the same headers and no body. */
export function answer(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Buffer,
  headers: OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, {
    ...commonHeaders,
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

export function answerJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  answer(response, status, 'application/json', `${JSON.stringify(value)}\n`, headers);
}

/** Turns a request down in words; `Connection: close`, since what else it holds has not been read. */
export function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  headers: OutgoingHttpHeaders = {},
): void {
  answerJson(response, status, { error: message }, { Connection: 'close', ...headers });
}
