/**
 * A household's names and rooms, made likelier while decoding.
 *
 * Contextual biasing by shallow fusion, on sub-words, inside the search: Zhao et al., "Shallow-Fusion End-to-End
 * Contextual Biasing", Interspeech 2019; the comparison with an attention over the terms is Pundak et al., "Deep
 * Context", SLT 2018. Every token that begins or goes on with a term earns a bonus, and a term that is not brought to
 * its end gives all of it back (the failure arcs of that paper). So must a term that turns out to be the beginning of a
 * longer word: "anna" in "annabel" earns nothing.
 */
import type { Tokenizer } from './tokenizer.ts';

type TermNode = {
  readonly next: Map<number, TermNode>;
  /** A term ends here: at the end of a word, or, where words are not parted by spaces, anywhere. */
  ends: 'no' | 'with-word' | 'anywhere';
};

export type KeyTerms = {
  /** Natural logarithm, for each token of a term. */
  readonly bonus: number;
  /** Terms written with a space before them, or in a script without spaces: may begin after any token. */
  readonly anywhere: TermNode;
  /** Terms without the space: may begin where a word begins without one. */
  readonly atWordStart: TermNode;
  readonly beginsWord: (token: number) => boolean;
  readonly leavesWordOpen: (token: number) => boolean;
};

/** A term that has begun and not failed. */
type Match = {
  readonly from: number;
  readonly node: TermNode;
  readonly earned: number;
  /** Earned by a shorter term that ended on the way ("living" in "living room"), and where it ended. */
  readonly kept: number;
  readonly keptTo: number;
};

/** What a text has earned so far; a value, so that hypotheses can part ways. */
export type TermCredit = {
  readonly kept: number;
  readonly matches: readonly Match[];
  readonly length: number;
  readonly afterOpenWord: boolean;
};

export const noCredit: TermCredit = { kept: 0, matches: [], length: 0, afterOpenWord: false };

const wordCharacter = /[\p{L}\p{N}\p{M}]/u;
const unspacedScript =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Half a character decodes to nothing or to U+FFFD; it will be a letter. */
const isOfWord = (character: string): boolean =>
  /^$|\uFFFD/u.test(character) || wordCharacter.test(character);

const emptyNode = (): TermNode => ({ next: new Map(), ends: 'no' });

function plant(root: TermNode, tokens: readonly number[], ends: TermNode['ends']): void {
  let node = root;
  for (const token of tokens) {
    let next = node.next.get(token);
    if (next === undefined) {
      next = emptyNode();
      node.next.set(token, next);
    }
    node = next;
  }
  if (node !== root) node.ends = ends;
}

/** As written, in lower case, and with a capital: a model writes the one it was taught, which is not known here. */
function spellings(term: string): Set<string> {
  const lower = term.toLowerCase();
  const capital = lower.replace(/^./u, (first) => first.toUpperCase());
  const capitals = lower.replaceAll(/(?<=^|[\s-])./gu, (first) => first.toUpperCase());
  return new Set([term, lower, capital, capitals]);
}

function remember(tokenizer: Tokenizer, decide: (text: string) => boolean): (token: number) => boolean {
  const known = new Map<number, boolean>();
  return (token) => {
    let answer = known.get(token);
    if (answer === undefined) {
      answer = decide(tokenizer.decode([token]));
      known.set(token, answer);
    }
    return answer;
  };
}

/** Undefined if there is nothing in `terms` to look for. `bonus`: natural logarithm, for each token of a term. */
export function buildKeyTerms(
  terms: readonly string[],
  tokenizer: Tokenizer,
  bonus: number,
): KeyTerms | undefined {
  const anywhere = emptyNode();
  const atWordStart = emptyNode();
  const add = (root: TermNode, text: string, ends: TermNode['ends']): void => {
    const tokens = tokenizer.encode(text);
    // letters the vocabulary cannot write are left out of it: the rest is another word
    if (tokenizer.decode(tokens).trim().toLowerCase() === text.trim().toLowerCase())
      plant(root, tokens, ends);
  };
  for (const term of terms.map((text) => text.trim().replaceAll(/\s+/g, ' '))) {
    if (!wordCharacter.test(term)) continue;
    const ends = unspacedScript.test(term.at(-1) ?? '') ? 'anywhere' : 'with-word';
    for (const spelling of spellings(term)) {
      add(anywhere, ` ${spelling}`, ends);
      add(unspacedScript.test(spelling.at(0) ?? '') ? anywhere : atWordStart, spelling, ends);
    }
  }
  if (anywhere.next.size === 0 || !(bonus > 0)) return undefined;
  const beginsWord = remember(tokenizer, (text) => {
    const [first = ''] = Array.from(text);
    return !isOfWord(first) || unspacedScript.test(first);
  });
  const leavesWordOpen = remember(tokenizer, (text) => isOfWord(Array.from(text).at(-1) ?? ''));
  return { bonus, anywhere, atWordStart, beginsWord, leavesWordOpen };
}

/** What the text has earned: for its terms, and for the one that may be coming. */
export function creditOf({ kept, matches }: TermCredit): number {
  return kept + matches.reduce((most, { earned }) => Math.max(most, earned), 0);
}

/** Tokens that would earn something next; the search must look at them even where they are unlikely. */
export function* favouredNext(terms: KeyTerms, credit: TermCredit): Generator<number> {
  yield* terms.anywhere.next.keys();
  if (!credit.afterOpenWord) yield* terms.atWordStart.next.keys();
  for (const { node } of credit.matches) yield* node.next.keys();
}

/**
 * The credit of the text with `token` after it; `undefined` is the end of the text, or a token that is no text, and
 * ends a word as well.
 */
export function extendCredit(terms: KeyTerms, credit: TermCredit, token: number | undefined): TermCredit {
  const wordEnds = token === undefined || terms.beginsWord(token);
  const length = credit.length + 1;
  let { kept } = credit;
  let keptTo = 0;
  const matches: Match[] = [];
  // in order of where they began: of terms that overlap, the first to begin counts, and its longest form
  for (const match of credit.matches) {
    if (match.from < keptTo) continue;
    const { ends } = match.node;
    const ended = ends === 'anywhere' || (ends === 'with-word' && wordEnds);
    const soFar = ended ? { kept: match.earned, keptTo: credit.length } : match;
    const node = token === undefined ? undefined : match.node.next.get(token);
    if (node !== undefined) {
      matches.push({
        from: match.from,
        node,
        earned: match.earned + terms.bonus,
        kept: soFar.kept,
        keptTo: soFar.keptTo,
      });
    } else if (soFar.kept > 0) {
      kept += soFar.kept;
      keptTo = soFar.keptTo;
    }
  }
  if (token !== undefined) {
    const roots = credit.afterOpenWord ? [terms.anywhere] : [terms.anywhere, terms.atWordStart];
    for (const root of roots) {
      const node = root.next.get(token);
      if (node !== undefined) {
        matches.push({ from: credit.length, node, earned: terms.bonus, kept: 0, keptTo: 0 });
      }
    }
  }
  const standing = matches.filter(({ from }) => from >= keptTo);
  const afterOpenWord = token !== undefined && terms.leavesWordOpen(token);
  return { kept, matches: standing, length, afterOpenWord };
}
