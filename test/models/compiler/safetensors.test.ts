import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import { openSafetensors } from '../../../models/compiler/safetensors.ts';
import { faultFrom } from '../../faults.ts';
import { temporaryDir } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';
import { timeBox } from '../../time-box.ts';

const safetensors = suite('safetensors');
const root = temporaryDir();
let made = 0;

function file(header: unknown, data: Uint8Array, headerBytes?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerBytes ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function modelWith(files: Record<string, Uint8Array | string>): string {
  const dir = path.join(root, String(made++));
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(dir, name), content);
  return dir;
}

const tensor = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

safetensors('float32, float16 and bfloat16 are read as float32', () => {
  const f32 = Float32Array.of(1.5, -2, 3e-39);
  const f16 = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0xfe00);
  const bf16 = Uint16Array.of(0x3f80, 0xc2f7);
  const data = new Uint8Array(12 + 12 + 4);
  data.set(new Uint8Array(f32.buffer), 0);
  data.set(new Uint8Array(f16.buffer), 12);
  data.set(new Uint8Array(bf16.buffer), 24);
  const weights = openSafetensors(
    modelWith({
      'model.safetensors': file(
        {
          __metadata__: { format: 'pt' },
          a: tensor('F32', [3], 0, 12),
          b: tensor('F16', [2, 3], 12, 24),
          c: tensor('BF16', [2], 24, 28),
        },
        data,
      ),
    }),
  );
  assert.equal(weights.names, ['a', 'b', 'c']);
  assert.equal(weights.dims('b'), [2, 3]);
  assert.equal(weights.read('a'), f32);
  assert.equal([...weights.read('b')], [1, -2, 65504, 2 ** -24, Number.POSITIVE_INFINITY, Number.NaN]);
  assert.equal([...weights.read('c')], [1, -123.5]);
  assert.is(weights.dims('d'), undefined);
});

safetensors('shards are found through their index', () => {
  const part = (name: string, value: number) =>
    file({ [name]: tensor('F32', [1], 0, 4) }, new Uint8Array(Float32Array.of(value).buffer));
  const weights = openSafetensors(
    modelWith({
      'model.safetensors.index.json': JSON.stringify({
        weight_map: { a: 'one.safetensors', b: 'two.safetensors' },
      }),
      'one.safetensors': part('a', 1),
      'two.safetensors': part('b', 2),
    }),
  );
  assert.is(weights.read('b')[0], 2);
  const escaping = modelWith({
    'model.safetensors.index.json': JSON.stringify({ weight_map: { a: '../one.safetensors' } }),
  });
  assert.match(faultFrom(() => openSafetensors(escaping)).message, 'same directory');
});

const eight = new Uint8Array(8);
const hostile: [string, Uint8Array, RegExp][] = [
  ['nothing', new Uint8Array(0), /too short/],
  ['a header longer than the file', file({}, eight, 2n ** 63n), /declares a header/],
  ['a header length past 2^53', file({}, eight, 2n ** 64n - 1n), /declares a header/],
  ['a header that is not JSON', file('{"a":', eight), /not JSON/],
  ['a header that is a list', file('[]', eight), /not an object/],
  ['a tensor that is a number', file({ w: 3 }, eight), /tensor w is not described/],
  ['an unknown type', file({ w: tensor('I8', [8], 0, 8) }, eight), /tensor w has type "I8"/],
  ['a type called constructor', file({ w: tensor('constructor', [8], 0, 8) }, eight), /tensor w has type/],
  ['a negative dimension', file({ w: tensor('F32', [-2], 0, 8) }, eight), /tensor w has shape/],
  ['half a dimension', file({ w: tensor('F32', [0.5], 0, 8) }, eight), /tensor w has shape/],
  [
    'dimensions whose product overflows',
    file({ w: tensor('F32', Array(9).fill(2 ** 52), 0, 8) }, eight),
    /tensor w of/,
  ],
  ['offsets past the end', file({ w: tensor('F32', [4], 0, 16) }, eight), /tensor w lies at 0\.\.16/],
  ['offsets backwards', file({ w: tensor('F32', [2], 8, 0) }, eight), /tensor w lies at 8\.\.0/],
  ['offsets as text', file({ w: tensor('F32', [2], '0', '8') }, eight), /tensor w has offsets/],
  [
    'a shape larger than its bytes',
    file({ w: tensor('F32', [3], 0, 8) }, eight),
    /tensor w .* takes 12 bytes/,
  ],
  [
    'two tensors on one memory',
    file({ v: tensor('F32', [2], 0, 8), w: tensor('F32', [1], 4, 8) }, eight),
    /tensor w overlaps/,
  ],
  ['a hole', file({ w: tensor('F32', [1], 4, 8) }, eight), /4 bytes before tensor w/],
  ['trailing bytes', file({ w: tensor('F32', [1], 0, 4) }, eight), /4 trailing bytes/],
];

for (const [what, bytes, message] of hostile) {
  safetensors(`${what} is refused`, () => {
    const fault = faultFrom(() => openSafetensors(modelWith({ 'model.safetensors': bytes })));
    assert.is(fault.code, 'MODEL_INVALID');
    assert.match(fault.message, message);
  });
}

safetensors('a directory without weights says what was expected', () => {
  assert.is(faultFrom(() => openSafetensors(modelWith({}))).code, 'MODEL_MISSING');
});

safetensors('damaged headers are refused or read, never another error (1 s, seeded)', () => {
  const good = file({ a: tensor('F32', [2, 3], 0, 24), b: tensor('F16', [4], 24, 32) }, new Uint8Array(32));
  const random = randomFrom(7);
  const dir = modelWith({});
  const another = timeBox(1000, 500);
  let refused = 0;
  let rounds = 0;
  while (another()) {
    const bytes = good.slice(0, random() < 0.2 ? Math.floor(random() * good.length) : good.length);
    for (let i = 0; i < random() * 4; i++) {
      // mostly digits and brackets, so that much of it is still JSON
      const palette = '0123456789[]{},:"-';
      const at = Math.floor(random() * bytes.length);
      const palettedByte = palette.charCodeAt(Math.floor(random() * palette.length));
      bytes[at] = random() < 0.7 ? palettedByte : Math.floor(random() * 256);
    }
    writeFileSync(path.join(dir, 'model.safetensors'), bytes);
    rounds++;
    try {
      const weights = openSafetensors(dir);
      for (const name of weights.names) {
        const count = (weights.dims(name) ?? []).reduce((product, dim) => product * dim, 1);
        assert.is(weights.read(name).length, count);
      }
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      refused++;
    }
  }
  assert.ok(refused > rounds / 4 && refused < rounds, `${refused} of ${rounds}`);
});

safetensors.run();
