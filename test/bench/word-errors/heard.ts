/** What the variants hear, and what that comes to. */
import type { Whisper } from '../../../models/whisper/whisper.ts';
import { addErrors, countErrors, errorsOf, noErrors, type WordErrors } from './alignment.ts';
import { type Rate, rateOf } from './interval.ts';

/** One variant's answer to one sound. */
export type Heard = {
  /** What the decoder wrote. */
  readonly text: string;
  /** Whether the daemon would have published it: it was believed, and there was any. */
  readonly published: boolean;
};

/** A sound of the test set, clean or in noise, and the answer of each variant. */
export type Trial = {
  readonly utterance: number;
  readonly text: string;
  readonly voice: string;
  readonly heardInTraining: boolean;
  /** Undefined without noise. */
  readonly noise: { readonly kind: string; readonly snrDb: number } | undefined;
  readonly heard: Readonly<Record<string, Heard>>;
};

/** The embedded model is opened so that it withholds no text: whether its card would, is seen here. */
export async function hear(whisper: Whisper, samples: Float32Array, minAvgLogProb: number): Promise<Heard> {
  const { text, avgLogProb } = await whisper.transcribe(samples);
  return { text, published: text !== '' && avgLogProb >= minAvgLogProb };
}

export type Score = {
  readonly errors: WordErrors;
  readonly wer: Rate | undefined;
  /** Against the first variant on the same sounds; in the first one itself it is zero. */
  readonly difference: Rate | undefined;
  /** Sounds with another text than the first variant's. */
  readonly otherTexts: number;
  readonly sounds: number;
  /** Sounds with no text at all. */
  readonly empty: number;
  /** Sounds with a text that the daemon would have kept to itself. */
  readonly withheld: number;
  /** With texts withheld counted as words left out: what arrives. */
  readonly publishedWer: Rate | undefined;
  readonly publishedDifference: Rate | undefined;
};

/** Sums over the sounds of each utterance: those of one sentence are drawn together. */
function byUtterance(trials: readonly Trial[], of: (trial: Trial) => number): readonly number[] {
  const sums = new Map<number, number>();
  for (const trial of trials) {
    sums.set(trial.utterance, (sums.get(trial.utterance) ?? 0) + of(trial));
  }
  return [...sums.values()];
}

const publishedText = ({ text, published }: Heard): string => (published ? text : '');

/** How `variant` did on these, and how that compares with `base`. */
export function scoreOf(trials: readonly Trial[], variant: string, base: string): Score {
  const answer = (trial: Trial, of: string): Heard => trial.heard[of] as Heard;
  const wrong = (of: string) => (trial: Trial) => errorsOf(countErrors(trial.text, answer(trial, of).text));
  const lost = (of: string) => (trial: Trial) =>
    errorsOf(countErrors(trial.text, publishedText(answer(trial, of))));
  const words = byUtterance(trials, ({ text }) => countErrors(text, '').words);
  const rate = (of: (trial: Trial) => number): Rate | undefined => rateOf(byUtterance(trials, of), words);
  const answers = trials.map((trial) => answer(trial, variant));
  return {
    errors: trials
      .map((trial) => countErrors(trial.text, answer(trial, variant).text))
      .reduce(addErrors, noErrors),
    wer: rate(wrong(variant)),
    difference: rate((trial) => wrong(variant)(trial) - wrong(base)(trial)),
    otherTexts: trials.filter((trial) => answer(trial, variant).text !== answer(trial, base).text).length,
    sounds: trials.length,
    empty: answers.filter(({ text }) => text === '').length,
    withheld: answers.filter(({ text, published }) => text !== '' && !published).length,
    publishedWer: rate(lost(variant)),
    publishedDifference: rate((trial) => lost(variant)(trial) - lost(base)(trial)),
  };
}
