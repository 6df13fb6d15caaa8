import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listModels, verifyInstalled } from '../../../models/store/installed.ts';
import { faultOf } from '../../faults.ts';
import type { Seen } from '../../fixtures/hub-server.ts';
import type { RandomWhisperOptions, Tensor } from '../../fixtures/random-whisper.ts';
import { add, forever, fresh, isWeights, model, name, plain, withHub } from './hub-tests.ts';

const unsound = suite('unsound models');

async function refusal(folder: string, storeDir = fresh()) {
  let seen: readonly Seen[] = [];
  let fault: Awaited<ReturnType<typeof faultOf>> | undefined;
  await withHub(folder, async (hub) => {
    fault = await faultOf(() => add(hub, storeDir));
    seen = hub.seen;
  });
  assert.ok(fault !== undefined);
  return { fault, fetchedWeights: seen.some(isWeights) };
}

/** A model folder with one field of a JSON file changed. */
function edited(file: string, change: (value: Record<string, unknown>) => void): string {
  const folder = model();
  const value = JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
  change(value);
  writeFileSync(path.join(folder, file), JSON.stringify(value));
  return folder;
}

unsound('another architecture is refused before its weights are fetched', async () => {
  const wav2vec = edited('config.json', (config) => {
    config['model_type'] = 'wav2vec2';
  });
  const { fault, fetchedWeights } = await refusal(wav2vec);
  assert.is(fault.code, 'MODEL_UNSUPPORTED');
  assert.match(fault.message, /wav2vec2/);
  assert.is(fetchedWeights, false);
});

unsound('so is a tokenizer of another vocabulary', async () => {
  const { fault, fetchedWeights } = await refusal(
    edited('config.json', (config) => {
      config['vocab_size'] = 51_865;
    }),
  );
  assert.is(fault.code, 'MODEL_INVALID');
  assert.match(fault.message, /tokenizer\.json/);
  assert.is(fetchedWeights, false);
});

for (const [what, options, message] of [
  [
    'a missing tensor is named',
    { alter: (all: Tensor[]) => all.filter((each) => each.name !== 'model.decoder.layers.0.fc1.weight') },
    /model\.decoder\.layers\.0\.fc1\.weight is missing/,
  ],
  [
    'a tensor of another shape is named with both',
    {
      alter: (all: Tensor[]) =>
        all.map((each) => (each.name.endsWith('conv1.bias') ? { ...each, dims: [31] } : each)),
    },
    /model\.encoder\.conv1\.bias has shape \[31\], config\.json asks for \[32\]/,
  ],
  ...(['F32', 'F16', 'BF16'] as const).map(
    (precision) =>
      [
        `NaN among the weights is found (${precision})`,
        {
          precision,
          alter: (all: Tensor[]) =>
            all.map((each) =>
              each.name.endsWith('embed_tokens.weight')
                ? { ...each, fixed: new Map([[777, Number.NaN]]) }
                : each,
            ),
        },
        /model\.decoder\.embed_tokens\.weight holds NaN or infinity \(value 777\)/,
      ] as const,
  ),
  [
    'infinity too',
    {
      alter: (all: Tensor[]) =>
        all.map((each) =>
          each.name.endsWith('layer_norm.bias')
            ? { ...each, fixed: new Map([[3, Number.NEGATIVE_INFINITY]]) }
            : each,
        ),
    },
    /layer_norm\.bias holds NaN or infinity \(value 3\)/,
  ],
] as const satisfies readonly (readonly [string, RandomWhisperOptions, RegExp])[]) {
  unsound(what, async () => {
    const storeDir = fresh();
    await withHub(plain, async (hub) => void (await add(hub, storeDir)));
    const { fault } = await refusal(model(options), storeDir);
    assert.is(fault.code, 'MODEL_INVALID');
    assert.match(fault.message, message);
    const [old] = listModels([storeDir]);
    assert.ok(old !== undefined);
    await verifyInstalled(old, forever);
    assert.equal(readdirSync(storeDir), [name], 'the old model stays, the bad one is gone');
  });
}

unsound('a shard that was published cut off', async () => {
  const folder = model({ shards: 2 });
  const shard = path.join(folder, 'model-00002-of-00002.safetensors');
  truncateSync(shard, readFileSync(shard).length - 100);
  const { fault } = await refusal(folder);
  assert.is(fault.code, 'MODEL_INVALID');
  assert.match(fault.message, /model-00002-of-00002\.safetensors: tensor .* expected within the \d+ bytes/);
});

unsound.run();
