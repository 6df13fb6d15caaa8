import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { compileSilero } from './silero.ts';

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

/** Compiles the voice-activity detector into `distDir`/models/vad, its licence beside it. Answers the graph's path. */
export async function bringVad(rootDir: string, distDir: string): Promise<string> {
  const published = await publishedSilero(rootDir);
  const vadDir = path.join(distDir, 'models', 'vad');
  await mkdir(vadDir, { recursive: true });
  const weightsFile = 'silero-vad-v6.weights';
  const graph = compileSilero(published, weightsFile, sileroSha256);
  const graphPath = path.join(vadDir, 'silero-vad-v6.onnx');
  await writeFile(path.join(vadDir, weightsFile), graph.weights());
  await writeFile(graphPath, graph.bytes);
  await copyFile(path.join(rootDir, 'models', 'vad', 'LICENSE'), path.join(vadDir, 'LICENSE'));
  return graphPath;
}
