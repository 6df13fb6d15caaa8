/** What a configuration says of recognising, as the recognizer process is told. */
import type { Config } from '../config/config.ts';
import type { RecognizerSetup } from './messages.ts';

export type RecognitionSettings = Omit<RecognizerSetup, 'modelDir' | 'cacheDirs' | 'threads' | 'words'>;

export function recognitionSettings(config: Config): RecognitionSettings {
  const { provider, language, languages, task, keyTerms, beamSize, hearAgain } = config;
  return {
    provider,
    language: language === 'auto' ? undefined : language,
    languages,
    task,
    keyTerms,
    ...(beamSize === undefined ? {} : { beamSize }),
    ...(hearAgain ? {} : { hearAgain }),
  };
}
