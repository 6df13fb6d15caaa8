import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readArchitecture } from '../../../models/compiler/architecture.ts';
import { compile } from '../../../models/compiler/compile.ts';
import { buildDecoder } from '../../../models/compiler/fused-decoder.ts';
import { formatOf, matrixRoles } from '../../../models/compiler/matrix.ts';
import { completeOptions } from '../../../models/compiler/options.ts';
import { cpuProfiles, weightsFor } from '../../../models/compiler/profiles.ts';
import { smallestShape, writeRandomWhisper } from '../../fixtures/random-whisper.ts';
import { embeddedModelDir, type GoldenUtterance, readGolden } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { encode, openFused, TeacherForced } from '../../whisper-graphs.ts';

const profiles = suite('cpu profiles');
/** The narrowest published Whisper. */
const tiny = 384;

profiles('without dot product everything is int8', () => {
  for (const role of matrixRoles) assert.is(formatOf(role, weightsFor('no-dot-product', tiny)), 'int8');
});

profiles('with it, what is read for one token at a time has 4 bits, but what is looked up', () => {
  for (const profile of cpuProfiles.filter((profile) => profile !== 'no-dot-product')) {
    const weights = weightsFor(profile, tiny);
    const fourBits = matrixRoles.filter((role) => formatOf(role, weights).startsWith('int4'));
    assert.equal(
      fourBits.filter((role) => role !== 'embedding'),
      [
        'decoder.qkv',
        'decoder.out',
        'decoder.cross_query',
        'decoder.cross_out',
        'decoder.up',
        'decoder.down',
        'head',
      ],
    );
    assert.is(formatOf('cross.keys_values', weights), 'int8', 'its input has many rows');
    assert.is(formatOf('decoder.1.down', weights), 'int4');
    assert.is(formatOf('head', weights), 'int4-128');
  }
});

profiles('int8 weights of a decoder lie where the library can rewrite them only where it may have to', () => {
  const rewritable = (profile: (typeof cpuProfiles)[number], width: number) =>
    completeOptions({ profile, weights: 'int8' }, width).rewritable === true;
  for (const profile of cpuProfiles) {
    assert.not(rewritable(profile, tiny), profile);
    assert.ok(rewritable(profile, tiny / 2), profile);
  }

  const arch = readArchitecture(embeddedModelDir);
  const matrices = (rewritable: boolean) => {
    const options = { weights: 'int8', exceptions: {}, inspect: false, rewritable } as const;
    const { graph } = buildDecoder(arch, 'decoder.bin', options).model;
    const body = graph.nodes.find(({ operator }) => operator === 'Loop')?.attributes['body'];
    assert.is(body?.kind, 'graph');
    const inside = body?.kind === 'graph' ? body.value.initializers : [];
    return [graph.initializers, inside].map((all) => all.filter(({ type }) => type === 'int8').length);
  };
  // twelve in two layers, the head, and the embeddings
  assert.equal(matrices(true), [0, 14]);
  assert.equal(matrices(false), [14, 0]);
});

profiles('wide models have unsigned weights for x86 without VNNI, with the same sums', async () => {
  const unsigned = (profile: (typeof cpuProfiles)[number], width: number) =>
    completeOptions({ profile }, width).unsigned === true;
  assert.equal(
    cpuProfiles.filter((profile) => unsigned(profile, tiny)),
    ['avx2'],
  );
  for (const profile of cpuProfiles) assert.not(unsigned(profile, tiny / 2), profile);

  const [golden] = readGolden();
  const hear = async (care: { readonly rewritable: true } | { readonly unsigned: true }) => {
    const sessions = await openFused(embeddedModelDir, temporaryDir(), { weights: 'int8', ...care });
    const { cross } = await encode(sessions, (golden as GoldenUtterance).samples);
    const { logits } = await new TeacherForced(sessions, cross, 16).step([2, 5, 9, 4], [3], 0);
    await Promise.all([sessions.encoder.close(), sessions.decoder.close()]);
    return { ...cross, logits };
  };
  assert.equal(await hear({ rewritable: true }), await hear({ unsigned: true }));
});

profiles('the embedded model is the same on every machine', () => {
  const out = path.join(temporaryDir(), 'out');
  const { model } = compile(embeddedModelDir, out);
  for (const profile of cpuProfiles) {
    const again = compile(embeddedModelDir, out, { profile });
    assert.is(again.cached, true, profile);
    assert.is(again.model.key, model.key);
  }
});

profiles('a wide model is compiled for the processor, unless told what to be', () => {
  const dir = writeRandomWhisper(temporaryDir(), {
    shape: { ...smallestShape, width: 384, heads: 6, encoderLayers: 1, decoderLayers: 1 },
  });
  const at = (name: string) => path.join(temporaryDir(), name);
  const int8 = compile(dir, at('a'), { profile: 'no-dot-product' }).model;
  const int4 = compile(dir, at('b'), { profile: 'dot-product' }).model;
  assert.is(int8.options.weights, 'int8');
  assert.equal(int8.options.exceptions, {});
  assert.equal(int4.options.exceptions, { decoder: 'int4', head: 'int4-128' });
  const size = (model: typeof int4) => model.files['decoder.bin']?.bytes as number;
  assert.ok(size(int4) < 0.8 * size(int8), `${size(int4)} of ${size(int8)}`);
  const told = compile(dir, at('c'), { profile: 'dot-product', weights: 'int8' }).model;
  assert.is(told.key, int8.key);
  const partly = compile(dir, at('d'), { profile: 'dot-product', exceptions: { head: 'int8' } }).model;
  assert.equal(partly.options.exceptions, { decoder: 'int4', head: 'int8' });
  const whole = completeOptions({ profile: 'dot-product', exceptions: { decoder: 'int8' } }, tiny);
  assert.equal(whole.exceptions, { decoder: 'int8' }, 'the head is part of the decoder');
  const other = completeOptions({ profile: 'dot-product', exceptions: { encoder: 'fp32' } }, tiny);
  assert.equal(other.exceptions, { decoder: 'int4', encoder: 'fp32', head: 'int4-128' });
});

profiles.run();
