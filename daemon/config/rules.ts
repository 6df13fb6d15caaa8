/** The rules that bind two keys of the configuration together, which a schema cannot say in a way people understand. */

import { isLoopback, parseListenAddress } from '../address.ts';
import { type Problem, show, type WhereIs } from './problems.ts';

type Rule = {
  readonly keys: readonly [string, string?, string?];
  /** What is wrong with the values of `keys`, or undefined. */
  readonly check: (a: unknown, b: unknown, c: unknown) => Omit<Problem, 'where' | 'key'> | undefined;
};

function notAbove(lower: string, upper: string): Rule {
  return {
    keys: [lower, upper],
    check: (a, b) =>
      Number(a) <= Number(b)
        ? undefined
        : { got: show(a), expected: `at most ${upper}, which is ${show(b)}`, hint: '' },
  };
}

function notBeside(file: string, value: string): Rule {
  return {
    keys: [file, value],
    check: (a, b) =>
      a === undefined || b === undefined
        ? undefined
        : { got: show(a), expected: `nothing beside ${value}`, hint: 'keep one of the two' },
  };
}

function needs(key: string, other: string): Rule {
  return {
    keys: [key, other],
    check: (a, b) =>
      a === undefined || b !== undefined
        ? undefined
        : { got: show(a), expected: `${other} beside it`, hint: 'the two belong together' },
  };
}

/** The embedded broker, which is for trying things out, is not asked: nothing leaves the machine. */
function onlyWithTls(key: string): Rule {
  return {
    keys: [key, 'mqtt.url'],
    check: (value, url) =>
      value === undefined || typeof url !== 'string' || !/^(mqtt|ws):/.test(url)
        ? undefined
        : {
            got: show(value),
            expected: 'an mqtt.url with TLS beside it: mqtts://host:8883 or wss://…',
            hint: 'without TLS it would protect nothing',
          },
  };
}

/** Headers that say how a request is sent, and not what it is about. */
const ofTheRequest = [
  'host',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

const rules: readonly Rule[] = [
  {
    keys: ['language', 'languages'],
    check: (language, languages) => {
      const allowed = languages as readonly string[];
      if (language === 'auto' || allowed.length === 0 || allowed.includes(String(language))) return undefined;
      const expected = `auto, or one of languages, which are ${allowed.join(', ')}`;
      return { got: show(language), expected, hint: '' };
    },
  },
  notAbove('vad.endThreshold', 'vad.threshold'),
  {
    keys: ['vad.minSpeechMs', 'vad.maxSegmentS'],
    // a segment that has to be cut needs enough speech on both sides of the cut (daemon/segmenter.ts)
    check: (minSpeechMs, maxSegmentS) =>
      Number(minSpeechMs) < Number(maxSegmentS) * 250
        ? undefined
        : {
            got: show(minSpeechMs),
            expected: `less than a fourth of vad.maxSegmentS, which is ${show(maxSegmentS)}`,
            hint: '',
          },
  },
  notBeside('mqtt.passwordFile', 'mqtt.password'),
  ...['mqtt.caFile', 'mqtt.certFile', 'mqtt.serverName'].map(onlyWithTls),
  needs('mqtt.certFile', 'mqtt.keyFile'),
  needs('mqtt.keyFile', 'mqtt.certFile'),
  notBeside('http.tokenFile', 'http.token'),
  notBeside('webhook.tokenFile', 'webhook.token'),
  {
    keys: ['http.listen', 'http.token', 'http.tokenFile'],
    check: (listen, token, tokenFile) => {
      if (listen === 'off' || token !== undefined || tokenFile !== undefined) return undefined;
      const address = parseListenAddress(String(listen));
      if (address !== undefined && isLoopback(address.host)) return undefined;
      const expected = 'a loopback address, such as 127.0.0.1, because there is no token';
      return { got: show(listen), expected, hint: 'set http.tokenFile to let others in' };
    },
  },
  {
    keys: ['wyoming.listen', 'wyoming.allowLan'],
    check: (listen, allowLan) => {
      if (listen === 'off' || allowLan === true) return undefined;
      const address = parseListenAddress(String(listen));
      if (address !== undefined && isLoopback(address.host)) return undefined;
      const expected = 'a loopback address, such as 127.0.0.1, because Wyoming has no passwords';
      return { got: show(listen), expected, hint: 'set wyoming.allowLan: true to let your network in' };
    },
  },
  ...['mqtt.password', 'mqtt.passwordFile'].map(
    (key): Rule => ({
      keys: ['mqtt.username', key],
      check: (username, password) =>
        // MQTT 3.1.1 [MQTT-3.1.2-22]: without a user name there is no password
        username !== undefined || password === undefined
          ? undefined
          : { got: 'not set', expected: `a user name, because ${key} is set`, hint: '' },
    }),
  ),
  {
    keys: ['webhook.url'],
    check: (url) => {
      if (url === undefined || URL.canParse(String(url))) return undefined;
      const expected = 'an address such as https://host/path';
      return { got: '(hidden)', expected, hint: 'IPv6 addresses stand in [ ]' };
    },
  },
  {
    keys: ['webhook.headers'],
    check(headers) {
      const names = (headers as readonly string[]).map((header) => header.split(':')[0]?.toLowerCase() ?? '');
      const own = names.find((name) => ofTheRequest.includes(name));
      if (own === undefined) return undefined;
      return { got: '(hidden)', expected: `no ${own} among them, which harkd sets itself`, hint: '' };
    },
  },
  {
    keys: ['mqtt.url'],
    check: (url) => {
      if (typeof url !== 'string' || url === 'embedded') return undefined;
      const expected = 'an address such as mqtt://host:1883';
      return URL.canParse(url)
        ? undefined
        : { got: show(url), expected, hint: 'IPv6 addresses stand in [ ]' };
    },
  },
];

/** The problems of keys that do not go together. Keys that are `broken` by themselves are left out. */
export function checkTogether(
  lookUp: (key: string) => unknown,
  broken: ReadonlySet<string>,
  whereIs: WhereIs,
): Problem[] {
  return rules.flatMap(({ keys, check }) => {
    const [first] = keys;
    const needed = keys.filter((key) => key !== undefined);
    if (needed.some((key) => broken.has(key) || broken.has(key.split('.')[0] ?? ''))) return [];
    const [a, b, c] = keys.map((key) => (key === undefined ? undefined : lookUp(key)));
    const problem = check(a, b, c);
    return problem === undefined ? [] : [{ where: whereIs(first.split('.')), key: first, ...problem }];
  });
}
