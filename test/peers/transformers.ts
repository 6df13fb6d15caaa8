/** @huggingface/transformers (transformers.js), with files as Optimum exports and its own scripts quantise them. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { buildPlainDecoder, buildPlainEncoder } from '../../models/compiler/plain.ts';
import { mergeDecoders } from './merged.ts';
import type { Peer, PeerFiles } from './peer.ts';
import {
  foldTransposed,
  type QuantizeOptions,
  quantizeDynamic,
  withWeightsInside,
  writeModel,
} from './rewritten.ts';

/** scripts/quantize.py of transformers.js: uint8 weights where there is a convolution, int8 where not. */
const q8 = {
  encoder: { operators: ['MatMul', 'Gather', 'Conv'], weights: 'uint8' },
  decoder: { operators: ['MatMul', 'Gather'], weights: 'int8' },
} as const satisfies Record<string, QuantizeOptions>;

function prepareGraphs(modelDir: string, onnxDir: string): void {
  const arch = readArchitecture(modelDir);
  const encoder = withWeightsInside(buildPlainEncoder(arch, 'unused.bin'));
  const quantized = quantizeDynamic(encoder.graph, q8.encoder);
  writeModel(path.join(onnxDir, 'encoder_model.onnx'), encoder);
  writeModel(path.join(onnxDir, 'encoder_model_quantized.onnx'), { ...encoder, graph: quantized });
  const decoder = (past: boolean) => {
    const model = withWeightsInside(buildPlainDecoder(arch, 'unused.bin', { past }));
    return { ...model, graph: foldTransposed(model.graph) };
  };
  const [first, withPast] = [decoder(false), decoder(true)];
  writeModel(path.join(onnxDir, 'decoder_model_merged.onnx'), mergeDecoders(first, withPast));
  writeModel(
    path.join(onnxDir, 'decoder_model_merged_quantized.onnx'),
    mergeDecoders(
      { ...first, graph: quantizeDynamic(first.graph, q8.decoder) },
      { ...withPast, graph: quantizeDynamic(withPast.graph, q8.decoder) },
    ),
  );
}

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

/** As ours, with what is put around a text: the library refuses a tokenizer without. */
function writeTokenizer(from: string, to: string): void {
  const tokenizer = JSON.parse(readFileSync(from, 'utf8')) as {
    readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  };
  const around = ['<|startoftranscript|>', '<|notimestamps|>', '<|endoftext|>'].map((content) => {
    const id = tokenizer.added_tokens.find((token) => token.content === content)?.id;
    return { id: content, ids: [id], tokens: [content] };
  });
  const [start, plain, end] = around.map(({ id }) => ({ SpecialToken: { id, type_id: 0 } }));
  const text = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
  const post_processor = {
    type: 'TemplateProcessing',
    single: [start, plain, text('A', 0), end],
    pair: [start, plain, text('A', 0), text('B', 1), end],
    special_tokens: Object.fromEntries(around.map((token) => [token.id, token])),
  };
  writeFileSync(to, JSON.stringify({ ...tokenizer, post_processor }));
}

async function prepare({ modelDir, workDir }: PeerFiles): Promise<void> {
  const dir = path.join(workDir, 'transformers');
  const whole = path.join(dir, 'whole');
  if (existsSync(whole)) return;
  mkdirSync(path.join(dir, 'onnx'), { recursive: true });
  copyFileSync(path.join(modelDir, 'tokenizer_config.json'), path.join(dir, 'tokenizer_config.json'));
  const config = readJson(path.join(modelDir, 'config.json'));
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ ...config, is_encoder_decoder: true }));
  writeFileSync(
    path.join(dir, 'generation_config.json'),
    JSON.stringify({
      ...readJson(path.join(modelDir, 'generation_config.json')),
      decoder_start_token_id: config['decoder_start_token_id'],
      eos_token_id: config['eos_token_id'],
      bos_token_id: config['eos_token_id'],
      pad_token_id: config['eos_token_id'],
      max_length: config['max_target_positions'],
    }),
  );
  writeTokenizer(path.join(modelDir, 'tokenizer.json'), path.join(dir, 'tokenizer.json'));
  writeFileSync(
    path.join(dir, 'preprocessor_config.json'),
    JSON.stringify({
      feature_extractor_type: 'WhisperFeatureExtractor',
      processor_class: 'WhisperProcessor',
      chunk_length: 30,
      feature_size: readArchitecture(modelDir).shape.melBins,
      hop_length: 160,
      n_fft: 400,
      n_samples: 480_000,
      nb_max_frames: 3000,
      padding_side: 'right',
      padding_value: 0,
      return_attention_mask: false,
      sampling_rate: 16_000,
    }),
  );
  prepareGraphs(modelDir, path.join(dir, 'onnx'));
  writeFileSync(whole, '');
}

type Pipeline = (samples: Float32Array, options?: unknown) => Promise<{ readonly text: string }>;
type Transformers = {
  readonly env: { allowRemoteModels: boolean; localModelPath: string };
  readonly pipeline: (task: string, model: string, options: unknown) => Promise<Pipeline>;
};

async function open({ workDir, packagesDir, threads }: PeerFiles, dtype: 'q8' | 'fp32') {
  const require = createRequire(path.join(packagesDir, 'package.json'));
  const library = (await import(
    pathToFileURL(require.resolve('@huggingface/transformers')).href
  )) as Transformers;
  library.env.allowRemoteModels = false;
  library.env.localModelPath = workDir;
  const recognize = await library.pipeline('automatic-speech-recognition', 'transformers', {
    dtype,
    device: 'cpu',
    local_files_only: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  return {
    hear: async (samples: Float32Array) => {
      const { text } = await recognize(samples);
      return { text, tokens: undefined, stagesMs: {} };
    },
  };
}

export const transformersQ8: Peer = {
  name: 'transformers.js q8',
  remark: 'pipeline, 30 s',
  prepare,
  open: (files) => open(files, 'q8'),
};

export const transformersFp32: Peer = {
  name: 'transformers.js fp32',
  remark: 'pipeline, 30 s',
  prepare,
  open: (files) => open(files, 'fp32'),
};
