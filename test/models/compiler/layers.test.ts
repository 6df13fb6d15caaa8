import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Fault } from '../../../daemon/faults.ts';
import { compile } from '../../../models/compiler/compile.ts';
import { temporaryDir } from '../../graph-files.ts';
import { unlike, writeSmallWhisper } from '../../small-whisper.ts';

const layers = suite('layer selection');
const model = { ...unlike, encoderLayers: 3, precision: 'F32' as const };
const dir = writeSmallWhisper(temporaryDir(), model);

layers('what is left out is not in the graphs, and what is kept is in its order', () => {
  const whole = compile(dir, path.join(temporaryDir(), 'whole')).model;
  const options = { keepEncoderLayers: [0, 2], keepDecoderLayers: [1] };
  const out = path.join(temporaryDir(), 'out');
  const some = compile(dir, out, options);
  assert.is(some.model.shape.encoderLayers, 2);
  assert.is(some.model.shape.decoderLayers, 1);
  assert.equal(some.model.options.keepEncoderLayers, [0, 2]);
  assert.ok(some.report.bytesAfter < whole.report.bytesAfter);
  assert.is(some.report.operatorsBefore, whole.report.operatorsBefore, 'before is before leaving out');
  assert.is(compile(dir, out, options).cached, true);
  assert.is(compile(dir, out, { ...options, keepDecoderLayers: [0] }).cached, false);
});

/** The checkpoint in `from` with the tensors that `rename` has a name for, written byte by byte. */
function rewrite(from: string, to: string, rename: (name: string) => string | undefined): void {
  const bytes = readFileSync(path.join(from, 'model.safetensors'));
  const dataStart = 8 + Number(bytes.readBigUInt64LE(0));
  type Entry = { readonly data_offsets: readonly [number, number] };
  const header: Record<string, Entry> = JSON.parse(bytes.toString('utf8', 8, dataStart));
  const parts: Uint8Array[] = [];
  let at = 0;
  const renamed: Record<string, Entry> = {};
  for (const [name, entry] of Object.entries(header)) {
    const as = rename(name);
    if (as === undefined) continue;
    const [begin, end] = entry.data_offsets;
    renamed[as] = { ...entry, data_offsets: [at, at + end - begin] };
    parts.push(bytes.subarray(dataStart + begin, dataStart + end));
    at += end - begin;
  }
  const json = Buffer.from(JSON.stringify(renamed));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path.join(to, 'model.safetensors'), Buffer.concat([length, json, ...parts]));
}

layers('a model without some layers is the model that never had them', () => {
  const never = temporaryDir();
  cpSync(dir, never, { recursive: true });
  const config = JSON.parse(readFileSync(path.join(dir, 'config.json'), 'utf8'));
  writeFileSync(
    path.join(never, 'config.json'),
    JSON.stringify({ ...config, encoder_layers: 2, decoder_layers: 1 }),
  );
  const place: Readonly<Record<string, string>> = { 'encoder.0': '0', 'encoder.2': '1', 'decoder.1': '0' };
  rewrite(dir, never, (name) => {
    const [, half, layer] = /(encoder|decoder)\.layers\.(\d+)/.exec(name) ?? [];
    if (half === undefined) return name;
    const moved = place[`${half}.${layer}`];
    return moved === undefined ? undefined : name.replace(/layers\.\d+/, `layers.${moved}`);
  });
  const out = () => path.join(temporaryDir(), 'out');
  const selected = compile(dir, out(), { keepEncoderLayers: [0, 2], keepDecoderLayers: [1] }).model;
  const written = compile(never, out()).model;
  for (const file of ['encoder.onnx', 'encoder.bin', 'decoder.onnx', 'decoder.bin']) {
    assert.equal(selected.files[file], written.files[file], file);
  }
});

layers('layers that are not there, twice there or out of order are refused', () => {
  for (const keepEncoderLayers of [[], [3], [-1], [0, 0], [2, 0], [0.5], [Number.NaN]]) {
    try {
      compile(dir, path.join(temporaryDir(), 'out'), { keepEncoderLayers });
      assert.unreachable(`${keepEncoderLayers}`);
    } catch (thrown) {
      assert.is((thrown as Fault).code, 'USAGE_INVALID');
      assert.match((thrown as Fault).message, 'expected some of 0 to 2');
    }
  }
});

layers.run();
