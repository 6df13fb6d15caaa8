/** What of the configuration can be changed while the daemon runs, and how such a change is held to the schema. */
import type { Config } from './config.ts';
import { faultOf, type Problem, problemOf, show } from './problems.ts';
import { checkTogether } from './rules.ts';
import { leaves } from './schema.ts';
import { bareCopy, type ConfigTree, pick, put } from './tree.ts';
import { validate } from './validate.ts';

/**
 * What has to happen for a changed key to count: `utterance`, the recognizer process is told, and the next utterance
 * is heard by it; `segment`, the next segmenter is made by it; `ahead`, it is looked at all the time; `model`, a model
 * is loaded; `microphone`, another stretch of listening begins.
 */
export type Effect = 'utterance' | 'segment' | 'ahead' | 'model' | 'microphone';

const effects: Readonly<Record<string, Effect>> = {
  source: 'microphone',
  model: 'model',
  provider: 'model',
  threads: 'model',
  language: 'utterance',
  languages: 'utterance',
  task: 'utterance',
  keyTerms: 'utterance',
  beamSize: 'model',
  hearAgain: 'model',
  vad: 'segment',
  partials: 'ahead',
  'recognizer.eager': 'ahead',
};

/** How a key, such as `vad.threshold`, can be changed; undefined: by a restart only. */
export function effectOf(key: string): Effect | undefined {
  return effects[key] ?? effects[key.split('.')[0] ?? ''];
}

/** All that can be changed without a restart. */
export const liveKeys: readonly string[] = leaves
  .map(({ key }) => key)
  .filter((key) => effectOf(key) !== undefined);
/** What takes effect at once and cannot fail: the options of the topic `request/options`. */
export const optionKeys = liveKeys.filter((key) => !['model', 'microphone'].includes(effectOf(key) ?? ''));

/** Some keys of a configuration, as a tree. */
export function selected(config: Config, keys: readonly string[]): ConfigTree {
  const tree: ConfigTree = Object.create(null);
  for (const { path, key } of leaves) {
    const value = pick(config, path);
    if (keys.includes(key) && value !== undefined) put(tree, path, value);
  }
  return tree;
}

/** The keys in which two configurations differ, in the order of the schema. */
export function differences(a: Config, b: Config): string[] {
  return leaves.filter(({ path }) => !isSame(pick(a, path), pick(b, path))).map(({ key }) => key);
}

/**
 * The configuration with another value for some of `keys`. `patch` comes from outside: a tree such as
 * `{ vad: { threshold: 0.6 } }`. Throws `Fault` CONFIG_INVALID with every problem there is.
 */
export function patched(config: Config, patch: object, keys: readonly string[], where: string): Config {
  const tree = selected(config, liveKeys);
  const given = bareCopy(patch);
  const problems: Problem[] = leaves
    .filter(({ path, key }) => isIn(given, path) && !keys.includes(key))
    .map(({ path, key, node }) => ({
      where,
      key,
      got: node.writeOnly ? '(hidden)' : show(pick(given, path)),
      expected: `one of ${keys.join(', ')}`,
      hint: 'the others are changed in the configuration',
    }));
  for (const [name, value] of Object.entries(given)) {
    const section = tree[name];
    tree[name] = isTree(section) && isTree(value) ? Object.assign(bareCopy(section), value) : value;
  }
  const whereIs = (): string => where;
  if (!validate(tree)) problems.push(...(validate.errors ?? []).map((error) => problemOf(error, whereIs)));
  const broken = new Set(problems.map(({ key }) => key));
  problems.push(...checkTogether((key) => pick(tree, key.split('.')), broken, whereIs));
  if (problems.length > 0) throw faultOf(problems, 'every key is explained in docs/configuration.md');
  return merged(config, tree, keys);
}

/** `config` with the values that `other` has for `keys`. A section in which nothing changes is the same object. */
export function merged(config: Config, other: object, keys: readonly string[]): Config {
  const result: ConfigTree = { ...config };
  for (const { path, key } of leaves) {
    const [first = ''] = path;
    const value = pick(other, path);
    if (!keys.includes(key) || isSame(value, pick(config, path))) continue;
    if (path.length > 1) result[first] = { ...(result[first] as object) };
    put(result, path, value);
  }
  for (const value of Object.values(result)) Object.freeze(value);
  return Object.freeze(result) as unknown as Config;
}

/** Whether two values of a key are one: texts, numbers, lists of texts, or nothing. */
export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isTree(value: unknown): value is ConfigTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIn(tree: ConfigTree, [first = '', second]: readonly string[]): boolean {
  const value = tree[first];
  if (second === undefined || value === undefined) return value !== undefined;
  return isTree(value) && second in value;
}
