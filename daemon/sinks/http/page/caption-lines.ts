/** Which texts stand on the captions page, and for how long. Free of the DOM and of clocks, so that it can be tested. */
import type { StreamMessages } from '../messages.ts';

/** One utterance. `stable` will not change any more, `tail` may. */
export type Caption = {
  readonly id: string;
  readonly state: 'partial' | 'final';
  readonly stable: string;
  readonly tail: string;
  readonly language: string;
  readonly rev: number;
  /** When it was last touched; a final goes a while after. */
  readonly atMs: number;
};

/** An interim text nobody revises any more has lost its final: the daemon was restarted in the middle. */
const abandonedAfterMs = 10_000;

/** Part of a word that spaces end. Scripts without spaces between words may be parted anywhere. */
const inWord = /^[\p{L}\p{M}\p{N}'’-]$/u;
const unspaced = /^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]$/u;

/**
 * Where the stable part ends on the page: not inside a word, which would show in two colours, and in Arabic in two
 * shapes; and never inside a surrogate pair, half of which is no character.
 */
function cutAt(text: string, stableChars: number): number {
  let end = Math.max(0, Math.min(text.length, Math.trunc(stableChars) || 0));
  const high = text.charCodeAt(end - 1);
  if (end < text.length && high >= 0xd800 && high <= 0xdbff) end -= 1;
  const isWord = (at: number): boolean => {
    const letter = text.charAt(at);
    return inWord.test(letter) && !unspaced.test(letter);
  };
  if (end === text.length || !isWord(end)) return end;
  while (end > 0 && isWord(end - 1)) end -= 1;
  return end;
}

function replaceOrAdd(captions: readonly Caption[], caption: Caption): readonly Caption[] {
  const at = captions.findIndex(({ id }) => id === caption.id);
  if (at !== -1) return captions.with(at, caption);
  if (caption.state === 'partial') return [...captions, caption];
  // a final of which nothing was shown was said before whatever is still being said
  const firstPartial = captions.findIndex(({ state }) => state === 'partial');
  return firstPartial === -1 ? [...captions, caption] : captions.toSpliced(firstPartial, 0, caption);
}

export function withPartial(
  captions: readonly Caption[],
  { id, rev, text, stableChars, language }: StreamMessages['partial'],
  nowMs: number,
): readonly Caption[] {
  const before = captions.find((caption) => caption.id === id);
  // late: a newer one, or the final, is already there
  if (before !== undefined && (before.state === 'final' || before.rev >= rev)) return captions;
  if (text.trim() === '') return captions.filter((caption) => caption.id !== id);
  const cut = cutAt(text, stableChars);
  return replaceOrAdd(captions, {
    id,
    state: 'partial',
    stable: text.slice(0, cut),
    tail: text.slice(cut),
    language,
    rev,
    atMs: nowMs,
  });
}

export function withFinal(
  captions: readonly Caption[],
  { id, text, language, ageMs }: Pick<StreamMessages['final'], 'id' | 'text' | 'language' | 'ageMs'>,
  nowMs: number,
): readonly Caption[] {
  const before = captions.find((caption) => caption.id === id);
  if (before?.state === 'final') return captions;
  if (text.trim() === '') return captions.filter((caption) => caption.id !== id);
  return replaceOrAdd(captions, {
    id,
    state: 'final',
    stable: text,
    tail: '',
    language,
    rev: before?.rev ?? 0,
    atMs: nowMs - ageMs,
  });
}

/** What still has its place: finals for `holdMs`, interim texts while they live, and no more than `most` of them. */
export function stillShown(
  captions: readonly Caption[],
  { nowMs, holdMs, most }: { readonly nowMs: number; readonly holdMs: number; readonly most: number },
): readonly Caption[] {
  const left = captions.filter(
    ({ state, atMs }) => nowMs - atMs < (state === 'final' ? holdMs : abandonedAfterMs),
  );
  return left.length === captions.length && left.length <= most ? captions : left.slice(-most);
}
