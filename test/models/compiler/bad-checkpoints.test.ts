/** Checkpoints that are damaged, or are no Whisper: each a fault that says what and where, and nothing is left behind. */
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { compile } from '../../../models/compiler/compile.ts';
import { openCompiled } from '../../../models/compiler/compiled.ts';
import { type RandomWhisperOptions, type Tensor, writeRandomWhisper } from '../../fixtures/random-whisper.ts';
import { temporaryDir } from '../../graph-files.ts';

const bad = suite('bad checkpoints');

/** What compiling ends with; a good model is at the place before, and must be there after. */
function refused(options: RandomWhisperOptions, damage: (dir: string) => void = () => undefined): string {
  const outDir = path.join(temporaryDir(), 'out');
  const good = compile(writeRandomWhisper(temporaryDir(), { seed: 1 }), outDir).model;
  const dir = writeRandomWhisper(temporaryDir(), options);
  damage(dir);
  try {
    compile(dir, outDir);
  } catch (thrown) {
    assert.instance(thrown, Fault);
    assert.is(openCompiled(outDir).key, good.key, 'the model before still works');
    assert.equal(readdirSync(path.dirname(outDir)), ['out']);
    const fresh = path.join(temporaryDir(), 'fresh');
    assert.throws(() => compile(dir, fresh));
    assert.ok(!existsSync(fresh));
    return `${(thrown as Fault).code}: ${(thrown as Fault).message}`;
  }
  throw new Error('expected a fault, nothing was thrown');
}

const change = (name: string, to: (tensor: Tensor) => Tensor | undefined) => (tensors: Tensor[]) =>
  tensors.flatMap((tensor) => (tensor.name === name ? (to(tensor) ?? []) : tensor));

// every way a weight takes into the graphs: a product, a table, a bias, a norm, a tied head
for (const name of [
  'model.encoder.conv1.weight',
  'model.encoder.layers.0.self_attn.v_proj.bias',
  'model.encoder.embed_positions.weight',
  'model.decoder.layer_norm.weight',
  'model.decoder.layers.0.fc2.weight',
  'model.decoder.embed_tokens.weight',
]) {
  bad(`NaN or infinity in ${name} is named`, () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const alter = change(name, (tensor) => ({ ...tensor, fixed: new Map([[7, value]]) }));
      for (const precision of ['F32', 'F16'] as const) {
        assert.match(refused({ alter, precision }), `MODEL_INVALID: tensor ${name} holds ${value} (value 7)`);
      }
    }
  });
}

bad('a tensor that is missing or of another shape is named', () => {
  const name = 'model.decoder.layers.0.encoder_attn.q_proj.weight';
  assert.match(refused({ alter: change(name, () => undefined) }), `MODEL_INVALID: tensor ${name} is missing`);
  assert.match(
    refused({ alter: change(name, (tensor) => ({ ...tensor, dims: [32, 16] })) }),
    `MODEL_INVALID: tensor ${name} has shape [32, 16]`,
  );
});

bad('a shard cut off, and one that is not there', () => {
  const shard = 'model-00002-of-00003.safetensors';
  const cut = refused({ shards: 3 }, (dir) => truncateSync(path.join(dir, shard), 5000));
  assert.match(cut, 'MODEL_INVALID: ');
  assert.match(cut, shard);
  assert.match(
    refused({ shards: 3 }, (dir) => {
      const index = path.join(dir, 'model.safetensors.index.json');
      writeFileSync(index, readFileSync(index, 'utf8').replaceAll(shard, 'gone.safetensors'));
    }),
    /MODEL_MISSING: .*gone\.safetensors/,
  );
});

bad('a tokenizer of another vocabulary, and another architecture', () => {
  const edit = (file: string, with_: (json: Record<string, unknown>) => void) => (dir: string) => {
    const full = path.join(dir, file);
    const json = JSON.parse(readFileSync(full, 'utf8'));
    with_(json);
    writeFileSync(full, JSON.stringify(json));
  };
  const tokenizer = edit('tokenizer.json', (json) => {
    const added = json['added_tokens'] as { id: number; content: string }[];
    added.push({ ...(added[0] as object), id: 1_000_000, content: '<|more|>' } as never);
  });
  assert.match(refused({}, tokenizer), /MODEL_INVALID: .*(tokenizer|vocabulary)/);
  const other = edit('config.json', (json) => {
    json['model_type'] = 'moonshine';
  });
  assert.match(refused({}, other), 'MODEL_UNSUPPORTED: config.json: model_type is "moonshine"');
});

bad.run();
