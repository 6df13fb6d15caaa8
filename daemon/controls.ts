/**
 * What can be changed while the daemon runs, and the one owner of what is in effect: the configuration as it was
 * written, with the choices made since. Changes happen one after the other; one that fails has changed nothing.
 */
import { type Choices, type ChoicesFile, chosen, stillChosen, withChoices } from './choices.ts';
import type { Config } from './config/config.ts';
import { differences, type Effect, effectOf, liveKeys, merged, optionKeys, patched } from './config/live.ts';
import { leaves } from './config/schema.ts';
import { pick } from './config/tree.ts';
import type { Offered, Settings } from './events.ts';
import { Fault, toFault } from './faults.ts';
import type { SupervisedRecognizer } from './recognizer/client.ts';
import type { RecognizerSetup } from './recognizer/messages.ts';
import { recognitionSettings } from './recognizer/settings.ts';

/** Where a run begins: with what is configured, and what was chosen before and still counts. */
export type Beginning = {
  readonly config: Config;
  readonly choices: Choices;
  /** What the recognizer is to try first, if that is another than what is configured. */
  readonly trial: RecognizerSetup | undefined;
};

export type ControlsOptions = Pick<Beginning, 'config' | 'choices'> & {
  /** As the operator wrote it. */
  readonly configured: Config;
  /** Reads it again. Throws `Fault` CONFIG_UNREADABLE, CONFIG_INVALID. */
  readonly readConfig: () => Config;
  readonly choicesFile: ChoicesFile;
  readonly recognizer: Pick<SupervisedRecognizer, 'adjust' | 'load' | 'loaded' | 'model' | 'trialFailed'>;
  /** What the recognizer process is told. Throws `Fault` MODEL_MISSING. */
  readonly setupOf: (config: Config) => RecognizerSetup;
  /** The models that can be chosen by name. */
  readonly models: () => readonly string[];
  /** The capture PCMs that can be chosen. */
  readonly microphones: () => Promise<readonly string[]>;
  /** Told after every change of what is set, or of what could be. */
  readonly onChange: (settings: Settings) => void;
  /** Both are for the log. */
  readonly tell: (message: string) => void;
  readonly warn: (message: string, hint: string) => void;
};

export type Reloaded = { readonly changed: readonly string[]; readonly restartRequired: readonly string[] };

export type Controls = {
  /** In effect. Another object after every change. */
  readonly config: () => Config;
  readonly settings: () => Settings;
  readonly offered: () => Offered;
  /** Looks again for microphones and models. */
  readonly lookAround: () => Promise<void>;
  /** Aborts when another microphone is to be listened to. */
  readonly microphoneChanged: () => AbortSignal;
  /** Sets one by its name. Rejects with `Fault` MODEL_UNSUPPORTED, MODEL_*, MICROPHONE_NOT_FOUND, CONFIG_INVALID. */
  readonly set: (name: keyof Settings, value: string) => Promise<void>;
  /** Changes options such as `{ vad: { threshold: 0.6 } }`. Rejects with `Fault` CONFIG_INVALID, MODEL_UNSUPPORTED. */
  readonly change: (patch: object) => Promise<void>;
  /** Reads the configuration again. Rejects with `Fault`: of the configuration, or of a model it names. */
  readonly reload: () => Promise<Reloaded>;
};

const keyOf = { language: 'language', model: 'model', microphone: 'source' } as const satisfies Record<
  keyof Settings,
  keyof Config
>;

/** The PCM a source stands for, or the source itself where it is none. */
export function microphoneOf({ source }: Config): string {
  return source === 'alsa' ? 'default' : source.replace(/^alsa:/, '');
}

const isMicrophone = ({ source }: Config): boolean => source.startsWith('alsa');

/** What a recognizer process is told when it loads. */
const loadedKeys = liveKeys.filter((key) => ['model', 'utterance'].includes(effectOf(key) ?? ''));

/** Takes up what was chosen in an earlier run. What cannot be is left aside, and said. */
export function takeUpChoices(
  configured: Config,
  { choicesFile, setupOf, warn }: Pick<ControlsOptions, 'choicesFile' | 'setupOf' | 'warn'>,
): Beginning {
  try {
    const choices = stillChosen(configured, choicesFile.read());
    const config = withChoices(configured, choices);
    const loads = differences(configured, config).some((key) => loadedKeys.includes(key));
    return { config, choices, trial: loads ? setupOf(config) : undefined };
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    warn(`what was chosen before is left aside: ${thrown.code}: ${thrown.message}`, thrown.hint);
    return { config: configured, choices: {}, trial: undefined };
  }
}

