import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import wabt from 'wabt';
import { Fault } from '../../daemon/faults.ts';
import { packSilero } from './silero.ts';
import { compileSileroSequence } from './silero-sequence.ts';

/** Silero VAD v6 as its authors publish it; @ricky0123/vad-web carries it unmodified. */
const graphInPackage = '@ricky0123/vad-web/dist/silero_vad_v6.onnx';
export const sileroSha256 = '1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3';

/** The published graph, after checking that it is the one we know. Throws `Fault` MODEL_MISSING, MODEL_CHECKSUM_MISMATCH. */
export async function publishedSilero(rootDir: string): Promise<Uint8Array> {
  const require = createRequire(path.join(rootDir, 'package.json'));
  let source: string;
  try {
    source = require.resolve(graphInPackage);
  } catch (cause) {
    throw new Fault('MODEL_MISSING', `${graphInPackage} is not installed`, 'run: npm ci', { cause });
  }
  const bytes = await readFile(source);
  const got = createHash('sha256').update(bytes).digest('hex');
  if (got !== sileroSha256) {
    throw new Fault(
      'MODEL_CHECKSUM_MISMATCH',
      `${source} is ${got}, expected ${sileroSha256}`,
      'the package was changed or damaged: delete node_modules and run npm ci',
    );
  }
  return bytes;
}

/** Makes the voice-activity detector in `distDir`/models/vad, its licence beside it. Answers that folder. */
export async function bringVad(rootDir: string, distDir: string): Promise<string> {
  const published = await publishedSilero(rootDir);
  const sourceDir = path.join(rootDir, 'models', 'vad');
  const vadDir = path.join(distDir, 'models', 'vad');
  await mkdir(vadDir, { recursive: true });
  await writeFile(path.join(vadDir, 'dense.wasm'), await assemble(path.join(sourceDir, 'dense.wat')));
  await writeFile(path.join(vadDir, 'silero-vad-v6.weights'), packSilero(published));

  const sequenceWeights = 'silero-vad-v6-sequence.weights';
  const sequence = compileSileroSequence(published, sequenceWeights, sileroSha256);
  await writeFile(path.join(vadDir, sequenceWeights), sequence.weights());
  await writeFile(path.join(vadDir, 'silero-vad-v6-sequence.onnx'), sequence.bytes);
  await copyFile(path.join(sourceDir, 'LICENSE'), path.join(vadDir, 'LICENSE'));
  return vadDir;
}

/** WebAssembly from its text. */
async function assemble(file: string): Promise<Uint8Array> {
  const { parseWat } = await wabt();
  const module = parseWat(path.basename(file), await readFile(file, 'utf8'), { simd: true });
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}
