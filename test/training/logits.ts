/**
 * What the fused graphs make of the golden utterances, for the tests of models/training, which imitates them:
 * NAME.log_mel.f32 [mels, 2 T], NAME.hidden.f32 [T, D] and NAME.logits.f32 [steps, V] (-infinity at suppressed
 * tokens), in OUT.
 *
 *   node dist/test/training/logits.js MODEL_DIR OUT fp32|int8|int4 [ATTENTION_WINDOW]
 *
 * int4 is what wide models get on a machine with kernels for it, whatever the width of this one.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { weightsFor } from '../../models/compiler/profiles.ts';
import { readGolden } from '../golden.ts';
import { temporaryDir } from '../graph-files.ts';
import { encode, floats, openFused, TeacherForced } from '../whisper-graphs.ts';

const [modelDir, outDir, format, window] = process.argv.slice(2);
if (modelDir === undefined || outDir === undefined || !['fp32', 'int8', 'int4'].includes(format ?? '')) {
  throw new Error('usage: node dist/test/training/logits.js MODEL_DIR OUT fp32|int8|int4 [ATTENTION_WINDOW]');
}
const anyWideModel = 1024;
const weights =
  format === 'int4'
    ? weightsFor('dot-product', anyWideModel)
    : { weights: format as 'fp32' | 'int8', exceptions: {} };
const sessions = await openFused(modelDir, temporaryDir(), {
  ...weights,
  inspect: true,
  attentionWindow: window === undefined ? undefined : Number(window),
});
const prompt = [1, 2, 3, 4];
const { vocabularySize } = sessions.arch.shape;

mkdirSync(outDir, { recursive: true });
for (const { name, samples, steps, tokens } of readGolden()) {
  const { cross, outputs } = await encode(sessions, samples);
  const decoder = new TeacherForced(sessions, cross, 32);
  const logits = new Float32Array(steps * vocabularySize);
  for (let step = 0; step < steps; step++) {
    const fed = step === 0 ? prompt : [tokens[step - 1] as number];
    // as models/whisper/decode.ts asks: beside the last row, that of the start, for the probability of no speech
    const rows = step === 0 ? [0, prompt.length - 1] : [0];
    const answer = await decoder.step(fed, rows, step === 0 ? 0 : 1);
    logits.set(answer.logits.subarray(-vocabularySize), step * vocabularySize);
  }
  for (const output of ['log_mel', 'hidden']) {
    writeFileSync(path.join(outDir, `${name}.${output}.f32`), floats(outputs[output]));
  }
  writeFileSync(path.join(outDir, `${name}.logits.f32`), logits);
}
