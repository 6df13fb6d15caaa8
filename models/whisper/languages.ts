/**
 * Which languages and tasks a model knows, and which tokens say so in its prompt.
 */
import { Fault } from '../../daemon/faults.ts';
import type { WhisperShape } from './graphs.ts';
import type { SpecialTokens } from './token-table.ts';

export type Task = 'transcribe' | 'translate';

/** What is read of a Hugging Face generation_config.json; older files lack some of it. */
export type GenerationConfig = {
  readonly is_multilingual?: boolean;
  readonly lang_to_id?: Readonly<Record<string, number>>;
  readonly task_to_id?: Readonly<Record<string, number>>;
  readonly max_initial_timestamp_index?: number;
  /** Layer and head of the decoder whose attention follows the sound. */
  readonly alignment_heads?: readonly (readonly [number, number])[];
};

export type Languages = {
  /** Codes the model can be asked for; `['en']` for an English-only model. */
  readonly codes: readonly string[];
  readonly tasks: readonly Task[];
  /** Undefined: the model has no language tokens, and none belongs in its prompt. */
  readonly tokenOf: ReadonlyMap<string, number> | undefined;
  /** Undefined: as above. */
  readonly taskTokenOf: ReadonlyMap<Task, number> | undefined;
};

/** Whisper's English-only vocabulary is one id short of the multilingual one. Source: whisper/model.py. */
const multilingualVocabulary = 51_865;

/**
 * Joins what the configuration says with what the tokenizer knows.
 * Throws Fault MODEL_INVALID if they name different ids.
 */
export function readLanguages(
  generation: GenerationConfig,
  special: SpecialTokens,
  shape: WhisperShape,
): Languages {
  const multilingual =
    generation.is_multilingual ??
    (generation.lang_to_id !== undefined || shape.vocabularySize >= multilingualVocabulary);
  if (!multilingual) {
    return { codes: ['en'], tasks: ['transcribe'], tokenOf: undefined, taskTokenOf: undefined };
  }
  const tokenOf = new Map(
    generation.lang_to_id === undefined
      ? special.languages
      : Object.entries(generation.lang_to_id).map(([token, id]) => [token.replace(/^<\||\|>$/g, ''), id]),
  );
  for (const [code, id] of tokenOf) {
    if (special.languages.get(code) !== id) {
      throw new Fault(
        'MODEL_INVALID',
        `generation_config.json has language ${code} at ${id}, tokenizer.json at ${special.languages.get(code)}`,
        'the files of this model do not belong together: delete it and add it again',
      );
    }
  }
  const taskTokenOf = new Map<Task, number>();
  for (const task of ['transcribe', 'translate'] as const) {
    const token = special[task];
    const known = generation.task_to_id === undefined || task in generation.task_to_id;
    if (token !== undefined && known) taskTokenOf.set(task, token);
  }
  return { codes: [...tokenOf.keys()], tasks: [...taskTokenOf.keys()], tokenOf, taskTokenOf };
}

/** Throws Fault MODEL_UNSUPPORTED unless the model knows `wanted`; the hint names what it knows. */
export function requireKnown(what: 'language' | 'task', wanted: string, known: readonly string[]): void {
  if (known.includes(wanted)) return;
  throw new Fault(
    'MODEL_UNSUPPORTED',
    `${what} is ${JSON.stringify(wanted)}, the model knows ${known.join(', ')}`,
    `choose one of ${known.join(', ')}, or a model that knows ${wanted}`,
  );
}
