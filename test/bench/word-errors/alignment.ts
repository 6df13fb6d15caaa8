/** What a recognizer did to a sentence: the cheapest way from what was said to what was heard, word by word. */

export type WordErrors = {
  /** Words that were said. */
  readonly words: number;
  readonly substitutions: number;
  readonly insertions: number;
  readonly deletions: number;
};

export const noErrors: WordErrors = { words: 0, substitutions: 0, insertions: 0, deletions: 0 };

export const errorsOf = ({ substitutions, insertions, deletions }: WordErrors): number =>
  substitutions + insertions + deletions;

export function addErrors(a: WordErrors, b: WordErrors): WordErrors {
  return {
    words: a.words + b.words,
    substitutions: a.substitutions + b.substitutions,
    insertions: a.insertions + b.insertions,
    deletions: a.deletions + b.deletions,
  };
}

/** Lower-case words; of punctuation only apostrophes inside words count. */
export function wordsIn(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+(?:'[\p{L}\p{N}]+)*/gu) ?? [];
}

/**
 * Levenshtein distance over words, by kind (as NIST sclite with equal weights). Of ways equally cheap, the one with the
 * most substitutions is taken, so that the kinds do not depend on the order of comparing.
 */
export function countErrors(said: string, heard: string): WordErrors {
  const [from, to] = [wordsIn(said), wordsIn(heard)];
  let row: WordErrors[] = [{ ...noErrors, words: from.length }];
  for (let j = 1; j <= to.length; j++) row.push({ ...noErrors, words: from.length, insertions: j });
  for (const word of from) {
    const above = row;
    const first = above[0] as WordErrors;
    row = [{ ...first, deletions: first.deletions + 1 }];
    for (const [j, other] of to.entries()) {
      const diagonal = above[j] as WordErrors;
      const left = row[j] as WordErrors;
      const top = above[j + 1] as WordErrors;
      const ways: WordErrors[] = [
        word === other ? diagonal : { ...diagonal, substitutions: diagonal.substitutions + 1 },
        { ...top, deletions: top.deletions + 1 },
        { ...left, insertions: left.insertions + 1 },
      ];
      row.push(ways.reduce((best, way) => (isBetter(way, best) ? way : best)));
    }
  }
  return row.at(-1) as WordErrors;
}

function isBetter(a: WordErrors, b: WordErrors): boolean {
  return errorsOf(a) < errorsOf(b) || (errorsOf(a) === errorsOf(b) && a.substitutions > b.substitutions);
}

/** How many of `labels` the text holds, each of its words counted for one label only. */
export function labelsFound(labels: readonly string[], text: string): number {
  const left = [...wordsIn(text)];
  return labels.filter((label) => {
    const at = left.indexOf(label.toLowerCase());
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  }).length;
}
