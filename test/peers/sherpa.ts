/** sherpa-onnx-node (k2-fsa), int8 as its own export script quantises. */
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import type { RandomWhisperShape } from '../fixtures/random-whisper.ts';
import { specialTokens } from './checkpoint.ts';
import type { Peer, PeerFiles } from './peer.ts';
import { quantizeDynamic, withWeightsInside, writeModel } from './rewritten.ts';
import { buildSherpaDecoder, buildSherpaEncoder, sherpaMetadata } from './sherpa-graphs.ts';

/** The part of its interface that is used here. */
type Sherpa = {
  readonly OfflineRecognizer: new (
    config: unknown,
  ) => {
    createStream: () => {
      acceptWaveform: (wave: { sampleRate: number; samples: Float32Array }) => void;
    };
    decode: (stream: unknown) => void;
    getResult: (stream: unknown) => { text: string; tokens: string[] };
  };
};

const int8 = { operators: ['MatMul'], weights: 'int8' } as const;

function shapeOf(modelDir: string): RandomWhisperShape {
  const { shape, encoderHeads } = readArchitecture(modelDir);
  return {
    width: shape.modelWidth,
    encoderLayers: shape.encoderLayers,
    decoderLayers: shape.decoderLayers,
    heads: encoderHeads,
    melBins: shape.melBins,
    vocabularySize: shape.vocabularySize,
    languages: 1,
    audioFrames: shape.maxAudioFrames,
    textTokens: shape.maxTextTokens,
  };
}

async function prepare({ modelDir, workDir }: PeerFiles): Promise<void> {
  const tokens = path.join(workDir, 'sherpa-tokens.txt');
  if (existsSync(tokens)) return;
  const arch = readArchitecture(modelDir);
  const shape = shapeOf(modelDir);
  const encoder = withWeightsInside(buildSherpaEncoder(arch));
  writeModel(path.join(workDir, 'sherpa-encoder.int8.onnx'), {
    ...encoder,
    metadata: sherpaMetadata(shape),
    graph: quantizeDynamic(encoder.graph, int8),
  });
  const decoder = withWeightsInside(buildSherpaDecoder(arch));
  writeModel(path.join(workDir, 'sherpa-decoder.int8.onnx'), {
    ...decoder,
    graph: quantizeDynamic(decoder.graph, int8),
  });
  // bytes are the first pieces; what follows is never said
  const lines = Array.from({ length: specialTokens(shape).endOfText }, (_, id) => {
    const bytes = id < 256 ? Buffer.of(id) : Buffer.from(`<${id}>`);
    return `${bytes.toString('base64')} ${id}\n`;
  });
  writeFileSync(tokens, lines.join(''));
}

async function open({ workDir, packagesDir, threads }: PeerFiles, tailPaddings: number) {
  const require = createRequire(path.join(packagesDir, 'package.json'));
  const sherpa = require('sherpa-onnx-node') as Sherpa;
  const recognizer = new sherpa.OfflineRecognizer({
    featConfig: { sampleRate: 16_000, featureDim: 80 },
    modelConfig: {
      whisper: {
        encoder: path.join(workDir, 'sherpa-encoder.int8.onnx'),
        decoder: path.join(workDir, 'sherpa-decoder.int8.onnx'),
        tailPaddings,
      },
      tokens: path.join(workDir, 'sherpa-tokens.txt'),
      numThreads: threads,
      provider: 'cpu',
      debug: 0,
    },
  });
  return {
    hear: async (samples: Float32Array) => {
      const stream = recognizer.createStream();
      stream.acceptWaveform({ sampleRate: 16_000, samples });
      recognizer.decode(stream);
      const { text, tokens } = recognizer.getResult(stream);
      return { text, tokens: tokens.length, stagesMs: {} };
    },
  };
}

export const sherpaFitted: Peer = {
  name: 'sherpa-onnx int8, fitted',
  remark: 'tail padding of 20 ms instead of 10 s',
  prepare,
  open: (files) => open(files, 2),
};

export const sherpaDefault: Peer = {
  name: 'sherpa-onnx int8, default',
  remark: 'tail padding of 10 s, its default',
  prepare,
  open: (files) => open(files, -1),
};
