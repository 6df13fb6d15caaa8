/**
 * The part of `npm run build` that makes models: puts into dist what the daemon needs and tsc does not write.
 * Run as `node dist/models/build.js`; every step may be repeated.
 */
import path from 'node:path';
import { bringVad } from './vad/bring.ts';

const distDir = path.join(import.meta.dirname, '..');
const rootDir = path.join(distDir, '..');

/** Each step answers the path of what it made. */
const steps: readonly (() => Promise<string>)[] = [() => bringVad(rootDir, distDir)];

for (const step of steps) {
  const made = await step();
  process.stdout.write(`${path.relative(rootDir, made)}\n`);
}
