/** The plain graphs against the same reference as the fused ones, and both against each other on another shape. */
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Architecture, readArchitecture } from '../../../models/compiler/architecture.ts';
import { buildPlainDecoder, buildPlainEncoder } from '../../../models/compiler/plain.ts';
import { logMel } from '../../../models/whisper/mel.ts';
import { provider } from '../../../providers/cpu.ts';
import type { Session, Tensor } from '../../../providers/provider.ts';
import { embeddedModelDir, largestDifference, readGolden } from '../../golden.ts';
import { temporaryDir, writeGraph } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';
import { unlike, writeSmallWhisper } from '../../small-whisper.ts';
import { encode, float32, floats, openFused, TeacherForced } from '../../whisper-graphs.ts';

const plain = suite('plain graphs');

type PlainSessions = { readonly encoder: Session; readonly first: Session; readonly next: Session };

async function openPlain(arch: Architecture): Promise<PlainSessions> {
  const dir = temporaryDir();
  const open = (name: string, build: (file: string) => ReturnType<typeof buildPlainEncoder>) =>
    provider.open(writeGraph(dir, name, `${name}.bin`, build(`${name}.bin`)), { optimize: 'all' });
  return {
    encoder: await open('encoder', (file) => buildPlainEncoder(arch, file, { melFrames: 'dynamic' })),
    first: await open('first', (file) => buildPlainDecoder(arch, file)),
    next: await open('next', (file) => buildPlainDecoder(arch, file, { past: true })),
  };
}

const ids = (tokens: readonly number[]): Tensor => ({
  type: 'int64',
  dims: [1, tokens.length],
  data: BigInt64Array.from(tokens, BigInt),
});

/** Hidden states, and the logits of the last prompt token and of each token fed after it. */
async function run(
  { encoder, first, next }: PlainSessions,
  mel: Tensor,
  prompt: number[],
  tokens: readonly number[],
) {
  const { last_hidden_state: hidden } = await encoder.run({ input_features: mel }, encoder.outputNames);
  let outputs = await first.run(
    { input_ids: ids(prompt), encoder_hidden_states: hidden as Tensor },
    first.outputNames,
  );
  const size = outputs['logits']?.dims[2] ?? 0;
  const logits = [...floats(outputs['logits']).subarray((prompt.length - 1) * size)];
  const past: Record<string, Tensor> = {};
  for (const token of tokens) {
    for (const [name, tensor] of Object.entries(outputs)) {
      if (name !== 'logits') past[name.replace('present', 'past_key_values')] = tensor;
    }
    outputs = await next.run({ input_ids: ids([token]), ...past }, next.outputNames);
    logits.push(...floats(outputs['logits']));
  }
  return { hidden: floats(hidden), logits: Float32Array.from(logits) };
}

const arch = readArchitecture(embeddedModelDir);
const embedded = await openPlain(arch);

for (const golden of readGolden()) {
  plain(`${golden.name}: ${golden.text}`, async () => {
    const mel = float32([1, 80, golden.melFrames], logMel(golden.samples, 80));
    const { hidden, logits } = await run(embedded, mel, [1, 2, 3, 4], golden.tokens);
    const firstFour = hidden.subarray(0, golden.encoder4.length);
    assert.ok(largestDifference(firstFour, golden.encoder4) < 2e-5);
    const difference = largestDifference(logits, golden.logits);
    assert.ok(difference < 1e-4, `logits differ by ${difference}`);
  });
}

plain('made for 30 s it takes 30 s and nothing else', async () => {
  const dir = temporaryDir();
  const graph = buildPlainEncoder(arch, 'encoder.bin');
  assert.equal(graph.model.graph.inputs[0]?.dims, [1, 80, 3000]);
  assert.equal(graph.model.graph.outputs[0]?.dims, [1, 1500, 192]);
  const domains = graph.model.graph.nodes.filter(({ domain }) => domain !== '');
  assert.equal(domains, [], 'operators of ai.onnx only');
  const session = await provider.open(writeGraph(dir, 'encoder', 'encoder.bin', graph), { optimize: 'all' });
  const feed = (frames: number) =>
    session.run({ input_features: float32([1, 80, frames]) }, ['last_hidden_state']);
  const { last_hidden_state: hidden } = await feed(3000);
  assert.equal(hidden?.dims, [1, 1500, 192]);
  const refused = await feed(200).then(
    () => false,
    () => true,
  );
  assert.ok(refused);
});

plain('on a model of another shape, plain and fused agree', async () => {
  const random = randomFrom(3);
  const samples = Float32Array.from({ length: 320 * 50 }, () => random() - 0.5);
  for (const model of [
    unlike,
    { ...unlike, tied: true, precision: 'BF16', mels: 80, decoderLayers: 1 } as const,
  ]) {
    const dir = writeSmallWhisper(path.join(temporaryDir(), 'model'), model);
    const smallArch = readArchitecture(dir);
    const tokens = [10, 999, 4, 33];
    const prompt = [5, 6, 8];
    const mel = float32([1, model.mels, 100], logMel(samples, model.mels));
    const want = await run(await openPlain(smallArch), mel, prompt, tokens);
    for (const [weights, tolerance] of [
      ['fp32', 1e-4],
      ['int8', 0.3],
    ] as const) {
      const fused = await openFused(dir, temporaryDir(), { weights, inspect: true });
      const { outputs, cross } = await encode(fused, samples);
      assert.ok(largestDifference(floats(outputs['hidden']), want.hidden) < tolerance, `${weights} hidden`);
      const decoder = new TeacherForced(fused, cross, 8);
      const logits = [...(await decoder.step(prompt, [2], 0)).logits];
      for (const token of tokens) logits.push(...(await decoder.step([token], [0], 1)).logits);
      for (const [i, logit] of logits.entries()) {
        // [1, 2] are never written, [7, 0] not first
        const suppressed = [1, 2].includes(i % 1000) || (i < 1000 && [7, 0].includes(i));
        const difference = Math.abs(logit - (want.logits[i] as number));
        if (suppressed) assert.is(logit, Number.NEGATIVE_INFINITY);
        else assert.ok(difference < tolerance, `${weights}: logit ${i} differs by ${difference}`);
      }
    }
  }
});

plain.run();
