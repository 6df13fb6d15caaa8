/**
 * The graphs as the usual exporter writes them, in float32: thirty seconds whatever was said, a decoder for the prompt
 * and one for the steps, the cache copied by hand, arg-max over all logits in JavaScript. What anybody has who follows
 * a tutorial.
 */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { buildPlainDecoder, buildPlainEncoder } from '../../models/compiler/plain.ts';
import type { BuiltGraph } from '../../models/graph/builder.ts';
import { logMel } from '../../models/whisper/mel.ts';
import { readTokenizer } from '../../models/whisper/tokenizer.ts';
import type { Tensor } from '../../providers/provider.ts';
import { resolveProvider } from '../../providers/registry.ts';
import type { Peer, PeerFiles } from './peer.ts';

const paddedSamples = 480_000;

function write(dir: string, name: string, graph: BuiltGraph): void {
  const file = path.join(dir, `${name}.onnx`);
  if (existsSync(file)) return;
  const fd = openSync(path.join(dir, `${name}.bin`), 'w');
  try {
    for (const chunk of graph.weights()) {
      for (let at = 0; at < chunk.length; at += writeSync(fd, chunk, at));
    }
  } finally {
    closeSync(fd);
  }
  writeFileSync(file, graph.bytes);
}

async function prepare({ modelDir, workDir }: PeerFiles): Promise<void> {
  const arch = readArchitecture(modelDir);
  write(workDir, 'plain-encoder', buildPlainEncoder(arch, 'plain-encoder.bin'));
  write(workDir, 'plain-decoder', buildPlainDecoder(arch, 'plain-decoder.bin'));
  write(workDir, 'plain-with-past', buildPlainDecoder(arch, 'plain-with-past.bin', { past: true }));
}

function likeliest(logits: Tensor | undefined, vocabularySize: number): number {
  const data = logits?.data as Float32Array;
  const start = data.length - vocabularySize;
  let best = start;
  for (let i = start; i < data.length; i++) if ((data[i] as number) > (data[best] as number)) best = i;
  return best - start;
}

const int64 = (...values: number[]): Tensor => ({
  type: 'int64',
  dims: [1, values.length],
  data: BigInt64Array.from(values, BigInt),
});

async function open({ modelDir, workDir, threads }: PeerFiles, optimize: 'none' | 'all') {
  const { shape } = readArchitecture(modelDir);
  const tokenizer = readTokenizer(
    readFileSync(path.join(modelDir, 'tokenizer.json'), 'utf8'),
    shape.vocabularySize,
  );
  const { startOfTranscript, noTimestamps, endOfText } = tokenizer.special;
  const { provider } = await resolveProvider('cpu');
  const load = (name: string) => provider.open(path.join(workDir, `${name}.onnx`), { threads, optimize });
  const encoder = await load('plain-encoder');
  const decoder = await load('plain-decoder');
  const withPast = await load('plain-with-past');

  const hear = async (samples: Float32Array) => {
    const startedAtMs = performance.now();
    const padded = new Float32Array(paddedSamples);
    padded.set(samples);
    const mel: Tensor = {
      type: 'float32',
      dims: [1, shape.melBins, paddedSamples / 160],
      data: logMel(padded, shape.melBins),
    };
    const melAtMs = performance.now();
    const { last_hidden_state: sound } = await encoder.run({ input_features: mel }, ['last_hidden_state']);
    const encodedAtMs = performance.now();
    let out = await decoder.run(
      { input_ids: int64(startOfTranscript, noTimestamps as number), encoder_hidden_states: sound as Tensor },
      decoder.outputNames,
    );
    const cache: Record<string, Tensor> = {};
    const tokens: number[] = [];
    for (;;) {
      for (const [name, value] of Object.entries(out)) {
        if (name !== 'logits') cache[name.replace('present', 'past_key_values')] = value;
      }
      const token = likeliest(out['logits'], shape.vocabularySize);
      if (token === endOfText || tokens.length === shape.maxTextTokens / 2) break;
      tokens.push(token);
      out = await withPast.run({ input_ids: int64(token), ...cache }, withPast.outputNames);
    }
    return {
      text: tokenizer.decode(tokens),
      tokens: tokens.length,
      stagesMs: {
        mel: melAtMs - startedAtMs,
        encoder: encodedAtMs - melAtMs,
        decoder: performance.now() - encodedAtMs,
      },
    };
  };
  return { hear };
}

export const plainUnoptimised: Peer = {
  name: 'plain fp32 30 s, unoptimised',
  remark: 'onnxruntime, graph optimisations off',
  prepare,
  open: (files) => open(files, 'none'),
};

export const plainOptimised: Peer = {
  name: 'plain fp32 30 s, optimised',
  remark: 'onnxruntime, all graph optimisations',
  prepare,
  open: (files) => open(files, 'all'),
};
