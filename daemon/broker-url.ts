import { Fault } from './faults.ts';

/** What a broker url says, with its secrets taken out. Throws `Fault` CONFIG_INVALID. */
export function parseBrokerUrl(url: string): {
  readonly href: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
} {
  const hint = 'write it as mqtt://host:1883, mqtts://host:8883, ws://host:9001/path or wss://host/path';
  let parsed: URL;
  let credentials: { readonly username: string | undefined; readonly password: string | undefined };
  try {
    parsed = new URL(url);
    credentials = { username: decoded(parsed.username), password: decoded(parsed.password) };
  } catch (cause) {
    // the url itself may hold a password, so it is not repeated
    throw new Fault('CONFIG_INVALID', 'the broker url is not a url', hint, { cause });
  }
  if (!['mqtt:', 'mqtts:', 'ws:', 'wss:'].includes(parsed.protocol) || parsed.hostname === '') {
    throw new Fault(
      'CONFIG_INVALID',
      `the broker url must have a host and the scheme mqtt, mqtts, ws or wss, got ${parsed.protocol}//${parsed.host}`,
      hint,
    );
  }
  const { username, password } = credentials;
  parsed.username = '';
  parsed.password = '';
  parsed.hash = '';
  // MQTT.js takes a clientId out of the query: there is one way to say it, and that is not it
  if (parsed.protocol.startsWith('mqtt')) parsed.search = '';
  return { href: parsed.href, username, password };
}

function decoded(text: string): string | undefined {
  return text === '' ? undefined : decodeURIComponent(text);
}
