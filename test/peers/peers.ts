/** Everybody who is measured, harkd first. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { harkd, harkdInt8 } from './harkd.ts';
import type { Peer } from './peer.ts';
import { plainOptimised, plainUnoptimised } from './plain.ts';
import { sherpaDefault, sherpaFitted } from './sherpa.ts';
import { transformersFp32, transformersQ8 } from './transformers.ts';
import { whisperCppDefault, whisperCppFitted } from './whisper-cpp.ts';

export type Entry = Peer & {
  /** The package or program without which there is no row. */
  readonly needs: string | undefined;
};

/** Versions are fixed: rows of two reports are to be compared. */
export const packages = {
  'sherpa-onnx-node': '1.13.8',
  '@huggingface/transformers': '4.3.1',
} as const;

/** Undefined where it is not installed. */
export function packageVersion(packagesDir: string, name: string): string | undefined {
  const file = path.join(packagesDir, 'node_modules', name, 'package.json');
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

export const entries: readonly Entry[] = [
  { ...harkd, needs: undefined },
  { ...harkdInt8, needs: undefined },
  { ...whisperCppFitted, needs: 'whisper-cli' },
  { ...whisperCppDefault, needs: 'whisper-cli' },
  { ...sherpaFitted, needs: 'sherpa-onnx-node' },
  { ...sherpaDefault, needs: 'sherpa-onnx-node' },
  { ...transformersQ8, needs: '@huggingface/transformers' },
  { ...transformersFp32, needs: '@huggingface/transformers' },
  { ...plainOptimised, needs: undefined },
  { ...plainUnoptimised, needs: undefined },
];
