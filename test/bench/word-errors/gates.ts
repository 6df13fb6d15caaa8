/** What other gates would let pass: a gate is the mean log-probability below which a text is withheld. */
import { countErrors, errorsOf } from './alignment.ts';
import { type Heard, passes, rateOver, type Trial } from './heard.ts';
import type { Rate } from './interval.ts';
import { babble } from './inventions.ts';
import { type HeardRecording, shareFound } from './recordings.ts';

export type GatedSpeech = {
  /** Of the sounds with a text: the share whose text passes. */
  readonly passed: Rate | undefined;
  /** Word errors in those. */
  readonly wer: Rate | undefined;
};

export type GatedNoise = {
  /** Texts that pass, of the segments that the detector took for speech. */
  readonly passed: number;
  readonly segments: number;
};

export type Gate = {
  /** Undefined: no text is withheld. */
  readonly minAvgLogProb: number | undefined;
  readonly clean: GatedSpeech;
  readonly noisy: GatedSpeech;
  /** The share of the labelled words in recordings of people that is published; undefined without recordings. */
  readonly people: Rate | undefined;
  /** Undefined where there was no speech to make it of. */
  readonly babble: GatedNoise | undefined;
  readonly otherSounds: GatedNoise;
};

export type Answers = {
  readonly trials: readonly Trial[];
  /** What the segments of each sound without words became. */
  readonly sounds: Readonly<Record<string, readonly Heard[]>>;
  readonly recordings: readonly HeardRecording[] | undefined;
};

const tried: readonly number[] = [-1, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3];

/** What of `answers` of `variant` would be published without a gate, at each that is tried, and at the card's `own`. */
export function gatesOf({ trials, sounds, recordings }: Answers, variant: string, own: number): Gate[] {
  // aligned once for all gates
  const aligned = trials.map(({ utterance, text, noise, heard }) => {
    const answer = heard[variant] as Heard;
    return { utterance, noise, answer, errors: countErrors(text, answer.text) };
  });
  const ofSpeech = (some: typeof aligned, lets: (heard: Heard) => boolean): GatedSpeech => ({
    passed: rateOver(
      some.filter(({ answer }) => answer.text !== ''),
      ({ answer }) => Number(lets(answer)),
      () => 1,
    ),
    wer: rateOver(
      some.filter(({ answer }) => lets(answer)),
      ({ errors }) => errorsOf(errors),
      ({ errors }) => errors.words,
    ),
  });
  const clean = aligned.filter(({ noise }) => noise === undefined);
  const noisy = aligned.filter(({ noise }) => noise !== undefined);
  const { [babble]: babbled, ...others } = sounds;
  const gates = [undefined, ...[...new Set([...tried, own])].toSorted((a, b) => a - b)];
  return gates.map((minAvgLogProb): Gate => {
    const lets = (heard: Heard): boolean => passes(heard, minAvgLogProb ?? Number.NEGATIVE_INFINITY);
    const ofNoise = (heard: readonly Heard[]): GatedNoise => ({
      passed: heard.filter(lets).length,
      segments: heard.length,
    });
    return {
      minAvgLogProb,
      clean: ofSpeech(clean, lets),
      noisy: ofSpeech(noisy, lets),
      people: recordings === undefined ? undefined : shareFound(recordings, variant, lets),
      babble: babbled === undefined ? undefined : ofNoise(babbled),
      otherSounds: ofNoise(Object.values(others).flat()),
    };
  });
}
