/** User name and password of the broker: from its address, from a file. They end up in `mqtt.username` and `mqtt.password`. */
import { readFileSync } from 'node:fs';
import type { Problem, WhereIs } from './config-problems.ts';
import { type ConfigTree, pick, put } from './config-tree.ts';

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

/** Reads `mqtt.passwordFile`, where it is set, into `mqtt.password`. */
export function readPasswordFile(tree: ConfigTree, whereIs: WhereIs): Problem[] {
  const at = ['mqtt', 'passwordFile'];
  const file = pick(tree, at);
  if (typeof file !== 'string') return [];
  const expected = 'a readable file with the password in its first line';
  const problem = { where: whereIs(at), key: 'mqtt.passwordFile', expected };
  try {
    const password = readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '';
    if (password === '') return [{ ...problem, got: `${file}, which is empty`, hint: '' }];
    put(tree, ['mqtt', 'password'], password);
    return [];
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    return [{ ...problem, got: `${file} (${code})`, hint: 'check the path, the owner and the mode' }];
  }
}
