import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';

/** Silero VAD v6 as its authors publish it; @ricky0123/vad-web carries it unmodified. */
const graphInPackage = '@ricky0123/vad-web/dist/silero_vad_v6.onnx';
const graphSha256 = '1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3';

/**
 * Copies the voice-activity detector's graph and its licence to `distDir`/models/vad, after checking that the
 * graph is the one we know. Answers the path of the graph. Throws `Fault` MODEL_MISSING, MODEL_CHECKSUM_MISMATCH.
 */
export async function bringVad(rootDir: string, distDir: string): Promise<string> {
  const require = createRequire(path.join(rootDir, 'package.json'));
  let source: string;
  try {
    source = require.resolve(graphInPackage);
  } catch (cause) {
    throw new Fault('MODEL_MISSING', `${graphInPackage} is not installed`, 'run: npm ci', { cause });
  }
  const got = createHash('sha256')
    .update(await readFile(source))
    .digest('hex');
  if (got !== graphSha256) {
    throw new Fault(
      'MODEL_CHECKSUM_MISMATCH',
      `${source} is ${got}, expected ${graphSha256}`,
      'the package was changed or damaged: delete node_modules and run npm ci',
    );
  }
  const vadDir = path.join(distDir, 'models', 'vad');
  await mkdir(vadDir, { recursive: true });
  const graphPath = path.join(vadDir, 'silero-vad-v6.onnx');
  await copyFile(source, graphPath);
  await copyFile(path.join(rootDir, 'models', 'vad', 'LICENSE'), path.join(vadDir, 'LICENSE'));
  return graphPath;
}
