import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageDir } from '../../fixtures/daemon.ts';
import { demoDir, recordings, sentencesOf } from '../../fixtures/demo.ts';
import { embeddedModelDir } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { hear, judge } from './heard.ts';
import { hearRecordings, readLabels, scoreRecordings, shareFound } from './recordings.ts';
import { openVariant, variantsOf } from './variants.ts';

const people = suite('labelled recordings');

people('labels are lists of words, and nothing else', () => {
  const file = path.join(temporaryDir(), 'labels.json');
  for (const wrong of ['[]x', '3', 'null', '{"a.wav": "milk"}', '{"a.wav": [1]}']) {
    writeFileSync(file, wrong);
    assert.throws(() => readLabels(file));
  }
  writeFileSync(file, '{"a.wav": ["milk", "sugar"], "b.wav": []}');
  assert.equal(readLabels(file), { 'a.wav': ['milk', 'sugar'], 'b.wav': [] });
});

people('words are found in a recording of several sentences, and those not in it are missed', async () => {
  const int8 = variantsOf(embeddedModelDir).find(({ name }) => name === 'int8');
  if (int8 === undefined) throw new Error('there is no int8');
  const variant = await openVariant(int8, embeddedModelDir, temporaryDir(), {});
  const file = recordings[0]?.file ?? '';
  const spoken = sentencesOf(file).flatMap(({ text }) => text.split(' '));
  const listen = (samples: Float32Array) => hear(variant.whisper, samples, -0.6);
  const heard = await hearRecordings(
    packageDir,
    demoDir,
    { [file]: [...spoken, 'parliament'] },
    [variant],
    (_, samples) => listen(samples),
  );
  const score = scoreRecordings(heard, ['int8']);
  assert.equal([score.recordings, score.labels], [1, spoken.length + 1]);
  assert.is(score.found['int8']?.rate, spoken.length / (spoken.length + 1));
  assert.equal(score.foundPublished, score.found);
  assert.equal(score.difference['int8'], { rate: 0, low: 0, high: 0 });
  await variant.whisper.close();
});

const heardIn = (labels: readonly string[], fp32: readonly [string, number][], int8 = fp32) => {
  const judged = (answers: readonly [string, number][]) =>
    answers.map(([text, avgLogProb]) => judge({ text, avgLogProb }, -0.6));
  return { labels, heard: { fp32: judged(fp32), int8: judged(int8) } };
};

people(
  'labels count over all segments of a recording, written or published, and against the first variant',
  () => {
    const heard = [
      heardIn(
        ['milk', 'tea'],
        [
          ['some milk', -0.1],
          ['and tea', -0.9],
        ],
        [['some milk', -0.1]],
      ),
      heardIn(['sugar', 'ice'], [['sugar', -0.7]]),
    ];
    const { found, foundPublished, difference, ...counted } = scoreRecordings(heard, ['fp32', 'int8']);
    assert.equal(counted, { recordings: 2, labels: 4 });
    assert.equal([found['fp32']?.rate, found['int8']?.rate], [3 / 4, 2 / 4]);
    assert.equal([foundPublished['fp32']?.rate, foundPublished['int8']?.rate], [1 / 4, 1 / 4]);
    assert.equal([difference['fp32']?.rate, difference['int8']?.rate], [0, -1 / 4]);
    assert.is(shareFound(heard, 'fp32', ({ avgLogProb }) => avgLogProb >= -0.7)?.rate, 2 / 4);
  },
);

people.run();
