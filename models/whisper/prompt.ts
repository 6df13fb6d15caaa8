/**
 * What the decoder is told before it listens: `<|startofprev|>` text before, `<|startoftranscript|>`, language, task,
 * and whether to write timestamps. Source: openai/whisper tokenizer.py `sot_sequence`, decoding.py `_get_initial_tokens`.
 */
import type { SpecialTokens } from './token-table.ts';

export type Prompt = {
  readonly tokens: readonly number[];
  /** Where `<|startoftranscript|>` is: the no-speech probability is read there. */
  readonly startRow: number;
};

export type PromptParts = {
  /** Undefined for a model of one language that has no word for it. */
  readonly languageToken: number | undefined;
  readonly taskToken: number | undefined;
  readonly timestamps: boolean;
  /** Ids of the text before; the end of it is kept, if the model takes any. */
  readonly previous: readonly number[];
};

/** Builds the prompt; the text before fills at most half of `maxTextTokens`, as in the source. */
export function buildPrompt(special: SpecialTokens, parts: PromptParts, maxTextTokens: number): Prompt {
  const start = [special.startOfTranscript, parts.languageToken, parts.taskToken];
  if (!parts.timestamps) start.push(special.noTimestamps);
  const tokens = start.filter((token) => token !== undefined);
  if (special.startOfPrevious === undefined || parts.previous.length === 0) return { tokens, startRow: 0 };
  const kept = parts.previous.slice(-(Math.floor(maxTextTokens / 2) - 1));
  return { tokens: [special.startOfPrevious, ...kept, ...tokens], startRow: kept.length + 1 };
}
