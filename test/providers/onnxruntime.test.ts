import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toFault } from '../../daemon/faults.ts';
import { GraphBuilder } from '../../models/graph/builder.ts';
import { provider } from '../../providers/cpu.ts';
import type { Tensor } from '../../providers/provider.ts';
import { temporaryDir, writeGraph } from '../graph-files.ts';

const session = suite('onnxruntime session');
const dir = temporaryDir();

/** y = x w, with a weight large enough to lie in the file beside the graph. */
function writeProduct(): string {
  const graph = new GraphBuilder('product', 'product.bin');
  const x = graph.input('x', 'float32', ['rows', 2]);
  const small = graph.weight('small', 'float32', [2], () => Float32Array.of(1, 1));
  const w = graph.weight('w', 'float32', [2, 300], () => Float32Array.from({ length: 600 }, (_, i) => i));
  const again = graph.weight('w2', 'float32', [2, 300], () => new Float32Array(600).fill(2));
  graph.output('y', graph.matMul(graph.mul(x, small), w), 'float32', ['rows', 300]);
  graph.output('z', graph.matMul(x, again), 'float32', ['rows', 300]);
  return writeGraph(dir, 'product', 'product.bin', graph.finish('0'));
}

const productPath = writeProduct();
const x: Tensor = { type: 'float32', dims: [1, 2], data: Float32Array.of(1, 10) };

session('runs a graph whose weights lie beside it', async () => {
  const product = await provider.open(productPath);
  assert.equal(product.inputNames, ['x']);
  assert.equal(product.outputNames, ['y', 'z']);
  const { y, z } = await product.run({ x }, ['y', 'z']);
  assert.equal(y?.dims, [1, 300]);
  assert.is(y?.data[0], 3000);
  assert.is(y?.data[299], 299 + 5990);
  assert.is(z?.data[7], 22);
  await product.close();
});

session('an output given a tensor is written into it', async () => {
  const product = await provider.open(productPath);
  const target: Tensor = { type: 'float32', dims: [1, 300], data: new Float32Array(300) };
  const { z } = await product.run({ x }, ['z'], { z: target });
  assert.is(z, target);
  assert.is(target.data[0], 22);
  await product.close();
});

session('what is released is empty at once, and may be released again', async () => {
  const product = await provider.open(productPath);
  const made = Object.values(await product.run({ x }, ['y', 'z']));
  const before = process.memoryUsage().arrayBuffers;
  product.release(made);
  assert.equal(
    made.map(({ data }) => data.length),
    [0, 0],
  );
  assert.ok(process.memoryUsage().arrayBuffers <= before - 2 * 300 * 4);
  product.release(made);
  product.release([]);
  // of what was written into, the library's copy is released, not the tensor
  const target: Tensor = { type: 'float32', dims: [1, 300], data: new Float32Array(300) };
  await product.run({ x }, ['z'], { z: target });
  assert.is(target.data.length, 300);
  await product.close();
});

session('a cache fed and fetched as the same tensor is appended to in place', async () => {
  const graph = new GraphBuilder('cache', 'cache.bin');
  const packed = graph.input('packed', 'float32', [1, 'S', 24]);
  const last = graph.input('last', 'int32', [1]);
  const total = graph.input('total', 'int32', []);
  const key = graph.input('key', 'float32', [1, 1, 'C', 8]);
  const value = graph.input('value', 'float32', [1, 1, 'C', 8]);
  const [attended, newKey, newValue] = graph.groupQueryAttention(packed, { key, value }, last, total, 1);
  graph.output('attended', attended, 'float32', [1, 'S', 8]);
  graph.output('newKey', newKey, 'float32', [1, 1, 'C', 8]);
  graph.output('newValue', newValue, 'float32', [1, 1, 'C', 8]);
  const cache = await provider.open(writeGraph(dir, 'cache', 'cache.bin', graph.finish('0')));
  const caches = [1, 2].map(
    (): Tensor => ({ type: 'float32', dims: [1, 1, 4, 8], data: new Float32Array(32) }),
  );
  const [keys, values] = caches as [Tensor, Tensor];
  for (const position of [0, 1, 2]) {
    const feeds: Record<string, Tensor> = {
      packed: { type: 'float32', dims: [1, 1, 24], data: new Float32Array(24).fill(position + 1) },
      last: { type: 'int32', dims: [1], data: Int32Array.of(position) },
      total: { type: 'int32', dims: [], data: Int32Array.of(position + 1) },
      key: keys,
      value: values,
    };
    const outputs = await cache.run(feeds, ['attended', 'newKey', 'newValue'], {
      newKey: keys,
      newValue: values,
    });
    assert.is(outputs['newKey'], keys);
  }
  assert.equal(
    [...keys.data.slice(0, 32)],
    [1, 2, 3, 0].flatMap((n) => Array(8).fill(n)),
  );
  assert.equal(
    [...values.data.slice(0, 32)],
    [1, 2, 3, 0].flatMap((n) => Array(8).fill(n)),
  );
  await cache.close();
});

async function faultCodeOf(graphPath: string): Promise<string> {
  return provider.open(graphPath).then(
    () => 'opened',
    (thrown: unknown) => toFault(thrown).code,
  );
}

session('a missing graph, a damaged one and one without its weights are told apart from bugs', async () => {
  assert.is(await faultCodeOf(path.join(dir, 'nothing.onnx')), 'MODEL_MISSING');
  const bytes = readFileSync(productPath);
  writeFileSync(path.join(dir, 'half.onnx'), bytes.subarray(0, bytes.length / 2));
  assert.is(await faultCodeOf(path.join(dir, 'half.onnx')), 'MODEL_INVALID');
  writeFileSync(path.join(dir, 'text.onnx'), 'not a graph');
  assert.is(await faultCodeOf(path.join(dir, 'text.onnx')), 'MODEL_INVALID');
  const alone = path.join(temporaryDir(), 'product.onnx');
  writeFileSync(alone, bytes);
  assert.is(await faultCodeOf(alone), 'MODEL_INVALID');
});

session.run();
