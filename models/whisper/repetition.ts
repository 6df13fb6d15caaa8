/**
 * Two signs that a decoder talks to itself: text that compresses too well, and tokens that go in a circle.
 */
import { deflateSync } from 'node:zlib';

/**
 * UTF-8 bytes of `text` over bytes of its zlib stream, 0 for no text. Plain speech is about 1 to 2; Whisper takes
 * more than 2.4 for a loop. Source: openai/whisper `compression_ratio` (zlib, level 6).
 */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length / deflateSync(bytes).length;
}

/** The longest phrase looked for: a sentence of about ten words. */
const maxPhraseTokens = 24;
/** "no no no" is speech; four times the same phrase and at least a dozen tokens of it are not. */
const minRepeats = 4;
const minLoopTokens = 12;

/**
 * Whether `tokens` ends in a loop: one phrase of 1 to 24 tokens, at least four times in a row, at least twelve
 * tokens in all. Catches in a dozen tokens what the compression ratio sees only when the whole budget is spent.
 * Cheap enough for every step: almost every phrase length fails at its first comparison.
 */
export function endsInLoop(tokens: readonly number[]): boolean {
  for (let phrase = 1; phrase <= maxPhraseTokens && phrase * minRepeats <= tokens.length; phrase++) {
    const span = phrase * Math.max(minRepeats, Math.ceil(minLoopTokens / phrase));
    if (span > tokens.length) continue;
    let same = 0;
    for (let i = tokens.length - 1; same < span - phrase && tokens[i] === tokens[i - phrase]; i--) same++;
    if (same === span - phrase) return true;
  }
  return false;
}
