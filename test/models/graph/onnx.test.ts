import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { decodeModel, encodeModel, type OnnxModel } from '../../../models/graph/onnx.ts';
import { MessageWriter, readFields } from '../../../models/graph/protobuf.ts';
import { faultFrom } from '../../faults.ts';
import { randomFrom } from '../../random.ts';
import { timeBox } from '../../time-box.ts';

const onnx = suite('onnx');

const everything: OnnxModel = {
  irVersion: 10,
  producer: 'harkd',
  producerVersion: '1.2.3',
  opsets: { '': 20, 'com.microsoft': 1 },
  metadata: { source: 'a ünïcode value' },
  graph: {
    name: 'everything',
    nodes: [
      {
        name: 'n',
        operator: 'Op',
        domain: 'com.microsoft',
        inputs: ['x', '', 'w'],
        outputs: ['y'],
        attributes: {
          f: { kind: 'float', value: 0.5 },
          zero: { kind: 'float', value: 0 },
          i: { kind: 'int', value: -9_223_372_036_854_775_808n },
          s: { kind: 'string', value: 'none' },
          t: {
            kind: 'tensor',
            value: { name: 't', type: 'bool', dims: [], data: { kind: 'inline', bytes: Uint8Array.of(1) } },
          },
          g: {
            kind: 'graph',
            value: { name: 'inner', nodes: [], initializers: [], inputs: [], outputs: [], values: [] },
          },
          fs: { kind: 'floats', value: [1, -2.5] },
          is: { kind: 'ints', value: [0n, -1n, 9_223_372_036_854_775_807n] },
          ss: { kind: 'strings', value: ['a', ''] },
          none: { kind: 'ints', value: [] },
        },
      },
    ],
    initializers: [
      {
        name: 'w',
        type: 'int8',
        dims: [2, 3],
        data: { kind: 'inline', bytes: Uint8Array.of(1, 2, 3, 253, 254, 255) },
      },
      {
        name: 'big',
        type: 'float32',
        dims: [1000, 1000],
        data: { kind: 'external', location: 'w.bin', offset: 64, byteLength: 4_000_000 },
      },
    ],
    inputs: [{ name: 'x', type: 'float32', dims: [1, 'samples', undefined] }],
    outputs: [{ name: 'y', type: 'int64', dims: [] }],
    values: [{ name: 'z', type: 'uint8', dims: [4] }],
  },
};

onnx('what is written is read back equal', () => {
  assert.equal(decodeModel(encodeModel(everything)), everything);
});

onnx('bytes are those of protobuf, by hand', () => {
  // 300 is the varint ac 02 in the documentation of the encoding; -1 takes ten bytes
  assert.equal([...new MessageWriter().int(1, 300).finish()], [0x08, 0xac, 0x02]);
  assert.equal([...new MessageWriter().int(2, -1).finish()], [0x10, ...Array(9).fill(0xff), 0x01]);
  assert.equal([...new MessageWriter().string(20, 'hi').finish()], [0xa2, 0x01, 2, 0x68, 0x69]);
  assert.equal([...new MessageWriter().float(2, 1).finish()], [0x15, 0, 0, 0x80, 0x3f]);
  assert.equal([...new MessageWriter().packedInts(8, [1, 300]).finish()], [0x42, 3, 1, 0xac, 0x02]);
});

onnx('values that other writers put in typed fields are read as raw bytes', () => {
  const tensor = new MessageWriter().int(1, 2).int(2, 1).float(4, 1.5).float(4, -1).string(8, 'w');
  const longs = new MessageWriter().packedInts(1, [2]).int(2, 7).packedInts(7, [-1, 5]).string(8, 'i');
  const graph = new MessageWriter().message(5, tensor).message(5, longs);
  const opset = new MessageWriter().int(2, 17);
  const model = decodeModel(new MessageWriter().message(7, graph).message(8, opset).finish());
  const [w, i] = model.graph.initializers;
  assert.equal(w?.data, { kind: 'inline', bytes: new Uint8Array(Float32Array.of(1.5, -1).buffer) });
  assert.equal(i?.data, { kind: 'inline', bytes: new Uint8Array(BigInt64Array.of(-1n, 5n).buffer) });
});

onnx('a tensor whose bytes do not fit its shape is named', () => {
  const tensor = {
    name: 'short',
    type: 'float32',
    dims: [2],
    data: { kind: 'inline', bytes: new Uint8Array(7) },
  };
  const broken = { ...everything, graph: { ...everything.graph, initializers: [tensor] } } as OnnxModel;
  const fault = faultFrom(() => decodeModel(encodeModel(broken)));
  assert.is(fault.code, 'MODEL_INVALID');
  assert.match(fault.message, 'tensor short has 7 bytes, its shape [2] needs 8');
});

onnx('external data may not leave the directory of the model', () => {
  for (const location of ['/etc/passwd', '../other/w.bin', 'a/../../w.bin']) {
    const tensor = {
      name: 'w',
      type: 'int8',
      dims: [4],
      data: { kind: 'external', location, offset: 0, byteLength: 4 },
    };
    const broken = { ...everything, graph: { ...everything.graph, initializers: [tensor] } } as OnnxModel;
    assert.match(faultFrom(() => decodeModel(encodeModel(broken))).message, 'outside the model');
  }
});

onnx('nested without end is refused before the stack is', () => {
  let graph = new MessageWriter();
  for (let i = 0; i < 200; i++) {
    const attribute = new MessageWriter().string(1, 'body').message(6, graph).int(20, 5);
    graph = new MessageWriter().message(1, new MessageWriter().string(4, 'If').message(5, attribute));
  }
  const bytes = new MessageWriter().message(7, graph).message(8, new MessageWriter().int(2, 1)).finish();
  assert.match(faultFrom(() => decodeModel(bytes)).message, 'nested');
});

onnx('a length near 2^64 does not wrap into range', () => {
  const bytes = Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0);
  assert.match(faultFrom(() => [...readFields(bytes)]).message, 'past the end');
});

onnx('every truncation is a fault, never a crash or a model', () => {
  // the operator set is the last field: without it there is no model
  const bytes = encodeModel({ ...everything, metadata: {}, opsets: { '': 20 } });
  for (let length = 0; length < bytes.length; length++) {
    assert.is(faultFrom(() => decodeModel(bytes.subarray(0, length))).code, 'MODEL_INVALID');
  }
});

onnx('damaged bytes are a fault or a model, never another error (1 s of seeded damage)', () => {
  const good = encodeModel(everything);
  const random = randomFrom(20_261_122);
  const another = timeBox(1000, 500);
  let faults = 0;
  let rounds = 0;
  while (another()) {
    const bytes = good.slice(0, random() < 0.2 ? Math.floor(random() * good.length) : good.length);
    for (let i = 0; i < 1 + random() * 8; i++)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    rounds++;
    try {
      decodeModel(bytes);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      faults++;
    }
  }
  assert.ok(faults > rounds / 4, `${faults} faults in ${rounds} rounds`);
});

onnx.run();
