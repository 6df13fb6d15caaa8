/** Puts a built graph where a provider can open it. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BuiltGraph } from '../models/graph/builder.ts';

let root: string | undefined;

/** A directory of its own, removed when the test program ends. */
export function temporaryDir(): string {
  if (root === undefined) {
    const made = mkdtempSync(path.join(tmpdir(), 'harkd-test-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  return mkdtempSync(path.join(root, 'dir-'));
}

/** Writes `<dir>/<name>.onnx` and `<dir>/<weightsFile>`; answers the path of the graph. */
export function writeGraph(dir: string, name: string, weightsFile: string, graph: BuiltGraph): string {
  const graphPath = path.join(dir, `${name}.onnx`);
  writeFileSync(graphPath, graph.bytes);
  const weightsPath = path.join(dir, weightsFile);
  writeFileSync(weightsPath, '');
  for (const chunk of graph.weights()) appendFileSync(weightsPath, chunk);
  return graphPath;
}
