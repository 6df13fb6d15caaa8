/**
 * What `npm run build` does after tsc: makes the models that ship with the package ready to run. Each step answers
 * one line; a step that fails ends the build.
 */
import path from 'node:path';
import { compile } from './compiler/compile.ts';
import { bringDemo } from './demo.ts';
import { verifyModel } from './manifest.ts';
import { bringVad } from './vad/bring.ts';

/** dist/models, where this program lies when it runs. */
const builtDir = import.meta.dirname;
const rootDir = path.join(builtDir, '../..');
const distDir = path.join(builtDir, '..');
const sourceDir = path.join(rootDir, 'models');

function compileEmbedded(): string {
  const card = verifyModel(path.join(sourceDir, 'embedded'));
  const { model, cached, report } = compile(
    path.join(sourceDir, 'embedded'),
    path.join(builtDir, 'embedded'),
  );
  const name = `${card?.name} (${model.options.weights}, ${model.key.slice(0, 8)})`;
  if (cached) return `${name} is compiled already`;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  const sizes = `${megabytes(report.bytesBefore)} MB to ${megabytes(report.bytesAfter)} MB`;
  const operators = `${report.operatorsBefore} operators to ${report.operatorsAfter}`;
  return `${name} compiled in ${report.durationMs} ms: ${sizes}, ${operators}`;
}

const steps: readonly (() => string | Promise<string>)[] = [
  compileEmbedded,
  async () =>
    `voice-activity detector compiled to ${path.relative(rootDir, await bringVad(rootDir, distDir))}`,
  async () =>
    `demonstration recordings copied to ${path.relative(rootDir, await bringDemo(rootDir, distDir))}`,
];

for (const step of steps) process.stdout.write(`models: ${await step()}\n`);
