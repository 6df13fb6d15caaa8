import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageDir } from '../../fixtures/daemon.ts';
import { demoDir, recordings, sentencesOf } from '../../fixtures/demo.ts';
import { embeddedModelDir } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { hear } from './heard.ts';
import { readLabels, scoreRecordings } from './recordings.ts';
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
  const score = await scoreRecordings(
    packageDir,
    demoDir,
    { [file]: [...spoken, 'parliament'] },
    [variant],
    (_, samples) => listen(samples),
  );
  assert.equal([score.recordings, score.labels], [1, spoken.length + 1]);
  assert.is(score.found['int8']?.rate, spoken.length / (spoken.length + 1));
  assert.equal(score.foundPublished, score.found);
  assert.equal(score.difference['int8'], { rate: 0, low: 0, high: 0 });
  await variant.whisper.close();
});

people.run();
