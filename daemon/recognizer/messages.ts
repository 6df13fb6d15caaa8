/**
 * What the daemon and the recognizer process say to each other (structured clone, so typed arrays travel as they are).
 */
import type { Recognition } from '../events.ts';

/** Everything the child needs to open a model; it knows nothing of configuration files. */
export type RecognizerSetup = {
  /** Folder with config.json, weights, tokenizer and card. */
  readonly modelDir: string;
  /** Where compiled graphs may lie already, and, last, where they may be written. */
  readonly cacheDirs: readonly string[];
  readonly provider: string;
  readonly threads: number;
  readonly language: string | undefined;
  /** Which ones to listen for where `language` is undefined; left out or empty, all the model knows. */
  readonly languages?: readonly string[];
  readonly task: 'transcribe' | 'translate';
  readonly keyTerms?: readonly string[];
  /** Also say when each word was said; takes graphs of their own, compiled where there are none yet. */
  readonly words?: boolean;
  /** Left out, what the model's card says. */
  readonly beamSize?: number;
  /** False: never at another speed, whatever the model's card says. */
  readonly hearAgain?: boolean;
};

/** What may be another for every utterance, while the model stays as it is loaded. */
export type UtteranceSettings = Pick<RecognizerSetup, 'language' | 'languages' | 'task' | 'keyTerms'>;

export type ToChild =
  | { readonly type: 'load'; readonly setup: RecognizerSetup }
  | { readonly type: 'adjust'; readonly settings: UtteranceSettings }
  | {
      readonly type: 'transcribe';
      readonly job: number;
      readonly samples: Float32Array;
      /** As in `Utterance`. */
      readonly language?: string | undefined;
    };

/** A fault, taken apart so that it survives the journey. */
export type WireFault = { readonly code: string; readonly message: string; readonly hint: string };

export type LoadedModel = {
  readonly name: string;
  readonly sha256: string;
  /** Codes it can be asked for. */
  readonly languages: readonly string[];
  readonly provider: { readonly requested: string; readonly active: string; readonly reason: string };
  readonly tasks: readonly string[];
  readonly loadMs: number;
};

export type FromChild =
  | { readonly type: 'loaded'; readonly model: LoadedModel }
  | { readonly type: 'load-failed'; readonly fault: WireFault }
  | { readonly type: 'recognized'; readonly job: number; readonly recognition: Recognition }
  | { readonly type: 'failed'; readonly job: number; readonly fault: WireFault };
