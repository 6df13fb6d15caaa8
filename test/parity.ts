/**
 * All models of test/whisper-parity.ts, one after the other: minutes, and 2 GB of disk.
 *
 *   node dist/test/parity.js               check against the vectors kept
 *   node dist/test/parity.js write DIR     write the checkpoints for test/golden/whisper-parity/reference.py
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { temporaryDir } from './graph-files.ts';
import {
  measureParity,
  type ParityModel,
  parityModels,
  readVectors,
  type Vectors,
  writeParityModel,
} from './whisper-parity.ts';

const names = Object.keys(parityModels) as ParityModel[];
const [action, dir] = process.argv.slice(2);

if (action === 'write' && dir !== undefined) {
  for (const name of names) writeParityModel(name, path.join(dir, name));
} else {
  const vectors = readVectors();
  let failures = 0;
  for (const name of names) {
    const want = vectors[name] as Vectors;
    const work = temporaryDir();
    const modelDir = writeParityModel(name, path.join(work, 'model'));
    const { tokens, hiddenDifference, logitDifference, meanDifference } = await measureParity(
      modelDir,
      work,
      want,
    );
    rmSync(work, { recursive: true });
    const same = tokens.join() === want.tokens.join();
    const ok = same && Math.max(hiddenDifference, logitDifference, meanDifference) < 1e-3;
    if (!ok) failures++;
    const show = (value: number) => value.toExponential(1);
    process.stdout.write(
      `${ok ? 'ok  ' : 'FAIL'} ${name}: logits differ by ${show(logitDifference)}, hidden states by ` +
        `${show(hiddenDifference)}, tokens ${same ? 'equal' : 'differ'}\n`,
    );
  }
  process.exitCode = failures === 0 ? 0 : 1;
}
