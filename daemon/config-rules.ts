/** The rules that bind two keys of the configuration together, which a schema cannot say in a way people understand. */
import { type Problem, show, type WhereIs } from './config-problems.ts';

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
  return rules.flatMap(({ keys: [a, b], check }) => {
    const sections = [a, b].map((key) => key?.split('.')[0] ?? '');
    if ([a, b, ...sections].some((key) => key !== undefined && broken.has(key))) return [];
    const problem = check(lookUp(a), b === undefined ? undefined : lookUp(b));
    return problem === undefined ? [] : [{ where: whereIs(a.split('.')), key: a, ...problem }];
  });
}
