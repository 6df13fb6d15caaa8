import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { logMel } from '../../models/whisper/mel.ts';
import { provider } from '../../providers/cpu.ts';
import { writeRandomWhisper } from '../fixtures/random-whisper.ts';
import { largestDifference, readGolden } from '../golden.ts';
import { temporaryDir } from '../graph-files.ts';
import { writeLogMel } from './log-mel.ts';

const melGraph = suite('log-mel cut out of the encoder');

melGraph('it is the log-mel of the sound, and nothing else is left', async () => {
  const [golden] = readGolden();
  if (golden === undefined) throw new Error('there is no golden utterance');
  const modelDir = writeRandomWhisper(path.join(temporaryDir(), 'model'));
  const session = await provider.open(writeLogMel(modelDir, temporaryDir()));
  assert.equal(session.outputNames, ['log_mel']);
  const pcm = { type: 'float32', dims: [golden.samples.length], data: golden.samples } as const;
  const { log_mel: heard } = await session.run({ pcm }, session.outputNames);
  await session.close();
  assert.equal(heard?.dims, [1, 80, golden.melFrames]);
  assert.ok(largestDifference(heard?.data as Float32Array, logMel(golden.samples, 80)) < 1e-3);
});

melGraph.run();
