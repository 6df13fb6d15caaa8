/** The rules that bind two keys of the configuration together, which a schema cannot say in a way people understand. */
import { type Problem, show } from './config-problems.ts';

type Rule = {
  readonly keys: readonly [string, string?];
  /** What is wrong with the values of `keys`, or undefined. */
  readonly check: (a: unknown, b: unknown) => Omit<Problem, 'where' | 'key'> | undefined;
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

const rules: readonly Rule[] = [
  notAbove('vad.endThreshold', 'vad.threshold'),
  notAbove('capture.restartMinMs', 'capture.restartMaxMs'),
  notAbove('recognizer.restartMinMs', 'recognizer.restartMaxMs'),
  {
    keys: ['mqtt.passwordFile', 'mqtt.password'],
    check: (file, password) =>
      file === undefined || password === undefined
        ? undefined
        : { got: show(file), expected: 'nothing beside mqtt.password', hint: 'keep one of the two' },
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
    keys: ['mqtt.url'],
    check: (url) => {
      if (typeof url !== 'string' || url === 'embedded') return undefined;
      const expected = 'an address such as mqtt://host:1883';
      if (!URL.canParse(url)) return { got: show(url), expected, hint: 'IPv6 addresses stand in [ ]' };
      const { username, password } = new URL(url);
      if (username === '' && password === '') return undefined;
      // the address is logged and published, so it must not hold a secret
      return {
        got: '(hidden)',
        expected: `${expected} without user name and password`,
        hint: 'use mqtt.username and mqtt.passwordFile',
      };
    },
  },
];

/** The problems of keys that do not go together. Keys that are `broken` by themselves are left out. */
export function checkTogether(
  lookUp: (key: string) => unknown,
  broken: ReadonlySet<string>,
  whereIs: (path: readonly string[]) => string,
): Problem[] {
  return rules.flatMap(({ keys: [a, b], check }) => {
    const sections = [a, b].map((key) => key?.split('.')[0] ?? '');
    if ([a, b, ...sections].some((key) => key !== undefined && broken.has(key))) return [];
    const problem = check(lookUp(a), b === undefined ? undefined : lookUp(b));
    return problem === undefined ? [] : [{ where: whereIs(a.split('.')), key: a, ...problem }];
  });
}
