/** From a setup to a function that hears: the provider, the compiled graphs, the Whisper. */
import { openPrepared } from '../../models/compiler/prepared.ts';
import { readCard } from '../../models/manifest.ts';
import { requireKnown } from '../../models/whisper/languages.ts';
import { openModel } from '../../models/whisper/open.ts';
import type { TranscribeOptions } from '../../models/whisper/whisper.ts';
import { cpuProfile } from '../../providers/cpu.ts';
import { resolveProvider } from '../../providers/registry.ts';
import type { Recognition } from '../events.ts';
import type { LoadedModel, RecognizerSetup, UtteranceSettings } from './messages.ts';

export type OpenedRecognition = {
  readonly model: LoadedModel;
  /**
   * Mono [-1, 1] at 16 kHz; `language` as in `Utterance`. Throws `Fault`, or RangeError for more sound than the model
   * takes.
   */
  readonly recognize: (samples: Float32Array, language?: string) => Promise<Recognition>;
  /** From the next sound on. What the model does not know is a fault of that sound. */
  readonly adjust: (settings: UtteranceSettings) => void;
};

/**
 * Opens what the setup names; compiles the model if nobody has yet.
 * Throws `Fault`: PROVIDER_*, MODEL_*.
 */
export async function openRecognition(setup: RecognizerSetup): Promise<OpenedRecognition> {
  const startedAtMs = performance.now();
  const { provider, requested, active, reason } = await resolveProvider(setup.provider);
  const compiled = openPrepared(setup.modelDir, setup.cacheDirs, {
    profile: cpuProfile(),
    ...(setup.words === true ? { alignment: true } : {}),
  });
  const card = readCard(setup.modelDir);
  const whisper = await openModel({
    compiled,
    provider,
    threads: setup.threads,
    defaults: {
      ...card?.decoding,
      ...(setup.beamSize === undefined ? {} : { beamSize: setup.beamSize }),
      ...(setup.hearAgain === false ? { hearDenoised: false, otherSpeeds: [] } : {}),
    },
  });
  const named = setup.language === undefined ? [] : [setup.language];
  for (const code of [...named, ...(setup.languages ?? [])]) {
    requireKnown('language', code, whisper.languages);
  }
  requireKnown('task', setup.task, whisper.tasks);
  const always = { timestamps: whisper.writesTimestamps, ...(setup.words === true ? { words: true } : {}) };
  let { language: languageSet } = setup;
  let options = optionsOf(setup);
  return {
    model: {
      name: card?.name ?? setup.modelDir,
      sha256: compiled.sources['model.safetensors']?.sha256 ?? compiled.key,
      provider: { requested, active, reason },
      languages: whisper.languages,
      tasks: whisper.tasks,
      loadMs: performance.now() - startedAtMs,
    },
    recognize: (samples, language = languageSet ?? 'auto') =>
      whisper.transcribe(samples, { ...options, ...always, ...(language === 'auto' ? {} : { language }) }),
    adjust(next) {
      languageSet = next.language;
      options = optionsOf(next);
    },
  };
}

function optionsOf({ languages, task, keyTerms }: UtteranceSettings): TranscribeOptions {
  return {
    task,
    ...(languages?.length ? { candidates: languages } : {}),
    ...(keyTerms?.length ? { keyTerms } : {}),
  };
}
