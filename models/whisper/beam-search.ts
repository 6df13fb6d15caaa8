/**
 * Several texts at once, each with a cache of its own; the best one is taken when enough have ended.
 *
 * Source: openai/whisper decoding.py `BeamSearchDecoder` with patience 1 and `MaximumLikelihoodRanker` without a
 * length penalty, that is, by the sum of log-probabilities over the number of tokens, the end not counted. Key terms
 * (key-terms.ts) add to the sums; the log-probabilities that are answered are the model's own.
 */
import {
  creditOf,
  extendCredit,
  favouredNext,
  type KeyTerms,
  noCredit,
  type TermCredit,
} from './key-terms.ts';
import { endsInLoop } from './repetition.ts';
import { logSumExp } from './sampling.ts';

/** What the search needs of a decoder. `Cache` holds a text as the decoder remembers it. */
export type BeamSource<Cache> = {
  /** Feeds the last token of `tokens` [n >= 1] to `cache`, which holds the others. `logits` last until the next step. */
  readonly step: (
    cache: Cache,
    tokens: readonly number[],
  ) => Promise<{ readonly cache: Cache; readonly logits: Float32Array }>;
  /** Into `discarded`, a cache nobody needs any more, where there is one. */
  readonly copy: (cache: Cache, discarded: Cache | undefined) => Cache;
};

export type BeamOptions = {
  readonly beamSize: number;
  readonly endOfText: number;
  /** Sampled tokens at most, end-of-text not counted. */
  readonly maxTokens: number;
  readonly keyTerms: KeyTerms | undefined;
  /** Ids from here on are no text (timestamps): to key terms they end a word. */
  readonly firstNoText: number;
  /** Sets to -inf what may not follow `sampled`. */
  readonly restrict: (logits: Float32Array, sampled: readonly number[]) => void;
};

export type BeamResult = {
  readonly tokens: readonly number[];
  readonly logProbs: readonly number[];
  /** Of all tokens, the end included if it was reached. */
  readonly sum: number;
  readonly ended: 'end-of-text' | 'loop' | 'budget';
};

type Candidate = {
  readonly parent: Hypothesis<unknown> | undefined;
  readonly token: number;
  readonly logProb: number;
  readonly sum: number;
  readonly credit: TermCredit;
  /** What candidates are ranked by: `sum`, and what key terms add to it. */
  readonly score: number;
};

type Hypothesis<Cache> = {
  readonly tokens: readonly number[];
  readonly logProbs: readonly number[];
  readonly sum: number;
  readonly credit: TermCredit;
  readonly score: number;
  cache: Cache;
};

type Ended = BeamResult & { readonly score: number };

/** Indices of the `count` largest, best first, the lower index first among equals; -inf is never one of them. */
function largest(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i] as number;
    if (!(logit > least)) continue;
    let at = best.length;
    while (at > 0 && logit > (logits[best[at - 1] as number] as number)) at--;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
    if (best.length === count) least = logits[best[count - 1] as number] as number;
  }
  return best;
}

function candidatesAfter(
  parent: Hypothesis<unknown> | undefined,
  logits: Float32Array,
  options: BeamOptions,
): Candidate[] {
  const { beamSize, endOfText, firstNoText, keyTerms, restrict } = options;
  const { tokens, sum: before, credit: earned } = parent ?? { tokens: [], sum: 0, credit: noCredit };
  restrict(logits, tokens);
  const total = logSumExp(logits);
  const wanted = new Set(largest(logits, beamSize + 1));
  if (keyTerms !== undefined) {
    for (const token of favouredNext(keyTerms, earned)) {
      if ((logits[token] as number) > Number.NEGATIVE_INFINITY) wanted.add(token);
    }
  }
  return [...wanted].map((token) => {
    const logProb = (logits[token] as number) - total;
    const sum = before + logProb;
    const isText = token !== endOfText && token < firstNoText;
    const credit =
      keyTerms === undefined ? noCredit : extendCredit(keyTerms, earned, isText ? token : undefined);
    return { parent, token, logProb, sum, credit, score: sum + creditOf(credit) };
  });
}

