import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { decodeModel, encodeModel } from '../../../models/graph/onnx.ts';
import { publishedSilero, sileroSha256 } from '../../../models/vad/bring.ts';
import { compileSilero } from '../../../models/vad/silero.ts';

const rootDir = path.join(import.meta.dirname, '../../../..');
const test = suite('compiled Silero');

// that it computes the same is tested where it is used: test/daemon/vad.test.ts

test('compiles to a flat graph of plain operators that says where it comes from', async () => {
  const { bytes, weightsByteLength } = compileSilero(await publishedSilero(rootDir), 'w', sileroSha256);
  const { graph, metadata, opsets } = decodeModel(bytes);
  assert.equal(Object.keys(opsets), ['']);
  assert.not(graph.nodes.some(({ operator }) => operator === 'If' || operator === 'Conv'));
  assert.equal(
    graph.inputs.map(({ name, dims }) => [name, dims]),
    [
      ['input', [1, 576]],
      ['state', [2, 1, 128]],
    ],
  );
  assert.equal(
    graph.outputs.map(({ name }) => name),
    ['output', 'stateN'],
  );
  assert.is(metadata['sourceSha256'], sileroSha256);
  assert.ok(weightsByteLength < 1.4e6, `${weightsByteLength} bytes of weights`);
});

test('another network is refused, by name', async () => {
  const model = decodeModel(await publishedSilero(rootDir));
  const refusal = (nodes: typeof model.graph.nodes): Fault => {
    try {
      compileSilero(encodeModel({ ...model, graph: { ...model.graph, nodes } }), 'w', '');
    } catch (error) {
      assert.instance(error, Fault);
      return error as Fault;
    }
    throw new Error('it was compiled');
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
