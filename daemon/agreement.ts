/**
 * LocalAgreement-2: of two consecutive recognitions of growing speech, the longest prefix in which they agree is taken
 * to be stable. Source: Macháček, Dabre, Bojar, "Turning Whisper into Real-Time Transcription System", 2023, §2.
 */

/** What is known of speech that goes on. Both are parts of texts, in order: words, spaces, marks. */
export type Agreement = {
  /** The first of `parts`: said to be stable, and never to be changed. */
  readonly stable: readonly string[];
  readonly parts: readonly string[];
};

// words also where no space stands between them (Chinese, Japanese, Thai)
const words = new Intl.Segmenter('und', { granularity: 'word' });

/**
 * Takes up the next recognition. A word counts as a whole or not at all. Where a recognition disagrees with what is
 * stable already, what is stable stays, and as many parts of the recognition give way to it.
 */
export function agree(before: Agreement | undefined, text: string): Agreement {
  const heard = Array.from(words.segment(text.trim()), ({ segment }) => segment);
  if (before === undefined) return { stable: [], parts: heard };
  const { stable } = before;
  const parts = [...stable, ...heard.slice(stable.length)];
  let agreed = stable.length;
  while (agreed < parts.length && parts[agreed] === before.parts[agreed]) agreed++;
  // a space is stable with the word that follows it
  while (agreed > stable.length && parts[agreed - 1]?.trim() === '') agreed--;
  return { stable: parts.slice(0, agreed), parts };
}

/** The text as it is published. `stableChars` counts UTF-16 code units. */
export function textOf({ stable, parts }: Agreement): {
  readonly text: string;
  readonly stableChars: number;
} {
  return { text: parts.join(''), stableChars: stable.join('').length };
}
