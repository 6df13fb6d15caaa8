/** What was heard, scored in every way it is asked about. */
import { wordsIn } from './alignment.ts';
import { scoreOf, type Trial } from './heard.ts';
import type { Difference, Part, Parts } from './report.ts';
import { noiseKinds, snrsDb } from './test-set.ts';

/** `names` of variants, what the others are compared with first. */
export function partsOf(trials: readonly Trial[], names: readonly string[]): Parts {
  const [base = '', shipped = ''] = names;
  /** None where no trial belongs to it. */
  const part = (of: string, belongs: (trial: Trial) => boolean): readonly Part[] => {
    const chosen = trials.filter(belongs);
    if (chosen.length === 0) return [];
    const texts = new Map(chosen.map(({ utterance, text }) => [utterance, text]));
    const words = [...texts.values()].reduce((sum, text) => sum + wordsIn(text).length, 0);
    const scores = Object.fromEntries(names.map((name) => [name, scoreOf(chosen, name, base)]));
    return [{ of, utterances: texts.size, words, scores }];
  };
  const isClean = ({ noise }: Trial): boolean => noise === undefined;
  const clean = part('clean', isClean);
  const voices = new Set(trials.map(({ voice }) => voice));
  return {
    clean: clean[0],
    everything: part('clean and in noise', () => true)[0],
    bySnr: [
      ...clean,
      ...snrsDb.flatMap((snrDb) => part(`${snrDb} dB`, ({ noise }) => noise?.snrDb === snrDb)),
    ],
    byNoise: noiseKinds.flatMap((kind) => part(kind, ({ noise }) => noise?.kind === kind)),
    byVoice: [...voices].flatMap((of) => part(of, (trial) => isClean(trial) && trial.voice === of)),
    byTraining: [
      ...part('all heard in training', (trial) => isClean(trial) && trial.heardInTraining),
      ...part('all others', (trial) => isClean(trial) && !trial.heardInTraining),
    ],
    differences: trials.filter(isClean).flatMap((trial) => differenceIn(trial, base, shipped)),
  };
}

function differenceIn({ voice, text, heard }: Trial, base: string, shipped: string): readonly Difference[] {
  const [one = '', other = ''] = [heard[base]?.text, heard[shipped]?.text];
  return one === other ? [] : [{ voice, said: text, base: one, other }];
}