/** Where `token` follows: the texts go on in their parent's cache, and in copies of it where there are several. */
function continueFrom<Cache>(
  chosen: readonly Candidate[],
  beam: readonly Hypothesis<Cache>[],
  promptCache: Cache,
  copy: BeamSource<Cache>['copy'],
): Hypothesis<Cache>[] {
  const parents = new Set(chosen.map(({ parent }) => parent));
  const free = beam.filter((hypothesis) => !parents.has(hypothesis)).map(({ cache }) => cache);
  const taken = new Set<unknown>();
  return chosen.map(({ parent, token, logProb, sum, credit, score }) => {
    const before = parent as Hypothesis<Cache> | undefined;
    const parentCache = before?.cache ?? promptCache;
    const cache = taken.has(parentCache) ? copy(parentCache, free.pop()) : parentCache;
    taken.add(parentCache);
    return {
      tokens: [...(before?.tokens ?? []), token],
      logProbs: [...(before?.logProbs ?? []), logProb],
      sum,
      credit,
      score,
      cache,
    };
  });
}

const byScore = (a: { readonly score: number }, b: { readonly score: number }) => b.score - a.score;

/** `score` over the number of tokens; a text of none counts as one of one, where the source would divide by zero. */
function likeliest(texts: readonly Ended[]): Ended {
  const normalized = ({ score, tokens }: Ended) => score / Math.max(tokens.length, 1);
  return texts.reduce((best, text) => (normalized(text) > normalized(best) ? text : best));
}

/**
 * Searches from `firstLogits` [V] (changed in place), with `promptCache` as the decoder left it after the prompt.
 * Text that goes in a circle is set aside, and taken only if there is no other.
 */
export async function searchBeam<Cache>(
  source: BeamSource<Cache>,
  firstLogits: Float32Array,
  promptCache: Cache,
  options: BeamOptions,
): Promise<BeamResult> {
  const { beamSize, endOfText, maxTokens } = options;
  const finished: Ended[] = [];
  const circles: Ended[] = [];
  let beam: Hypothesis<Cache>[] = [];
  let candidates = candidatesAfter(undefined, firstLogits, options);
  for (let length = 1; ; length++) {
    candidates.sort(byScore);
    const chosen: Candidate[] = [];
    const ended: Ended[] = [];
    for (const candidate of candidates) {
      if (candidate.token === endOfText) {
        const { tokens, logProbs } = (candidate.parent as Hypothesis<Cache> | undefined) ?? {
          tokens: [],
          logProbs: [],
        };
        ended.push({ tokens, logProbs, sum: candidate.sum, score: candidate.score, ended: 'end-of-text' });
      } else if (chosen.push(candidate) === beamSize) break;
    }
    finished.push(...ended.slice(0, beamSize - finished.length));
    if (finished.length >= beamSize) break;
    beam = continueFrom(chosen, beam, promptCache, source.copy);
    for (const { tokens, logProbs, sum, score } of beam.filter((text) => endsInLoop(text.tokens))) {
      circles.push({ tokens, logProbs, sum, score, ended: 'loop' });
    }
    beam = beam.filter((text) => !endsInLoop(text.tokens));
    if (beam.length === 0 || length >= maxTokens) break;
    candidates = [];
    for (const hypothesis of beam) {
      const { cache, logits } = await source.step(hypothesis.cache, hypothesis.tokens);
      hypothesis.cache = cache;
      candidates.push(...candidatesAfter(hypothesis, logits, options));
    }
  }
  // where too few have ended by themselves, those that go on count as well, the likeliest first
  for (const { tokens, logProbs, sum, credit } of beam.toSorted(byScore)) {
    if (finished.length >= beamSize) break;
    const { keyTerms } = options;
    const score = sum + (keyTerms === undefined ? 0 : creditOf(extendCredit(keyTerms, credit, undefined)));
    finished.push({ tokens, logProbs, sum, score, ended: 'budget' });
  }
  const { tokens, logProbs, sum, ended } = likeliest(finished.length > 0 ? finished : circles);
  return { tokens, logProbs, sum, ended };
}
