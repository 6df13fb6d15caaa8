/** Secrets that stand elsewhere: in the address of the broker, in files. They end up in the keys that are hidden. */
import { readFileSync } from 'node:fs';
import { type BrokerAccess, tlsFileProblems } from '../broker-access.ts';
import type { Problem, WhereIs } from './problems.ts';
import { type ConfigTree, pick, put } from './tree.ts';

/**
 * Takes the credentials out of `mqtt.url`, which is logged and published, and puts them where secrets are kept.
 * An address that is none is left for the rules to report.
 */
export function takeCredentials(tree: ConfigTree, whereIs: WhereIs): Problem[] {
  const urlPath = ['mqtt', 'url'];
  const given = pick(tree, urlPath);
  if (typeof given !== 'string' || given === 'embedded' || !URL.canParse(given)) return [];
  const url = new URL(given);
  const { username, password } = url;
  if (username === '' && password === '') return [];
  url.username = '';
  url.password = '';
  put(tree, urlPath, url.href);
  const problem = { where: whereIs(urlPath), key: 'mqtt.url', got: '(hidden)' };
  const problems: Problem[] = [];
  for (const [name, text] of Object.entries({ username, password })) {
    if (text === '') continue;
    if (pick(tree, ['mqtt', name]) !== undefined) {
      const expected = `no ${name} in the address beside mqtt.${name}`;
      problems.push({ ...problem, expected, hint: 'keep one of the two' });
    } else if (!isPercentEncoded(text)) {
      problems.push({ ...problem, expected: `a ${name} in which % is written as %25`, hint: '' });
    } else put(tree, ['mqtt', name], decodeURIComponent(text));
  }
  return problems;
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

type SecretFile = {
  readonly section: string;
  readonly name: string;
  /** What is wrong with what stands in it, or undefined. */
  readonly check: (secret: string) => string | undefined;
};

const secretFiles: readonly SecretFile[] = [
  { section: 'mqtt', name: 'password', check: () => undefined },
  {
    section: 'webhook',
    name: 'token',
    check: (token) => (/^[!-~]{1,4000}$/.test(token) ? undefined : 'one that is not of printable characters'),
  },
  {
    section: 'http',
    name: 'token',
    check: (token) =>
      /^[!-~]{16,200}$/.test(token) ? undefined : 'one that is not 16 to 200 printable characters',
  },
];

/** Reads the files that are named, such as `mqtt.passwordFile`, into the keys they stand for, such as `mqtt.password`. */
export function readSecretFiles(tree: ConfigTree, whereIs: WhereIs): Problem[] {
  return secretFiles.flatMap(({ section, name, check }) => {
    const at = [section, `${name}File`];
    const file = pick(tree, at);
    if (typeof file !== 'string') return [];
    const expected = `a readable file with the ${name} in its first line`;
    const problem = { where: whereIs(at), key: at.join('.'), expected };
    try {
      const secret = readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '';
      if (secret === '') return [{ ...problem, got: `${file}, which is empty`, hint: '' }];
      const wrong = check(secret);
      if (wrong !== undefined) return [{ ...problem, got: `${file}, with ${wrong}`, hint: '' }];
      put(tree, [section, name], secret);
      return [];
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      return [{ ...problem, got: `${file} (${code})`, hint: 'check the path, the owner and the mode' }];
    }
  });
}

/** Whether the certificates named in the section `mqtt` can be used. They are read again for each connection. */
export function checkCertificates(tree: ConfigTree, whereIs: WhereIs): Problem[] {
  const access = (pick(tree, ['mqtt']) ?? {}) as BrokerAccess;
  return tlsFileProblems(access).map(({ key, ...problem }) => ({
    where: whereIs(['mqtt', key]),
    key: `mqtt.${key}`,
    ...problem,
  }));
}
