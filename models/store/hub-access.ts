/** How to reach the hub, from the variables that Hugging Face's own tools read, and the usual ones for proxies. */
import { Fault } from '../../daemon/faults.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export type HubAccess = {
  /** Origin and path without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Somebody said that nothing may be fetched. */
  readonly offline: boolean;
  readonly proxy: ProxySettings | undefined;
};

export type ProxySettings = {
  readonly http: string | undefined;
  readonly https: string | undefined;
  readonly except: string;
};

const publicHub = 'https://huggingface.co';

/** As huggingface_hub reads its switches (constants.py). */
const trueWords = new Set(['1', 'on', 'yes', 'true']);

function readEndpoint(value: string): string {
  let url: URL | undefined;
  try {
    url = new URL(value);
  } catch {}
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    throw new Fault(
      'CONFIG_INVALID',
      `HF_ENDPOINT is ${JSON.stringify(value)}, expected an http or https address without user or query`,
      `unset it for ${publicHub}, or give the address of a mirror`,
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function isLoopback(endpoint: string): boolean {
  const { hostname } = new URL(endpoint);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function readToken(value: string | undefined, endpoint: string): string | undefined {
  const token = value?.trim() ?? '';
  if (token === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Fault('CONFIG_INVALID', 'HF_TOKEN has characters that no token has', 'copy it again');
  }
  if (endpoint.startsWith('http:') && !isLoopback(endpoint)) {
    throw new Fault(
      'CONFIG_INVALID',
      `HF_TOKEN would go to ${endpoint} unencrypted`,
      'use an https address in HF_ENDPOINT, or unset HF_TOKEN',
    );
  }
  return token;
}

function readProxy(environment: Environment): ProxySettings | undefined {
  // the lower-case names win, as everywhere; an empty value means none
  const pick = (name: string): string | undefined => {
    const value = environment[name] ?? environment[name.toUpperCase()] ?? '';
    return value === '' ? undefined : value;
  };
  const [http, https] = (['http_proxy', 'https_proxy'] as const).map((name) => {
    const value = pick(name);
    if (value === undefined || (URL.canParse(value) && /^https?:/.test(value))) return value;
    // not the value: it may hold a password
    throw new Fault(
      'CONFIG_INVALID',
      `${name} is not an http or https address`,
      'for example http://proxy.local:3128',
    );
  });
  if (http === undefined && https === undefined) return undefined;
  return { http, https, except: pick('no_proxy') ?? '' };
}

/**
 * Reads HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
 * Throws CONFIG_INVALID where one makes no sense or would send the token in the clear.
 */
export function readHubAccess(environment: Environment): HubAccess {
  const endpoint = readEndpoint(environment['HF_ENDPOINT'] || publicHub);
  return {
    endpoint,
    token: readToken(environment['HF_TOKEN'], endpoint),
    offline: trueWords.has((environment['HF_HUB_OFFLINE'] ?? '').toLowerCase()),
    proxy: readProxy(environment),
  };
}
