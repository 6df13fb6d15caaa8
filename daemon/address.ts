/** Where something of ours listens: `HOST:PORT`, as in the configuration and on the command line. This file imports nothing but node:net. */
import { isIP } from 'node:net';

export type HttpAddress = { readonly host: string; readonly port: number };

/** `127.0.0.1:8080`, `[::1]:8080`, `kitchen.lan:8080`, `:8080` (every interface). Undefined for anything else. */
export function parseHttpAddress(text: string): HttpAddress | undefined {
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
