/** harkd itself, as its recognizer runs it: compiled graphs, sound in, text out. */
import path from 'node:path';
import { compile } from '../../models/compiler/compile.ts';
import { openCompiled } from '../../models/compiler/compiled.ts';
import { openModel } from '../../models/whisper/open.ts';
import { resolveProvider } from '../../providers/registry.ts';
import type { Peer } from './peer.ts';

export const harkd: Peer = {
  name: 'harkd int8',
  remark: 'log-mel in the graph, any length',
  prepare: async ({ modelDir, workDir }) => {
    compile(modelDir, path.join(workDir, 'harkd-int8'));
  },
  open: async ({ workDir, threads }) => {
    const { provider } = await resolveProvider('cpu');
    const whisper = await openModel({
      compiled: openCompiled(path.join(workDir, 'harkd-int8')),
      provider,
      threads,
    });
    return {
      hear: async (samples) => {
        const { text, tokens, timings } = await whisper.transcribe(samples);
        const stagesMs = { encoder: timings.encodeMs, decoder: timings.decodeMs };
        return { text, tokens: tokens.length, stagesMs };
      },
    };
  },
};
