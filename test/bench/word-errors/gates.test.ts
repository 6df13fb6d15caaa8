import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { gatesOf } from './gates.ts';
import { type Heard, judge, type Trial } from './heard.ts';
import { babble } from './inventions.ts';

const gates = suite('gates');

const said = (text: string, avgLogProb: number): Heard => judge({ text, avgLogProb }, -0.6);
const said8 = (text: string, avgLogProb: number) => ({
  fp32: said('something else', 0),
  int8: said(text, avgLogProb),
});

/** Two sentences of two words and one of none heard, clean and at 10 dB; int8 is surer the better it hears. */
const trials = [
  { utterance: 0, text: 'play jazz', clean: said8('play jazz', -0.1), noisy: said8('play', -0.45) },
  { utterance: 1, text: 'call mom', clean: said8('call tom', -0.65), noisy: said8('tall tom', -1.5) },
  { utterance: 2, text: 'stop it', clean: said8('', -0.2), noisy: said8('stop it', -0.5) },
].flatMap(({ utterance, text, clean, noisy }): Trial[] => {
  const about = { utterance, text, voice: 'a', heardInTraining: true };
  const noise = { kind: 'babble', snrDb: 10 };
  return [
    { ...about, noise: undefined, heard: clean },
    { ...about, noise, heard: noisy },
  ];
});
const sounds = {
  hum: [said('', -0.1)],
  knocks: [said('no', -0.9), said('yes', -0.35)],
  [babble]: [said('one', -2), said('two', -0.7), said('three', -0.5)],
};
const recordings = [
  { labels: ['milk', 'tea'], heard: { int8: [said('milk', -0.2), said('and tea', -0.75)] } },
  { labels: ['ice'], heard: { int8: [said('rice', 0)] } },
];

const all = (own: number) => gatesOf({ trials, sounds, recordings }, 'int8', own);
const usual = all(-0.6);
const at = (gate: number | undefined) => usual.find(({ minAvgLogProb }) => minAvgLogProb === gate);

gates('are from none to the strictest, the one of the card among them once', () => {
  const names = (own: number) => all(own).map(({ minAvgLogProb }) => minAvgLogProb);
  assert.equal(names(-0.6), [undefined, -1, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3]);
  assert.equal(names(-0.65), [undefined, -1, -0.8, -0.7, -0.65, -0.6, -0.5, -0.4, -0.3]);
  assert.equal(names(-1.5).slice(0, 3), [undefined, -1.5, -1]);
});

gates('pass a share of the texts there are, and only the errors of those count', () => {
  const speech = (gate: number | undefined) => {
    const { clean, noisy } = at(gate) ?? {};
    return [clean?.passed?.rate, clean?.wer?.rate, noisy?.passed?.rate, noisy?.wer?.rate];
  };
  assert.equal(speech(undefined), [1, 1 / 4, 1, 3 / 6]);
  assert.equal(speech(-0.7), [1, 1 / 4, 2 / 3, 1 / 4]);
  assert.equal(speech(-0.6), [1 / 2, 0, 2 / 3, 1 / 4]);
  assert.equal(speech(-0.4), [1 / 2, 0, 0, undefined]);
});

gates('pass labelled words of people segment by segment', () => {
  assert.equal(
    [undefined, -0.8, -0.7].map((gate) => at(gate)?.people?.rate),
    [2 / 3, 2 / 3, 1 / 3],
  );
});

gates('pass texts where there are none, those of babble apart', () => {
  const counts = [undefined, -1, -0.8, -0.6, -0.3].map((gate) => [at(gate)?.babble, at(gate)?.otherSounds]);
  assert.equal(
    counts.map((pair) => pair.map((noise) => noise?.passed)),
    [
      [3, 2],
      [2, 2],
      [2, 1],
      [1, 1],
      [0, 0],
    ],
  );
  assert.ok(counts.every((pair) => pair.every((noise) => noise?.segments === 3)));
});

gates('say nothing of what was not heard', () => {
  const [none] = gatesOf({ trials: [], sounds: {}, recordings: undefined }, 'int8', -0.6);
  const speech = { passed: undefined, wer: undefined };
  assert.equal(none, {
    minAvgLogProb: undefined,
    clean: speech,
    noisy: speech,
    people: undefined,
    babble: undefined,
    otherSounds: { passed: 0, segments: 0 },
  });
});

gates.run();
