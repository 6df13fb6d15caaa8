/** The float32 graphs of random checkpoints against PyTorch; `npm run test:parity` for all shapes. */
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryDir } from '../../graph-files.ts';
import {
  measureParity,
  type ParityModel,
  parityModels,
  readVectors,
  type Vectors,
  writeParityModel,
} from '../../whisper-parity.ts';

const parity = suite('parity with PyTorch');
const vectors = readVectors();

parity('there are vectors for every model, and no token is a close call', () => {
  assert.equal(Object.keys(vectors).sort(), Object.keys(parityModels).sort());
  for (const [name, { rows }] of Object.entries(vectors)) {
    for (const { top } of rows) assert.ok(top[0] - top[1] > 2e-3, `${name}: ${top}`);
  }
});

for (const [name, model] of Object.entries(parityModels)) {
  if (!('quick' in model)) continue;
  parity(name, async () => {
    const dir = temporaryDir();
    const want = vectors[name] as Vectors;
    const modelDir = writeParityModel(name as ParityModel, path.join(dir, 'model'));
    const { tokens, hiddenDifference, logitDifference, meanDifference } = await measureParity(
      modelDir,
      dir,
      want,
    );
    assert.equal(tokens, want.tokens);
    assert.ok(hiddenDifference < 1e-4, `hidden states differ by ${hiddenDifference}`);
    assert.ok(logitDifference < 1e-4, `logits differ by ${logitDifference}`);
    assert.ok(meanDifference < 1e-4, `on average by ${meanDifference}`);
  });
}

parity.run();
