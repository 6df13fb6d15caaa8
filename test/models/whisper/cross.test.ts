import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { crossByLayer } from '../../../models/whisper/cross.ts';

const shape = {
  melBins: 80,
  modelWidth: 6,
  encoderLayers: 1,
  decoderLayers: 2,
  decoderHeads: 3,
  headWidth: 2,
  vocabularySize: 50,
  maxTextTokens: 100,
  maxAudioFrames: 1500,
};
const cross = suite('cross keys and values');

cross('are parted layer by layer, keys before values, in the memory they came in', () => {
  const [frames, part] = [5, 3 * 5 * 2];
  const data = Float32Array.from({ length: 4 * part }, (_, i) => i);
  const parts = crossByLayer({ type: 'float32', dims: [1, 12, frames, 2], data }, shape);
  assert.equal(Object.keys(parts), ['cross_key_0', 'cross_value_0', 'cross_key_1', 'cross_value_1']);
  for (const [i, tensor] of Object.values(parts).entries()) {
    assert.equal(tensor.dims, [1, 3, frames, 2]);
    assert.equal([tensor.data[0], tensor.data.at(-1)], [i * part, (i + 1) * part - 1]);
    assert.is(tensor.data.buffer, data.buffer);
  }
});

cross('that are missing are no keys and values', () => {
  assert.throws(() => crossByLayer(undefined, shape), /expected float32/);
});

cross.run();
