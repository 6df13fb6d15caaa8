import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Fault } from '../faults.ts';
import { checkCertificates, readSecretFiles, takeCredentials } from './credentials.ts';
import { complete, type Machine } from './defaults.ts';
import { type ParsedFile, parseConfigFile } from './file.ts';
import { faultOf, type Problem, problemOf, unknownVariables } from './problems.ts';
import { checkTogether } from './rules.ts';
import { leaves } from './schema.ts';
import { bareCopy, type ConfigTree, pick, put, typed } from './tree.ts';
import { validate } from './validate.ts';

/** The whole configuration, every default filled in; `config.schema.json` says what each key means. */
export type Config = {
  readonly site: string;
  readonly source: string;
  readonly model: string;
  readonly provider: string;
  readonly threads: number;
  readonly language: string;
  readonly languages: readonly string[];
  readonly task: 'transcribe' | 'translate';
  readonly keyTerms: readonly string[];
  readonly beamSize?: number;
  readonly hearAgain: boolean;
  /** Absolute. */
  readonly stateDir: string;
  readonly capture: { readonly stallMs: number };
  readonly vad: {
    readonly threshold: number;
    readonly endThreshold: number;
    readonly preRollMs: number;
    readonly minSpeechMs: number;
    readonly hangoverMs: number;
    readonly maxSegmentS: number;
  };
  readonly queue: { readonly capacityS: number };
  readonly recognizer: {
    readonly deadlineMs: number;
    readonly loadDeadlineMs: number;
    readonly attempts: number;
    /** 0: never. */
    readonly unloadAfterS: number;
    readonly eager: boolean;
  };
  readonly partials: { readonly enabled: boolean; readonly intervalMs: number };
  readonly mqtt: {
    /** Without user name and password: those are taken out of it. */
    readonly url: string;
    readonly username?: string;
    /** Filled from `passwordFile` when that is set. */
    readonly password?: string;
    readonly passwordFile?: string;
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
    readonly serverName?: string;
    readonly clientId: string;
    readonly baseTopic: string;
    readonly healthIntervalS: number;
    readonly keepaliveS: number;
    readonly willDelayS: number;
    readonly embeddedPort: number;
  };
  readonly homeAssistant: {
    readonly enabled: boolean;
    readonly prefix: string;
    readonly statusTopic: string;
    readonly area?: string;
  };
  readonly hermes: { readonly enabled: boolean; readonly siteId: string };
  readonly homie: { readonly enabled: boolean; readonly prefix: string; readonly id: string };
  readonly outbox: {
    readonly durable: boolean;
    readonly maxEntries: number;
    readonly maxMib: number;
    readonly maxAgeH: number;
  };
  readonly record: {
    readonly enabled: boolean;
    readonly maxMib: number;
    readonly maxAgeDays: number;
  };
  readonly webhook: {
    /** Without it there is none. Hidden, as the path of a webhook is often its password. */
    readonly url?: string;
    readonly preset: 'json' | 'rasa';
    /** Each `Name: value`. */
    readonly headers: readonly string[];
    /** Filled from `tokenFile` when that is set. */
    readonly token?: string;
    readonly tokenFile?: string;
    readonly timeoutMs: number;
    readonly maxAgeS?: number;
    readonly durable: boolean;
  };
  readonly http: {
    /** `off`, or `HOST:PORT`; see `parseListenAddress`. */
    readonly listen: string;
    /** Filled from `tokenFile` when that is set. */
    readonly token?: string;
    readonly tokenFile?: string;
  };
  readonly wyoming: {
    /** `off`, or `HOST:PORT`; see `parseListenAddress`. */
    readonly listen: string;
    readonly allowLan: boolean;
  };
  readonly log: {
    readonly level: 'error' | 'warn' | 'info' | 'debug';
    readonly format: 'auto' | 'text' | 'journal' | 'json';
  };
};

/** Some of the configuration, as options on the command line give it; `undefined` leaves a key alone. */
export type ConfigOverrides = {
  readonly [Key in keyof Config]?:
    | (Config[Key] extends readonly unknown[]
        ? Config[Key]
        : Config[Key] extends object
          ? { readonly [Inner in keyof Config[Key]]?: Config[Key][Inner] | undefined }
          : Config[Key])
    | undefined;
};

export type Environment = Readonly<Record<string, string | undefined>>;

export type ConfigInput = {
  /** The file given with `--config`. Without it: `HARKD_CONFIG`, else the first of `defaultPaths` that exists. */
  readonly path?: string | undefined;
  readonly environment: Environment;
  readonly overrides?: ConfigOverrides;
  /** What defaults are derived from; this machine's own unless a test says otherwise. */
  readonly machine?: Machine;
};

