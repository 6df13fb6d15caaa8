/**
 * Several texts at once; the best one is taken when enough have ended.
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

/** What the search needs of a decoder, which remembers the texts of the step before; of the first step, the prompt. */
export type BeamSource = {
  /**
   * Text i now is what text `parents[i]` of the step before was and `tokens[i]`. Answers the logits [n, V] of what follows
   * each, to be read and written to until the next step.
   */
  readonly step: (parents: readonly number[], tokens: readonly number[]) => Promise<Float32Array>;
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
  /** Which of the texts of the step before it continues. */
  readonly parent: number;
  readonly token: number;
  readonly logProb: number;
  readonly sum: number;
  readonly credit: TermCredit;
  /** What candidates are ranked by: `sum`, and what key terms add to it. */
  readonly score: number;
};

type Hypothesis = {
  readonly parent: number;
  readonly tokens: readonly number[];
  readonly logProbs: readonly number[];
  readonly sum: number;
  readonly credit: TermCredit;
  readonly score: number;
};

/** The prompt: nothing is said. */
const nothing: Hypothesis = { parent: 0, tokens: [], logProbs: [], sum: 0, credit: noCredit, score: 0 };

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
  { tokens, sum: before, credit: earned }: Hypothesis,
  parent: number,
  logits: Float32Array,
  options: BeamOptions,
): Candidate[] {
  const { beamSize, endOfText, firstNoText, keyTerms, restrict } = options;
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

/** The texts that `chosen` make of those of the step before. */
function continued(chosen: readonly Candidate[], beam: readonly Hypothesis[]): Hypothesis[] {
  return chosen.map(({ parent, token, logProb, sum, credit, score }) => {
    const { tokens, logProbs } = beam[parent] as Hypothesis;
    return { parent, tokens: [...tokens, token], logProbs: [...logProbs, logProb], sum, credit, score };
  });
}

const byScore = (a: { readonly score: number }, b: { readonly score: number }) => b.score - a.score;

/** `score` over the number of tokens; a text of none counts as one of one, where the source would divide by zero. */
function likeliest(texts: readonly Ended[]): Ended {
  const normalized = ({ score, tokens }: Ended) => score / Math.max(tokens.length, 1);
  return texts.reduce((best, text) => (normalized(text) > normalized(best) ? text : best));
}

/**
 * Searches from `firstLogits` [V] (changed in place), which follow the prompt. Text that goes in a circle is set aside,
 * and taken only if there is no other.
 */
export async function searchBeam(
  source: BeamSource,
  firstLogits: Float32Array,
  options: BeamOptions,
): Promise<BeamResult> {
  const { beamSize, endOfText, maxTokens } = options;
  const finished: Ended[] = [];
  const circles: Ended[] = [];
  const vocabularySize = firstLogits.length;
  let beam: Hypothesis[] = [nothing];
  let candidates = candidatesAfter(nothing, 0, firstLogits, options);
  for (let length = 1; ; length++) {
    candidates.sort(byScore);
    const chosen: Candidate[] = [];
    const ended: Ended[] = [];
    for (const candidate of candidates) {
      if (candidate.token === endOfText) {
        const { tokens, logProbs } = beam[candidate.parent] as Hypothesis;
        ended.push({ tokens, logProbs, sum: candidate.sum, score: candidate.score, ended: 'end-of-text' });
      } else if (chosen.push(candidate) === beamSize) break;
    }
    finished.push(...ended.slice(0, beamSize - finished.length));
    if (finished.length >= beamSize) break;
    beam = continued(chosen, beam);
    for (const { tokens, logProbs, sum, score } of beam.filter((text) => endsInLoop(text.tokens))) {
      circles.push({ tokens, logProbs, sum, score, ended: 'loop' });
    }
    beam = beam.filter((text) => !endsInLoop(text.tokens));
    if (beam.length === 0 || length >= maxTokens) break;
    const logits = await source.step(
      beam.map(({ parent }) => parent),
      beam.map(({ tokens }) => tokens.at(-1) as number),
    );
    candidates = beam.flatMap((text, i) => {
      const row = logits.subarray(i * vocabularySize, (i + 1) * vocabularySize);
      return candidatesAfter(text, i, row, options);
    });
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
