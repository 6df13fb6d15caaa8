/** What can be changed while the daemon runs, over a recognizer that does what the test says. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Choices } from '../../daemon/choices.ts';
import { type Config, loadConfig } from '../../daemon/config/config.ts';
import { createControls, takeUpChoices } from '../../daemon/controls.ts';
import { type Deferred, deferred } from '../../daemon/deferred.ts';
import { Fault } from '../../daemon/faults.ts';
import type { LoadedModel, RecognizerSetup, UtteranceSettings } from '../../daemon/recognizer/messages.ts';
import { recognitionSettings } from '../../daemon/recognizer/settings.ts';
import { faultOf } from '../faults.ts';

const test = suite('daemon/controls');
const machine = { hostname: 'pi', cores: 4 };
const configOf = (environment: Record<string, string> = {}) => loadConfig({ environment, machine });

const loaded: LoadedModel = {
  name: 'nano',
  sha256: '',
  provider: { requested: 'auto', active: 'cpu', reason: '' },
  languages: ['en', 'de'],
  tasks: ['transcribe'],
  loadMs: 1,
};

function rig(environment: Record<string, string> = {}, before: Choices = {}) {
  const told: string[] = [];
  const logged: string[] = [];
  const adjusted: UtteranceSettings[] = [];
  const loads: { readonly setup: RecognizerSetup; readonly answer: Deferred<LoadedModel> }[] = [];
  const trialFailed = deferred<Fault>();
  const kept = { choices: before };
  const files = { config: configOf(environment) };
  const around = { models: ['embedded', 'tiny'], microphones: ['usb'] };
  const shared = {
    choicesFile: {
      read: () => kept.choices,
      write: async (choices: Choices) => {
        kept.choices = choices;
      },
    },
    setupOf(config: Config) {
      if (config.model === 'gone') throw new Fault('MODEL_MISSING', 'gone', '');
      return {
        modelDir: config.model,
        cacheDirs: [],
        ...recognitionSettings(config),
        threads: config.threads,
      };
    },
    warn: (message: string) => told.push(message),
  };
  const beginning = takeUpChoices(files.config, shared);
  const controls = createControls({
    ...shared,
    ...beginning,
    configured: files.config,
    readConfig: () => files.config,
    recognizer: {
      loaded: Promise.resolve(loaded),
      model: () => loaded,
      trialFailed: trialFailed.promise,
      adjust: (settings) => void adjusted.push(settings),
      load(setup) {
        const answer = deferred<LoadedModel>();
        loads.push({ setup, answer });
        return answer.promise;
      },
    },
    models: () => around.models,
    microphones: async () => around.microphones,
    tell: (message) => logged.push(message),
    onChange: ({ language, model, microphone }) => told.push(`${language} ${model} ${microphone}`),
  });
  return { controls, told, logged, adjusted, loads, trialFailed, kept, files, around, beginning };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a language the model knows is told the recognizer and kept; another one changes nothing', async () => {
  const { controls, told, adjusted, kept } = rig();
  const before = controls.config();
  await controls.set('language', 'de');
  assert.equal(
    adjusted.map(({ language }) => language),
    ['de'],
  );
  assert.is.not(controls.config(), before, 'another object: who looks at it sees that it changed');
  assert.equal(kept.choices, { language: { value: 'de', over: 'auto' } });
  assert.is((await faultOf(() => controls.set('language', 'fr'))).code, 'MODEL_UNSUPPORTED');
  assert.is((await faultOf(() => controls.set('language', 'Klingon'))).code, 'CONFIG_INVALID');
  assert.is((await faultOf(() => controls.change({ task: 'translate' }))).code, 'MODEL_UNSUPPORTED');
  assert.is((await faultOf(() => controls.change({ languages: ['en', 'fr'] }))).code, 'CONFIG_INVALID');
  assert.is(controls.settings().language, 'de');
  assert.equal(told, ['de embedded default']);
  await controls.set('language', 'auto');
  assert.equal(kept.choices, {}, 'as configured is no choice');
});

test('a model counts once it is loaded; one that cannot be leaves all as it was; changes wait for each other', async () => {
  const { controls, loads, kept, told } = rig();
  const first = controls.set('model', 'tiny');
  const second = controls.set('language', 'de');
  await turn();
  assert.equal(
    [loads.length, controls.settings().model, controls.settings().language],
    [1, 'embedded', 'auto'],
  );
  loads[0]?.answer.reject(new Fault('MODEL_INVALID', 'bad', ''));
  assert.is((await faultOf(() => first)).code, 'MODEL_INVALID');
  await second;
  assert.equal(Object.keys(kept.choices), ['language']);
  const third = controls.set('model', 'tiny');
  await turn();
  assert.is(loads[1]?.setup.language, 'de', 'with all that is in effect');
  loads[1]?.answer.resolve(loaded);
  await third;
  assert.is(controls.settings().model, 'tiny');
  assert.is((await faultOf(() => controls.set('model', '../etc'))).code, 'MODEL_MISSING');
  assert.is(told.at(-1), 'de tiny default');
});

test('a microphone that is known ends the stretch of listening; others and configured text do not', async () => {
  const { controls, kept, around } = rig({ HARKD_SOURCE: 'alsa' });
  const changed = controls.microphoneChanged();
  for (const name of ['attic', "file:'/etc/passwd',raw"]) {
    assert.is((await faultOf(() => controls.set('microphone', name))).code, 'MICROPHONE_NOT_FOUND');
  }
  assert.not(changed.aborted);
  around.microphones = ['usb', 'attic'];
  await controls.set('microphone', 'attic');
  assert.ok(changed.aborted && !controls.microphoneChanged().aborted);
  assert.is(controls.config().source, 'alsa:attic');
  assert.equal(controls.offered().microphone, ['attic', 'default', 'usb']);
  await controls.set('microphone', 'default');
  assert.equal([controls.config().source, kept.choices], ['alsa', {}]);
  const file = rig({ HARKD_SOURCE: 'file:/a.wav' });
  assert.match((await faultOf(() => file.controls.set('microphone', 'usb'))).message, 'file:/a.wav');
  assert.equal(file.controls.offered().microphone, ['file:/a.wav']);
});

test('reload takes what was changed in the file, keeps other choices, and names what needs a restart', async () => {
  const { controls, files, kept, loads, logged } = rig();
  await controls.change({ vad: { threshold: 0.6, hangoverMs: 300 } });
  files.config = configOf({ HARKD_VAD_THRESHOLD: '0.7', HARKD_LOG_LEVEL: 'debug', HARKD_MODEL: 'tiny' });
  const reloading = controls.reload();
  await turn();
  loads[0]?.answer.resolve(loaded);
  const { changed, restartRequired } = await reloading;
  assert.equal(changed, ['model', 'vad.threshold']);
  assert.equal(logged, [
    'changed: vad.threshold 0.6, vad.hangoverMs 300',
    'changed: model tiny, vad.threshold 0.7',
  ]);
  assert.equal(restartRequired, ['log.level']);
  assert.equal([controls.config().log.level, controls.config().vad.hangoverMs], ['info', 300]);
  assert.equal(Object.keys(kept.choices), ['vad.hangoverMs']);
  files.config = configOf({ HARKD_SOURCE: 'stdin' });
  const back = controls.reload();
  await turn();
  loads[1]?.answer.reject(new Fault('MODEL_INVALID', 'bad', ''));
  assert.is((await faultOf(() => back)).code, 'MODEL_INVALID');
  assert.is(controls.config().vad.threshold, 0.7, 'all or nothing');
});

test('what was chosen before is tried; if it cannot be loaded, what is configured counts again', async () => {
  const before = { model: { value: 'tiny', over: 'embedded' }, 'vad.hangoverMs': { value: 300, over: 600 } };
  const { controls, beginning, trialFailed, kept, told } = rig({}, before);
  assert.is(beginning.trial?.modelDir, 'tiny');
  assert.is(controls.settings().model, 'tiny');
  trialFailed.resolve(new Fault('MODEL_INVALID', 'bad', ''));
  await turn();
  assert.equal([controls.settings().model, controls.config().vad.hangoverMs], ['embedded', 300]);
  assert.equal(Object.keys(kept.choices), ['vad.hangoverMs']);
  assert.match(told[0] ?? '', /cannot be loaded: MODEL_INVALID/);
  const gone = rig({}, { model: { value: 'gone', over: 'embedded' } });
  assert.equal([gone.beginning.trial, gone.controls.settings().model], [undefined, 'embedded']);
  assert.match(gone.told[0] ?? '', /left aside: MODEL_MISSING/);
  const other = rig({ HARKD_MODEL: 'base' }, before);
  assert.equal([other.beginning.trial, other.controls.settings().model], [undefined, 'base']);
});

test('what could be chosen is looked for again, and told only where it differs', async () => {
  const { controls, around, told } = rig();
  await controls.lookAround();
  await controls.lookAround();
  assert.is(told.length, 1);
  around.models = ['embedded'];
  await controls.lookAround();
  assert.equal(controls.offered().model, ['embedded']);
  assert.is(told.length, 2);
});

test.run();