export type LoadedConfig = {
  readonly config: Config;
  /** The file it was read from; undefined when there is none. */
  readonly path: string | undefined;
};

/** Where a configuration is looked for when none is named, in this order. */
export function defaultPaths(environment: Environment): string[] {
  const { XDG_CONFIG_HOME: xdg, HOME: home } = environment;
  const paths = ['/etc/harkd/config.yaml'];
  if (home) paths.unshift(path.join(home, '.config/harkd/config.yaml'));
  // the XDG specification: a relative path is to be ignored
  if (xdg && path.isAbsolute(xdg)) paths.unshift(path.join(xdg, 'harkd/config.yaml'));
  return [...new Set(paths)];
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const why = code === 'EACCES' ? 'permission denied' : (cause as Error).message;
    throw new Fault('CONFIG_UNREADABLE', `${file}: ${why}`, 'check the owner and the mode of the file', {
      cause,
    });
  }
}

function findFile(input: ConfigInput): { path: string; text: string } | undefined {
  const named = input.path ?? (input.environment['HARKD_CONFIG'] || undefined);
  for (const file of named === undefined ? defaultPaths(input.environment) : [named]) {
    const text = readIfThere(file);
    if (text !== undefined) return { path: file, text };
  }
  if (named === undefined) return undefined;
  const hint = 'check the path, or leave --config out to run with the defaults';
  throw new Fault('CONFIG_UNREADABLE', `${named}: no such file`, hint);
}

function syntaxProblems(file: string, errors: ParsedFile['errors']): Problem[] {
  return errors.map(({ line, column, message }) => ({
    where: `${file}:${line}:${column}`,
    key: 'the file',
    got: 'not YAML as expected',
    expected: message,
    hint: '',
  }));
}

/**
 * Reads the configuration: defaults, below the YAML file, below `HARKD_*` variables, below `overrides`.
 * Throws one `Fault`: CONFIG_UNREADABLE when the file cannot be read, CONFIG_INVALID with *all* problems otherwise.
 */
export function loadConfigFrom(input: ConfigInput): LoadedConfig {
  const file = findFile(input);
  const parsed = parseConfigFile(file?.text ?? '');
  const problems: Problem[] = [
    ...syntaxProblems(file?.path ?? '', parsed.errors),
    ...unknownVariables(input.environment),
  ];
  const tree = bareCopy(parsed.tree);
  const whereByKey = new Map<string, string>();
  for (const { path: at, key, variable, node } of leaves) {
    const text = input.environment[variable];
    if (text !== undefined && text !== '') {
      put(tree, at, typed(text, node.type));
      whereByKey.set(key, variable);
    }
    const override = pick(input.overrides ?? {}, at);
    if (override !== undefined) {
      put(tree, at, override);
      whereByKey.set(key, 'command line');
    }
  }
  const whereIs = (at: readonly string[]): string => {
    const line = parsed.lineOf(at);
    return (
      whereByKey.get(at.join('.')) ??
      (line === undefined ? (file?.path ?? 'default') : `${file?.path}:${line}`)
    );
  };
  if (!validate(tree)) problems.push(...(validate.errors ?? []).map((error) => problemOf(error, whereIs)));
  const broken = new Set(problems.map(({ key }) => key));
  if (!broken.has('mqtt')) problems.push(...takeCredentials(tree, whereIs));
  problems.push(...checkTogether((key) => pick(tree, key.split('.')), broken, whereIs));
  if (problems.length === 0) {
    problems.push(...readSecretFiles(tree, whereIs), ...checkCertificates(tree, whereIs));
  }
  // two rules broken by one value (its type and its pattern) are one problem
  const unique = new Map(
    problems.map((problem) => [`${problem.where} ${problem.key} ${problem.expected}`, problem]),
  );
  if (unique.size > 0) throw faultOf([...unique.values()]);
  const machine = input.machine ?? { hostname: os.hostname(), cores: os.availableParallelism() };
  return { config: complete(tree, machine, input.environment), path: file?.path };
}

/** The configuration alone; see `loadConfigFrom`. */
export function loadConfig(input: ConfigInput): Config {
  return loadConfigFrom(input).config;
}

/** The configuration as it may be shown: every secret that is set reads `(hidden)`. */
export function hideSecrets(config: Config): Config {
  const shown = structuredClone(config) as unknown as ConfigTree;
  for (const { path: at, node } of leaves) {
    const value = pick(shown, at);
    const isSet = value !== undefined && !(Array.isArray(value) && value.length === 0);
    if (node.writeOnly && isSet) put(shown, at, '(hidden)');
  }
  return shown as unknown as Config;
}
