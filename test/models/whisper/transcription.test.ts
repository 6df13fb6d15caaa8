import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attempt } from '../../../models/whisper/decode.ts';
import { type PieceOptions, toPieces } from '../../../models/whisper/transcription.ts';

/** Ids below 100 are words, `w7`; 100 is 0.00 s, 101 is 0.02 s. */
const options: PieceOptions = {
  decode: (tokens) => tokens.map((token) => (token < 100 ? ` w${token}` : '')).join(''),
  firstTimestamp: 100,
  durationMs: 1_010,
  noSpeechProb: 0.25,
};
const attempt = (...tokens: number[]): Attempt => ({
  tokens,
  logProbs: tokens.map((token) => -token / 100),
  avgLogProb: -0.5,
  ended: 'end-of-text',
});
const timesOf = (...tokens: number[]): [number, number, string][] =>
  toPieces(attempt(...tokens), options).map(({ startMs, endMs, text }) => [startMs, endMs, text]);

const pieces = suite('pieces');

pieces('lie between timestamps', () => {
  assert.equal(timesOf(100, 1, 2, 110, 110, 3, 120), [
    [0, 200, 'w1 w2'],
    [200, 400, 'w3'],
  ]);
  assert.equal(timesOf(105, 1, 110, 130, 3, 140), [
    [100, 200, 'w1'],
    [600, 800, 'w3'],
  ]);
});

pieces('that nothing closes run to the end of the sound, and none runs further', () => {
  assert.equal(timesOf(100, 1, 110, 110, 2), [
    [0, 200, 'w1'],
    [200, 1_010, 'w2'],
  ]);
  assert.equal(timesOf(100, 1, 199), [[0, 1_010, 'w1']]);
  assert.equal(timesOf(1, 2), [[0, 1_010, 'w1 w2']]);
});

pieces('without words are none', () => {
  assert.equal(timesOf(), []);
  assert.equal(timesOf(100, 110), []);
  assert.equal(timesOf(100, 110, 110, 5, 120), [[200, 400, 'w5']]);
});

pieces('know how sure the model was of their own words', () => {
  const [one, two] = toPieces(attempt(100, 10, 20, 110, 110, 40, 120), options);
  assert.ok(Math.abs((one?.avgLogProb ?? 0) + 0.15) < 1e-9);
  assert.ok(Math.abs((two?.avgLogProb ?? 0) + 0.4) < 1e-9);
  assert.is(one?.noSpeechProb, 0.25);
});

pieces('without timestamps there is one, as sure as the whole', () => {
  const whole = toPieces(attempt(10, 20), { ...options, firstTimestamp: undefined });
  assert.equal(whole, [{ startMs: 0, endMs: 1_010, text: 'w10 w20', avgLogProb: -0.5, noSpeechProb: 0.25 }]);
});

pieces.run();
