import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { compileSilero } from './silero.ts';
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

/** The compiled graphs: one that hears a frame at a time, one that hears many. */
const graphs = [
  ['silero-vad-v6', compileSilero],
  ['silero-vad-v6-sequence', compileSileroSequence],
] as const;

/** Compiles the voice-activity detector into `distDir`/models/vad, its licence beside it. Answers that folder. */
export async function bringVad(rootDir: string, distDir: string): Promise<string> {
  const published = await publishedSilero(rootDir);
  const vadDir = path.join(distDir, 'models', 'vad');
  await mkdir(vadDir, { recursive: true });
  for (const [name, compile] of graphs) {
    const weightsFile = `${name}.weights`;
    const graph = compile(published, weightsFile, sileroSha256);
    await writeFile(path.join(vadDir, weightsFile), graph.weights());
    await writeFile(path.join(vadDir, `${name}.onnx`), graph.bytes);
  }
  await copyFile(path.join(rootDir, 'models', 'vad', 'LICENSE'), path.join(vadDir, 'LICENSE'));
  return vadDir;
}
