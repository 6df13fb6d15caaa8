/** Where something of ours listens: `HOST:PORT`, as in the configuration and on the command line. This file imports nothing but node:net. */
import { isIP } from 'node:net';

export type ListenAddress = { readonly host: string; readonly port: number };

/** `127.0.0.1:8080`, `[::1]:8080`, `kitchen.lan:8080`, `:8080` (every interface). Undefined for anything else. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/?#@]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, name, digits] = match;
  const port = Number(digits);
  if (port > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6)) return undefined;
  return { host: ipv6 ?? (name === '' || name === undefined ? '::' : name), port };
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Whether a host is in the house: this machine, or an address that is not routed on the internet (RFC 1918, 3927, 4193,
 * 4291 §2.5.6, 6598). A name is believed if it is of a kind that only a house gives; what it leads to is not looked up.
 */
export function isAtHome(host: string): boolean {
  if (isLoopback(host)) return true;
  switch (isIP(host)) {
    case 4: {
      const [a = 0, b = 0] = host.split('.').map(Number);
      return (
        a === 10 ||
        (a === 172 && b >= 16 && b < 32) ||
        (a === 192 && b === 168) ||
        (a === 169 && b === 254) ||
        (a === 100 && b >= 64 && b < 128)
      );
    }
    case 6:
      return /^f(e[89ab]|[cd][0-9a-f])[0-9a-f]:/i.test(host);
    default:
      return /^[^.]+$|\.(local|localdomain|lan|home|internal|home\.arpa)$/i.test(host);
  }
}
