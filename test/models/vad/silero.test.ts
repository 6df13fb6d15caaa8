import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { decodeModel, encodeModel } from '../../../models/graph/onnx.ts';
import { publishedSilero } from '../../../models/vad/bring.ts';
import { packSilero } from '../../../models/vad/silero.ts';

const rootDir = path.join(import.meta.dirname, '../../../..');
const test = suite('packed Silero');

// that it computes the same is tested where it is used: test/daemon/vad.test.ts

test('holds every weight of the published graph once, but for the transform, which is computed', async () => {
  const packed = packSilero(await publishedSilero(rootDir));
  const layer = (inputs: number, outputs: number) => (inputs + 1) * outputs;
  const convolutions = layer(3 * 129, 128) + layer(3 * 128, 64) + layer(2 * 64, 64) + layer(64, 128);
  const rest = 256 + layer(256, 512) + layer(128, 1);
  // parts begin at multiples of 16: the last one alone does not end at one
  assert.is(packed.length, convolutions + rest + 15);
  assert.ok(packed.every(Number.isFinite));
});

test('another network is refused, by name', async () => {
  const model = decodeModel(await publishedSilero(rootDir));
  const refusal = (nodes: typeof model.graph.nodes): Fault => {
    try {
      packSilero(encodeModel({ ...model, graph: { ...model.graph, nodes } }));
    } catch (error) {
      assert.instance(error, Fault);
      return error as Fault;
    }
    throw new Error('it was packed');
  };
  const withoutIf = refusal(model.graph.nodes.filter(({ operator }) => operator !== 'If'));
  assert.is(withoutIf.code, 'MODEL_UNSUPPORTED');
  assert.match(withoutIf.message, /no If with a then_branch/);

  // the branch for 8 kHz in the place of the one for 16 kHz
  const swapped = refusal(
    model.graph.nodes.map((node) => {
      const { then_branch, else_branch, ...rest } = node.attributes;
      if (then_branch === undefined || else_branch === undefined) return node;
      return { ...node, attributes: { ...rest, then_branch: else_branch, else_branch: then_branch } };
    }),
  );
  assert.is(swapped.code, 'MODEL_UNSUPPORTED');
  assert.match(swapped.message, /stft\.forward_basis_buffer is \[130,1,128\], expected \[258,1,256\]/);
});

test('a package that is not installed is named', async () => {
  try {
    await publishedSilero('/nonexistent');
    assert.unreachable('found a graph there');
  } catch (error) {
    assert.is((error as Fault).code, 'MODEL_MISSING');
    assert.match((error as Fault).message, /@ricky0123\/vad-web/);
  }
});

test.run();
