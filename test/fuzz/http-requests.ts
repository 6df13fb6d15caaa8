/** Requests for a web page, well-formed to nonsense, as bytes. */
const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'get',
  'PRI',
  '',
  'G\0T',
  'M-SEARCH',
];
const targets = [
  ...[
    '/',
    '/status',
    '/events',
    '/metrics',
    '/healthz',
    '/mute',
    '/page/captions.js',
    '/transcripts.json',
    '/transcripts.srt?since=-1h&limit=2',
    '/transcripts.vtt?since=%00&until=9e9',
    '/page/../../x',
    '*',
    '//',
    '',
  ],
  ...[
    'http://a/events',
    'evil.example:443',
    '/events?recent=1e999&only=,,,&client=%',
    '/%00',
    '/?%zz',
    '/\xff\xfe',
  ],
  ...[
    '/events?lastEventId=a%0d%0ab',
    '/events?token=x#y',
    `/${'a/'.repeat(500)}`,
    '/events??',
    '/?__proto__[x]=1',
  ],
];
const versions = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 ', 'HTTP/0.9', 'ICY', ''];
const headers = [
  ...[
    'Host: localhost',
    'Host: localhost',
    'Host: evil.example',
    'Host:',
    'Host: a b',
    'Host: [::1',
    'Host: \x00',
  ],
  ...[
    'Connection: close',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAAQ',
  ],
  ...[
    'Content-Length: 18',
    'Content-Length: -1',
    'Content-Length: 99999999999',
    'Transfer-Encoding: chunked',
  ],
  ...[
    'Transfer-Encoding: gzip, chunked',
    'Content-Type: application/json',
    'Content-Type: \x80',
    'Expect: 100-continue',
  ],
  ...['Expect: 7', 'Origin: null', 'Origin: http://localhost', 'Origin: ://', 'Sec-Fetch-Site: same-origin'],
  ...['Sec-Fetch-Site: \t', 'Authorization: Bearer', 'Authorization: Basic e30=', 'Last-Event-ID: boot-1'],
  ...[
    'Last-Event-ID: \xff',
    'If-None-Match: *',
    'Accept-Encoding: br',
    'Range: bytes=0-1',
    ' folded',
    ': none',
    'x',
  ],
  ...[
    `Cookie: ${'c'.repeat(3000)}`,
    `X: ${'y'.repeat(9000)}`,
    'X\r: y',
    'Trailer: Host',
    'Keep-Alive: timeout=1e9',
  ],
];
const bodies = [
  ...[
    '',
    '{"muted": true}',
    '{"muted": "on"}   ',
    '5\r\nhello\r\n0\r\n\r\n',
    'ffffffffffffffff\r\n',
    '-1\r\n',
    '{',
  ],
  ...[
    'x'.repeat(5000),
    '\x00'.repeat(64),
    'GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n',
    '[[[[[[[[[[[',
  ],
];

/** Answers a function that makes one after the other, the same for the same random numbers. */
export function httpRequests(random: () => number): () => Buffer {
  const below = (limit: number): number => Math.floor(random() * limit);
  function oneOf<T>(items: readonly T[]): T {
    return items[below(items.length)] as T;
  }
  return function request(): Buffer {
    const lines = Array.from({ length: below(4) }, () => oneOf(headers));
    if (random() < 0.7) lines.push('Host: localhost');
    const eol = random() < 0.95 ? '\r\n' : oneOf(['\n', '\r', '\0']);
    const text = `${oneOf(methods)} ${oneOf(targets)} ${oneOf(versions)}${eol}${lines.join(eol)}${eol}${eol}${oneOf(bodies)}`;
    const bytes = Buffer.from(text, 'latin1');
    const kind = random();
    if (kind < 0.15) return bytes.subarray(0, below(bytes.length));
    if (kind < 0.3) bytes[below(bytes.length)] = below(256);
    else if (kind < 0.35) return Buffer.concat([bytes, request()]);
    else if (kind < 0.38) return Buffer.from(Array.from({ length: 1 + below(400) }, () => below(256)));
    return bytes;
  };
}
