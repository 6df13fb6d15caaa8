import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readArchitecture } from '../../../models/compiler/architecture.ts';
import { faultFrom } from '../../faults.ts';
import { embeddedModelDir } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { unlike, writeSmallWhisper } from '../../small-whisper.ts';

const architecture = suite('architecture');

const refused = (change: Parameters<typeof writeSmallWhisper>[2]) => {
  const fault = faultFrom(() => readArchitecture(writeSmallWhisper(temporaryDir(), unlike, change)));
  return `${fault.code}: ${fault.message}`;
};

architecture('the embedded model is described from its files', () => {
  const { shape, tokens, decoder } = readArchitecture(embeddedModelDir);
  assert.equal(shape, {
    melBins: 80,
    modelWidth: 192,
    encoderLayers: 6,
    decoderLayers: 2,
    decoderHeads: 3,
    headWidth: 64,
    vocabularySize: 1000,
    maxTextTokens: 64,
    maxAudioFrames: 1500,
  });
  assert.equal(tokens, {
    suppress: [1, 2, 3, 4, 5],
    beginSuppress: [],
    noSpeech: 5,
    endOfText: 0,
    timestamps: undefined,
  });
  assert.is(decoder.head, undefined);
});

architecture('another shape is described just as well', () => {
  const { shape, encoderHeads, tokens, decoder } = readArchitecture(
    writeSmallWhisper(temporaryDir(), unlike),
  );
  assert.is(shape.melBins, 128);
  assert.is(shape.headWidth, 24);
  assert.is(encoderHeads, 3);
  assert.equal(tokens.beginSuppress, [7, 0]);
  assert.equal(decoder.head?.dims, [1000, 48]);
});

architecture('other architectures are unsupported, and told why', () => {
  assert.match(
    refused((config) => (config['model_type'] = 'wav2vec2')),
    'MODEL_UNSUPPORTED: config.json: model_type',
  );
  assert.match(
    refused((config) => (config['activation_function'] = 'relu')),
    'activation_function is "relu"',
  );
  assert.match(
    refused((config) => (config['scale_embedding'] = true)),
    'MODEL_UNSUPPORTED',
  );
  assert.match(
    refused((config) => (config['decoder_attention_heads'] = 12)),
    'heads of a multiple of 8',
  );
});

architecture('a missing tensor and a wrong shape are named', () => {
  const missing = refused((_, shapes) => delete shapes['model.decoder.layers.1.fc2.bias']);
  assert.match(missing, 'MODEL_INVALID: tensor model.decoder.layers.1.fc2.bias is missing');
  const wrong = refused((_, shapes) => (shapes['model.encoder.conv1.weight'] = [48, 80, 3]));
  assert.match(
    wrong,
    'tensor model.encoder.conv1.weight has shape [48, 80, 3], config.json asks for [48, 128, 3]',
  );
});

architecture('a tensor the compiler would leave out is refused, not ignored', () => {
  const extra = refused((_, shapes) => (shapes['model.encoder.layers.0.self_attn.k_proj.bias'] = [48]));
  assert.match(extra, 'MODEL_UNSUPPORTED: tensor model.encoder.layers.0.self_attn.k_proj.bias has no place');
});

architecture('numbers that cannot be are refused', () => {
  for (const value of [0, -1, 1.5, 1e9, '48', null]) {
    assert.match(
      refused((config) => (config['encoder_layers'] = value)),
      'encoder_layers is',
    );
  }
  assert.match(
    refused((config) => (config['suppress_tokens'] = [1000])),
    'suppress_tokens is [1000]',
  );
  assert.match(
    refused((config) => (config['begin_suppress_tokens'] = 'x')),
    'begin_suppress_tokens is "x"',
  );
});

architecture('missing and broken files are told apart', () => {
  const dir = writeSmallWhisper(temporaryDir(), unlike);
  writeFileSync(path.join(dir, 'config.json'), '{');
  assert.is(faultFrom(() => readArchitecture(dir)).code, 'MODEL_INVALID');
  rmSync(path.join(dir, 'config.json'));
  assert.is(faultFrom(() => readArchitecture(dir)).code, 'MODEL_MISSING');
  const other = writeSmallWhisper(temporaryDir(), unlike);
  rmSync(path.join(other, 'tokenizer.json'));
  assert.match(faultFrom(() => readArchitecture(other)).message, 'tokenizer.json');
});

architecture.run();
