/** Who we are to a broker, and how we know that it is the right one: user name and password, certificates. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SecureContext } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { Fault } from './faults.ts';

/** As in the section `mqtt` of the configuration. */
export type BrokerAccess = {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Goes before `password`; read for each connection, so that a token may be replaced. */
  readonly passwordFile?: string | undefined;
  /** PEM. The only authorities that are trusted, or the certificate of the broker itself. */
  readonly caFile?: string | undefined;
  /** PEM. What we show to a broker that asks, and its key. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name that the certificate of the broker must have, if not that of its address. */
  readonly serverName?: string | undefined;
};

/** These keys alone, of something that has more. */
export function accessOf(options: BrokerAccess): BrokerAccess {
  const { username, password, passwordFile, caFile, certFile, keyFile, serverName } = options;
  return { username, password, passwordFile, caFile, certFile, keyFile, serverName };
}

export type TlsFileProblem = {
  readonly key: 'caFile' | 'certFile' | 'keyFile';
  readonly got: string;
  readonly expected: string;
  readonly hint: string;
};

export type OpenedAccess = {
  readonly password: string | undefined;
  /** Undefined where there is nothing but what Node.js trusts by itself. */
  readonly secureContext: SecureContext | undefined;
  /** When our own certificate ends, if we have one. */
  readonly certificateEndsAt: Date | undefined;
};

/**
 * Reads the files of `access` as they are now: who renews a certificate need not restart harkd. Throws `Fault`
 * BROKER_CREDENTIALS or BROKER_CERTIFICATE for a file that cannot be used.
 */
export function openAccess(access: BrokerAccess): OpenedAccess {
  const { secureContext, certificateEndsAt, problems } = openTls(access);
  const [problem] = problems;
  if (problem !== undefined) {
    const { key, got, expected, hint } = problem;
    throw new Fault('BROKER_CERTIFICATE', `mqtt.${key} is ${got}, expected ${expected}`, hint);
  }
  return { password: passwordOf(access), secureContext, certificateEndsAt };
}

function passwordOf({ password, passwordFile }: BrokerAccess): string | undefined {
  if (passwordFile === undefined) return password;
  const secret = read(passwordFile);
  const first = typeof secret === 'string' ? secret.split(/\r?\n/)[0] : undefined;
  if (first) return first;
  const got = typeof secret === 'string' ? 'empty' : `not readable (${secret.error})`;
  throw new Fault(
    'BROKER_CREDENTIALS',
    `mqtt.passwordFile ${passwordFile} is ${got}`,
    'its first line is the password; check the path, the owner and the mode',
  );
}

const unreadableHint = 'check the path, and that the user harkd runs as may read it';

/** What is wrong with the certificates of `access`: for who checks a configuration. */
export function tlsFileProblems(access: BrokerAccess): readonly TlsFileProblem[] {
  return openTls(access).problems;
}

function openTls({ caFile, certFile, keyFile }: BrokerAccess): {
  readonly secureContext: SecureContext | undefined;
  readonly certificateEndsAt: Date | undefined;
  readonly problems: readonly TlsFileProblem[];
} {
  const problems: TlsFileProblem[] = [];
  function pem<T>(
    key: TlsFileProblem['key'],
    file: string | undefined,
    expected: string,
    parse: (text: string) => T,
  ): { readonly text: string; readonly parsed: T } | undefined {
    if (file === undefined) return undefined;
    const text = read(file);
    if (typeof text !== 'string') {
      problems.push({ key, got: `${file} (${text.error})`, expected, hint: unreadableHint });
      return undefined;
    }
    try {
      return { text, parsed: parse(text) };
    } catch (thrown) {
      const { got, hint } = unusable(thrown as NodeJS.ErrnoException, text);
      problems.push({ key, got: `${file}, which ${got}`, expected, hint });
      return undefined;
    }
  }
  const ca = pem('caFile', caFile, 'certificates in PEM', certificatesOf);
  const cert = pem('certFile', certFile, 'a certificate in PEM', certificatesOf);
  const key = pem('keyFile', keyFile, 'a private key in PEM without a passphrase', (text) =>
    createPrivateKey(text),
  );
  const [ours] = cert?.parsed ?? [];
  if (ours !== undefined && key !== undefined && !ours.checkPrivateKey(key.parsed)) {
    const got = `${keyFile}, which belongs to another certificate`;
    const hint = 'the two are made together: take both from one place';
    problems.push({ key: 'keyFile', got, expected: `the key of ${certFile}`, hint });
  }
  const certificateEndsAt = ours === undefined ? undefined : new Date(ours.validTo);
  const nothing = { secureContext: undefined, certificateEndsAt, problems };
  if (problems.length > 0 || (ca === undefined && cert === undefined)) return nothing;
  try {
    const secureContext = createSecureContext({
      ca: ca?.text,
      cert: cert?.text,
      key: key?.text,
      // who names the certificate of the broker means that one, whoever signed it
      allowPartialTrustChain: true,
    });
    return { ...nothing, secureContext };
  } catch (thrown) {
    // well-formed, and still not to OpenSSL's taste: a key that is too short, a hash that is broken
    const got = `refused by OpenSSL: ${(thrown as Error).message}`;
    const hint = 'make a new one: RSA with 2048 bits or P-256, signed with SHA-256';
    const at = cert === undefined ? 'caFile' : 'certFile';
    return { ...nothing, problems: [{ key: at, got, expected: 'a certificate that can be used', hint }] };
  }
}

function read(file: string): string | { readonly error: string } {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    return { error: (thrown as NodeJS.ErrnoException).code ?? (thrown as Error).message };
  }
}

/** Throws unless there is at least one, and all are well-formed. */
function certificatesOf(text: string): readonly [X509Certificate, ...X509Certificate[]] {
  const [first, ...more] = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (first === undefined) throw new Error('no certificate');
  return [new X509Certificate(first), ...more.map((block) => new X509Certificate(block))];
}

function unusable(
  error: NodeJS.ErrnoException,
  text: string,
): { readonly got: string; readonly hint: string } {
  if (error.code === 'ERR_MISSING_PASSPHRASE' || /BEGIN ENCRYPTED|ENCRYPTED$/m.test(text)) {
    return {
      got: 'needs a passphrase',
      hint: 'nobody is there to type it: openssl pkey -in key.pem -out plain.pem, readable for harkd only',
    };
  }
  const kinds = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, kind]) => kind?.toLowerCase());
  if (kinds.length === 0) {
    const hint = 'it begins with -----BEGIN; of DER: openssl x509 -inform der -in broker.crt -out broker.pem';
    return { got: 'is not PEM', hint };
  }
  return { got: `holds ${[...new Set(kinds)].join(', ')} that cannot be used`, hint: 'was it copied whole?' };
}