/** The controls of a daemon that has begun. */
export function createControls(options: ControlsOptions): Controls {
  const { choicesFile, recognizer, setupOf, warn } = options;
  const startedWith = options.configured;
  let { configured, config, choices } = options;
  let models: readonly string[] = [];
  let microphones: readonly string[] = [];
  let changedMicrophone = new AbortController();

  const settings = (): Settings => ({
    language: config.language,
    model: config.model,
    microphone: microphoneOf(config),
  });

  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(change: () => T | Promise<T>): Promise<T> {
    const done = last.then(change);
    last = done.catch(() => undefined);
    return done;
  }

  /** Puts `next` into effect and answers what has changed. What may fail comes first. */
  async function apply(next: Config): Promise<readonly string[]> {
    const changed = differences(config, next);
    if (changed.length === 0) return changed;
    const has = (effect: Effect): boolean => changed.some((key) => effectOf(key) === effect);
    if (has('model')) {
      await recognizer.load(setupOf(next));
    } else if (has('utterance')) {
      requireKnown(next, await recognizer.loaded.then(() => recognizer.model()));
      recognizer.adjust(recognitionSettings(next));
    }
    config = next;
    if (has('microphone')) {
      const before = changedMicrophone;
      changedMicrophone = new AbortController();
      before.abort();
    }
    options.tell(`changed: ${described(config, changed)}`);
    options.onChange(settings());
    return changed;
  }

  async function choose(next: Config): Promise<void> {
    const changed = await apply(next);
    if (changed.length === 0) return;
    choices = chosen(choices, configured, config, changed);
    await choicesFile.write(choices);
  }

  function offered(): Offered {
    const present = settings();
    const withPresent = (...names: readonly string[]): readonly string[] => [...new Set(names)];
    return {
      language: withPresent('auto', present.language, ...(recognizer.model()?.languages ?? [])),
      model: withPresent(present.model, configured.model, ...models),
      microphone: isMicrophone(config)
        ? withPresent(present.microphone, microphoneOf(configured), ...microphones)
        : [present.microphone],
    };
  }

  async function lookAround(): Promise<void> {
    const before = JSON.stringify(offered());
    try {
      models = options.models();
      if (isMicrophone(config)) microphones = await options.microphones();
    } catch (thrown) {
      const { message, hint } = toFault(thrown);
      warn(`models and microphones cannot be listed: ${message}`, hint);
    }
    if (JSON.stringify(offered()) !== before) options.onChange(settings());
  }

  async function requireOffered(name: keyof Settings, value: string): Promise<void> {
    if (name === 'language' || value === settings()[name]) return;
    if (name === 'microphone' && !isMicrophone(config)) {
      throw new Fault(
        'MICROPHONE_NOT_FOUND',
        `this daemon listens to ${config.source}, not to a microphone`,
        'set source: alsa in its configuration',
      );
    }
    await lookAround();
    const known = offered()[name];
    if (known.includes(value)) return;
    throw name === 'model'
      ? new Fault('MODEL_MISSING', 'no model of that name is installed', `installed: ${known.join(', ')}`)
      : new Fault('MICROPHONE_NOT_FOUND', 'ALSA knows no such capture device', `known: ${known.join(' ')}`);
  }

  void recognizer.trialFailed.then((fault) =>
    inTurn(async () => {
      warn(`what was chosen before cannot be loaded: ${fault.code}: ${fault.message}`, fault.hint);
      config = merged(config, configured, loadedKeys);
      choices = chosen(choices, configured, config, loadedKeys);
      await choicesFile.write(choices);
      options.onChange(settings());
    }),
  );

  return {
    config: () => config,
    settings,
    offered,
    lookAround,
    microphoneChanged: () => changedMicrophone.signal,
    set: (name, value) =>
      inTurn(async () => {
        await requireOffered(name, value);
        const isConfigured = name === 'microphone' && value === microphoneOf(configured);
        const written = name !== 'microphone' ? value : isConfigured ? configured.source : `alsa:${value}`;
        await choose(patched(config, { [keyOf[name]]: written }, liveKeys, `${name}/set`));
      }),
    change: (patch) => inTurn(() => choose(patched(config, patch, optionKeys, 'options'))),
    reload: () =>
      inTurn(async () => {
        const read = options.readConfig();
        const kept = stillChosen(read, choices);
        // from a microphone to a file, or back, the source is one of another kind
        const fixed = isMicrophone(read) && isMicrophone(startedWith) ? [] : ['source'];
        const live = liveKeys.filter((key) => !fixed.includes(key));
        const changed = await apply(merged(config, withChoices(read, kept), live));
        configured = read;
        if (Object.keys(kept).length !== Object.keys(choices).length) await choicesFile.write(kept);
        choices = kept;
        await lookAround();
        return { changed, restartRequired: differences(merged(startedWith, read, live), read) };
      }),
  };
}

/** `language de, vad.threshold 0.6, keyTerms`: lists are long, and may be private. */
function described(config: Config, keys: readonly string[]): string {
  const words = leaves.flatMap(({ key, path }) => {
    const value = pick(config, path);
    return keys.includes(key) ? [typeof value === 'object' ? key : `${key} ${value}`] : [];
  });
  return words.join(', ');
}

function requireKnown(
  { language, languages, task }: Config,
  model: { readonly languages: readonly string[]; readonly tasks: readonly string[] } | undefined,
): void {
  if (model === undefined) return;
  const named = [...languages, ...(language === 'auto' ? [] : [language])];
  const unknown = named.find((code) => !model.languages.includes(code));
  if (unknown !== undefined) {
    throw new Fault(
      'MODEL_UNSUPPORTED',
      `the model does not know the language ${unknown}`,
      `choose auto, ${model.languages.join(', ')}, or another model`,
    );
  }
  if (!model.tasks.includes(task)) {
    throw new Fault(
      'MODEL_UNSUPPORTED',
      `the model does not know the task ${task}`,
      `choose ${model.tasks.join(', ')}, or another model`,
    );
  }
}
