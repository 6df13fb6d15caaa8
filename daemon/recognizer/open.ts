/** From a setup to a function that hears: the provider, the compiled graphs, the Whisper. */
import { openPrepared } from '../../models/compiler/prepared.ts';
import { readCard } from '../../models/manifest.ts';
import { requireKnown } from '../../models/whisper/languages.ts';
import { openModel } from '../../models/whisper/open.ts';
import { cpuProfile } from '../../providers/cpu.ts';
import { resolveProvider } from '../../providers/registry.ts';
import type { Recognition } from '../events.ts';
import type { LoadedModel, RecognizerSetup } from './messages.ts';

export type OpenedRecognition = {
  readonly model: LoadedModel;
  /**
   * Mono [-1, 1] at 16 kHz; `language` as in `Utterance`. Throws `Fault`, or RangeError for more sound than the model
   * takes.
   */
  readonly recognize: (samples: Float32Array, language?: string) => Promise<Recognition>;
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
    defaults: { ...card?.decoding, ...(setup.beamSize === undefined ? {} : { beamSize: setup.beamSize }) },
  });
  for (const code of setup.languages ?? []) requireKnown('language', code, whisper.languages);
  const options = {
    task: setup.task,
    timestamps: whisper.writesTimestamps,
    ...(setup.languages?.length ? { candidates: setup.languages } : {}),
    ...(setup.words === true ? { words: true } : {}),
    ...(setup.keyTerms?.length ? { keyTerms: setup.keyTerms } : {}),
  };
  return {
    model: {
      name: card?.name ?? setup.modelDir,
      sha256: compiled.sources['model.safetensors']?.sha256 ?? compiled.key,
      languages: whisper.languages,
      provider: { requested, active, reason },
      loadMs: performance.now() - startedAtMs,
    },
    recognize: (samples, language = setup.language ?? 'auto') =>
      whisper.transcribe(samples, language === 'auto' ? options : { ...options, language }),
  };
}
