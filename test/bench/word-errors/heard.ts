/** What the variants hear, and what that comes to. */
import type { Whisper } from '../../../models/whisper/whisper.ts';
import { addErrors, countErrors, errorsOf, noErrors, type WordErrors, wordsIn } from './alignment.ts';
import { type Rate, rateOf } from './interval.ts';

/** What the decoder wrote, and the mean log-probability of its tokens. */
export type Written = { readonly text: string; readonly avgLogProb: number };

/** One variant's answer to one sound. */
export type Heard = Written & {
  /** Whether the daemon would have published it: it passes the gate of the card. */
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

/** Whether a daemon that withholds texts below `minAvgLogProb` publishes this one: it is believed, and there is any. */
export function passes({ text, avgLogProb }: Written, minAvgLogProb: number): boolean {
  // written so that NaN is not believed
  return text !== '' && avgLogProb >= minAvgLogProb;
}

/** What comes of it where the card withholds texts below `minAvgLogProb`. */
export function judge({ text, avgLogProb }: Written, minAvgLogProb: number): Heard {
  return { text, avgLogProb, published: passes({ text, avgLogProb }, minAvgLogProb) };
}

/** The embedded model is opened so that it withholds no text: whether its card would, is seen here. */
export async function hear(whisper: Whisper, samples: Float32Array, minAvgLogProb: number): Promise<Heard> {
  return judge(await whisper.transcribe(samples), minAvgLogProb);
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

type OfUtterance = Pick<Trial, 'utterance'>;

/** Sums over the sounds of each utterance: those of one sentence are drawn together. */
function byUtterance<Sound extends OfUtterance>(
  sounds: readonly Sound[],
  of: (sound: Sound) => number,
): readonly number[] {
  const sums = new Map<number, number>();
  for (const sound of sounds) {
    sums.set(sound.utterance, (sums.get(sound.utterance) ?? 0) + of(sound));
  }
  return [...sums.values()];
}

/** The sum of `above` over that of `below`; undefined without any of the latter. */
export function rateOver<Sound extends OfUtterance>(
  sounds: readonly Sound[],
  above: (sound: Sound) => number,
  below: (sound: Sound) => number,
): Rate | undefined {
  return rateOf(byUtterance(sounds, above), byUtterance(sounds, below));
}

const publishedText = ({ text, published }: Heard): string => (published ? text : '');

/** How `variant` did on these, and how that compares with `base`. */
export function scoreOf(trials: readonly Trial[], variant: string, base: string): Score {
  const answer = (trial: Trial, of: string): Heard => trial.heard[of] as Heard;
  const wrong = (of: string) => (trial: Trial) => errorsOf(countErrors(trial.text, answer(trial, of).text));
  const lost = (of: string) => (trial: Trial) =>
    errorsOf(countErrors(trial.text, publishedText(answer(trial, of))));
  const rate = (of: (trial: Trial) => number): Rate | undefined =>
    rateOver(trials, of, ({ text }) => wordsIn(text).length);
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
