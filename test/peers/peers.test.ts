/**
 * What others are given must be the same model: their graphs, at a small shape, say what the checkpoint says, and their
 * files hold its weights. Runs on our own onnxruntime; the libraries themselves are not needed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { openSafetensors } from '../../models/compiler/safetensors.ts';
import { provider } from '../../providers/cpu.ts';
import type { Session, Tensor } from '../../providers/provider.ts';
import { smallestShape } from '../fixtures/random-whisper.ts';
import { script, scriptTokens, specialTokens, writeCheckpoint } from './checkpoint.ts';
import { writeGgml } from './ggml.ts';
import { harkd, harkdInt8 } from './harkd.ts';
import type { PeerFiles } from './peer.ts';
import { plainOptimised, plainUnoptimised } from './plain.ts';
import { sherpaFitted } from './sherpa.ts';
import { transformersQ8 } from './transformers.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'harkd-peers-'));
const shape = {
  ...smallestShape,
  width: 64,
  encoderLayers: 2,
  decoderLayers: 2,
  audioFrames: 1500,
  languages: 1,
};
const files: PeerFiles = {
  modelDir: path.join(dir, 'checkpoint'),
  workDir: dir,
  packagesDir: dir,
  threads: 1,
};
const { startOfTranscript, noTimestamps, endOfText } = specialTokens(shape);

const test = suite('peers');

test.before(() => writeCheckpoint(files.modelDir, shape));
test.after(() => rmSync(dir, { recursive: true, force: true }));

const open = (file: string) => provider.open(path.join(dir, file), { threads: 1, optimize: 'all' });
const float32 = (...dims: number[]): Tensor => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((product, dim) => product * dim, 1)),
});
const ids = (...values: number[]): Tensor => ({
  type: 'int64',
  dims: [1, values.length],
  data: BigInt64Array.from(values, BigInt),
});

function likeliest({ data }: Tensor): number {
  const row = (data as Float32Array).subarray(-shape.vocabularySize);
  return row.indexOf(row.reduce((most, value) => Math.max(most, value)));
}

/** Feeds the prompt, then what it says, until it ends or has said too much. */
async function listen(step: (tokens: Tensor) => Promise<Tensor>): Promise<number[]> {
  const said: number[] = [];
  let token = likeliest(await step(ids(startOfTranscript, noTimestamps)));
  while (token !== endOfText && said.length < 30) {
    said.push(token);
    token = likeliest(await step(ids(token)));
  }
  return said;
}

const sound = Float32Array.from({ length: 32_000 }, (_, i) => Math.sin(i / 9) / 3);

for (const peer of [harkd, harkdInt8, plainOptimised, plainUnoptimised]) {
  test(`${peer.name} says what the checkpoint says`, async () => {
    await peer.prepare(files);
    const { text, tokens } = await (await peer.open(files)).hear(sound);
    assert.is(text, script);
    assert.is(tokens, scriptTokens.length);
  });
}

test("sherpa-onnx's graphs say it in int8", async () => {
  await sherpaFitted.prepare(files);
  const encoder = await open('sherpa-encoder.int8.onnx');
  const decoder = await open('sherpa-decoder.int8.onnx');
  // an odd number of frames: any length will do
  const cross = await encoder.run({ mel: float32(1, shape.melBins, 203) }, encoder.outputNames);
  assert.equal(cross['n_layer_cross_k']?.dims, [shape.decoderLayers, 1, 102, shape.width]);
  const cacheDims = [shape.decoderLayers, 1, shape.textTokens, shape.width];
  let caches = [float32(...cacheDims), float32(...cacheDims)] as const;
  let offset = 0;
  const said = await listen(async (tokens) => {
    const out = await decoder.run(
      {
        tokens,
        in_n_layer_self_k_cache: caches[0],
        in_n_layer_self_v_cache: caches[1],
        ...(cross as Record<string, Tensor>),
        offset: { type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(offset)) },
      },
      decoder.outputNames,
    );
    offset += tokens.dims[1] ?? 0;
    caches = [out['out_n_layer_self_k_cache'], out['out_n_layer_self_v_cache']] as [Tensor, Tensor];
    assert.equal(caches[0].dims, cacheDims);
    return out['logits'] as Tensor;
  });
  assert.equal(said, scriptTokens);
});

/** As transformers.js does: an empty cache first, and what has no elements afterwards keeps its place. */
async function sayMerged(encoder: Session, decoder: Session): Promise<number[]> {
  const { last_hidden_state: hidden } = await encoder.run(
    { input_features: float32(1, shape.melBins, 3000) },
    ['last_hidden_state'],
  );
  const names = decoder.inputNames.filter((name) => name.startsWith('past_key_values'));
  const cache = Object.fromEntries(
    names.map((name) => [name, float32(1, shape.heads, 0, shape.width / shape.heads)]),
  );
  let first = true;
  return listen(async (tokens) => {
    const out = await decoder.run(
      {
        input_ids: tokens,
        encoder_hidden_states: hidden as Tensor,
        use_cache_branch: { type: 'bool', dims: [1], data: Uint8Array.of(first ? 0 : 1) },
        ...cache,
      },
      decoder.outputNames,
    );
    for (const name of names) {
      const present = out[name.replace('past_key_values', 'present')] as Tensor;
      if (first || name.includes('decoder')) cache[name] = present;
      else assert.is(present.dims[0], 0);
    }
    first = false;
    return out['logits'] as Tensor;
  });
}

for (const suffix of ['', '_quantized']) {
  test(`transformers.js' graphs say it${suffix === '' ? '' : ' in int8'}`, async () => {
    await transformersQ8.prepare(files);
    const encoder = await open(`transformers/onnx/encoder_model${suffix}.onnx`);
    const decoder = await open(`transformers/onnx/decoder_model_merged${suffix}.onnx`);
    assert.equal(await sayMerged(encoder, decoder), scriptTokens);
  });
}

test("whisper.cpp's file holds the same weights in blocks of 32", () => {
  const file = path.join(dir, 'ggml.bin');
  writeGgml(files.modelDir, file);
  const bytes = readFileSync(file);
  assert.is(bytes.readUInt32LE(0), 0x67676d6c);
  const { shape: known } = readArchitecture(files.modelDir);
  assert.is(bytes.readInt32LE(4), known.vocabularySize);
  const name = 'decoder.blocks.1.mlp.2.weight';
  const at = bytes.lastIndexOf(name);
  // [64, 256], innermost first, q8_0
  assert.equal(
    [-20, -16, -12, -8, -4].map((back) => bytes.readInt32LE(at + back)),
    [2, name.length, 8, 256, 64],
  );
  const values = openSafetensors(files.modelDir).read('model.decoder.layers.1.fc2.weight');
  const half = bytes.readUInt16LE(at + name.length);
  const scale = 2 ** ((half >> 10) - 15) * (1 + (half & 0x3ff) / 1024);
  for (let i = 0; i < 32; i++) {
    const got = scale * bytes.readInt8(at + name.length + 2 + i);
    assert.ok(Math.abs(got - (values[i] as number)) < scale * 0.6, `value ${i} is ${got}`);
  }
});

test.run();
