/** harkd itself, as its recognizer runs it: compiled graphs, sound in, text out. */
import path from 'node:path';
import { compile } from '../../models/compiler/compile.ts';
import { openCompiled } from '../../models/compiler/compiled.ts';
import type { CompileOptions } from '../../models/compiler/options.ts';
import { openModel } from '../../models/whisper/open.ts';
import { cpuProfile } from '../../providers/cpu.ts';
import { resolveProvider } from '../../providers/registry.ts';
import type { Peer } from './peer.ts';

function compiledTo(folder: string, options: () => CompileOptions): Pick<Peer, 'prepare' | 'open'> {
  return {
    prepare: async ({ modelDir, workDir }) => {
      compile(modelDir, path.join(workDir, folder), options());
    },
    open: async ({ workDir, threads }) => {
      const { provider } = await resolveProvider('cpu');
      const compiled = openCompiled(path.join(workDir, folder));
      const whisper = await openModel({ compiled, provider, threads });
      return {
        hear: async (samples) => {
          const { text, tokens, timings } = await whisper.transcribe(samples);
          const stagesMs = { encoder: timings.encodeMs, decoder: timings.decodeMs };
          return { text, tokens: tokens.length, stagesMs };
        },
      };
    },
  };
}

export const harkd: Peer = {
  name: 'harkd',
  remark: 'as the recognizer compiles it for this processor; log-mel in the graph, any length',
  ...compiledTo('harkd', () => ({ profile: cpuProfile() })),
};

export const harkdInt8: Peer = {
  name: 'harkd, int8 only',
  remark: 'eight bits everywhere, as on a Raspberry Pi 4',
  ...compiledTo('harkd-int8', () => ({ profile: 'no-dot-product' })),
};
