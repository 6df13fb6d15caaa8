/**
 * What was chosen while the daemon ran, kept for the next run. A choice counts over one configured value only: when
 * the configuration says something else than it did, somebody has changed it since, and it wins.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from './config/config.ts';
import { isSame, liveKeys, patched } from './config/live.ts';
import { leaves } from './config/schema.ts';
import { type ConfigTree, pick, put } from './config/tree.ts';
import { toFault } from './faults.ts';
import { makeFolder } from './private-folder.ts';
import { replaceFile } from './replace-file.ts';

/** By key, such as `vad.threshold`: what was chosen, and what was configured then. */
export type Choices = Readonly<Record<string, { readonly value: unknown; readonly over: unknown }>>;

export type ChoicesFile = {
  readonly read: () => Choices;
  readonly write: (choices: Choices) => Promise<void>;
};

/** Where the choices of a daemon with this configuration are. */
export const choicesPathOf = ({ stateDir }: Config): string => path.join(stateDir, 'choices.json');

/** The choices in `file`. What cannot be read or written is said by `warn`, and is no reason not to run. */
export function choicesFile(file: string, warn: (message: string, hint: string) => void): ChoicesFile {
  return {
    read() {
      try {
        const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
        return typeof parsed === 'object' && parsed !== null ? (parsed as Choices) : {};
      } catch (thrown) {
        const { code, message } = thrown as NodeJS.ErrnoException;
        if (code !== 'ENOENT') warn(`${file} cannot be read: ${message}`, 'choose again');
        return {};
      }
    },
    async write(choices) {
      try {
        await makeFolder(path.dirname(file));
        replaceFile(file, `${JSON.stringify(choices, undefined, 2)}\n`);
      } catch (thrown) {
        const { message, hint } = toFault(thrown);
        warn(`what was chosen holds until the next start only: ${message}`, hint);
      }
    },
  };
}

/** The choices that still count. `choices` may come from a file: nothing in it is trusted. */
export function stillChosen(configured: Config, choices: Choices): Choices {
  return Object.fromEntries(
    leaves.flatMap(({ key, path }) => {
      const choice = Object.hasOwn(choices, key) ? choices[key] : undefined;
      const counts =
        choice?.value !== undefined && isSame(choice.over ?? null, pick(configured, path) ?? null);
      return counts && liveKeys.includes(key) ? [[key, choice]] : [];
    }),
  );
}

/** The configuration as it is in effect with these choices. Throws `Fault` CONFIG_INVALID. */
export function withChoices(configured: Config, choices: Choices): Config {
  const tree: ConfigTree = Object.create(null);
  for (const { key, path } of leaves) if (Object.hasOwn(choices, key)) put(tree, path, choices[key]?.value);
  return patched(configured, tree, liveKeys, 'choices.json');
}

/** The choices after `keys` were changed to what `config` says; what is as configured is no choice. */
export function chosen(
  choices: Choices,
  configured: Config,
  config: Config,
  keys: readonly string[],
): Choices {
  const result = { ...choices };
  for (const { key, path } of leaves) {
    if (!keys.includes(key)) continue;
    const [value, over] = [pick(config, path), pick(configured, path)];
    if (isSame(value, over)) delete result[key];
    else result[key] = { value, over };
  }
  return result;
}
