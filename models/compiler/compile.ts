/** Compiles a model directory to a directory of graphs, once: the result is known by the hash of all it depends on. */
import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { describeFile, type FileList, type FileRecord } from '../files.ts';
import type { BuiltGraph } from '../graph/builder.ts';
import { type Architecture, readArchitecture } from './architecture.ts';
import {
  type CompiledModel,
  type CompileReport,
  descriptionFile,
  type OpenedModel,
  openCompiled,
  readDescription,
} from './compiled.ts';
import { buildDecoder, buildEncoder, type FusedOptions } from './fused.ts';
import { type CompileOptions, checkOptions, completeOptions } from './options.ts';
import { buildPlainDecoder, buildPlainEncoder } from './plain.ts';
import { compilerVersion } from './version.ts';

/** What the decoder loop reads beside the graphs; copied so that a compiled model is whole. */
const companions = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'card.json',
];

function companionsIn(modelDir: string): string[] {
  return companions.filter((name) => existsSync(path.join(modelDir, name)));
}

/** A compilation still running after this long was interrupted; what it left is removed. */
const staleAfterMs = 3_600_000;

export type CompileResult = {
  readonly model: OpenedModel;
  /** It was there already. */
  readonly cached: boolean;
  readonly report: CompileReport;
};

/** Everything that goes into the result: what the graphs are made from, and what is copied beside them. */
function describeSources(modelDir: string, arch: Architecture): FileList {
  const copied = companionsIn(modelDir).map((name) => path.join(modelDir, name));
  const files = [...new Set([...arch.sourceFiles, ...copied])];
  return Object.fromEntries(files.map((file) => [path.basename(file), describeFile(file)]));
}

function keyOf(sources: FileList, options: FusedOptions): string {
  const hashes = Object.entries(sources).map(([name, { sha256 }]) => [name, sha256]);
  return createHash('sha256').update(JSON.stringify({ compilerVersion, options, hashes })).digest('hex');
}

/** Writes chunk by chunk, hashing on the way: the whole never lies in memory. */
function writeChunks(file: string, chunks: Iterable<Uint8Array>): FileRecord {
  const fd = openSync(file, 'wx');
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for (const chunk of chunks) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; at += writeSync(fd, chunk, at));
      bytes += chunk.length;
    }
    // a power cut after the rename must not leave an empty file with a good name
    fsyncSync(fd);
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
}

const sumOfBytes = (files: FileList) => Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);

function writeModel(
  modelDir: string,
  dir: string,
  arch: Architecture,
  options: FusedOptions,
): {
  readonly files: FileList;
  readonly operators: number;
} {
  const graphs: Readonly<Record<string, BuiltGraph>> = {
    encoder: buildEncoder(arch, 'encoder.bin', options),
    decoder: buildDecoder(arch, 'decoder.bin', options),
  };
  const files: Record<string, FileRecord> = {};
  for (const [name, graph] of Object.entries(graphs)) {
    files[`${name}.onnx`] = writeChunks(path.join(dir, `${name}.onnx`), [graph.bytes]);
    files[`${name}.bin`] = writeChunks(path.join(dir, `${name}.bin`), graph.weights());
  }
  for (const name of companionsIn(modelDir)) {
    copyFileSync(path.join(modelDir, name), path.join(dir, name));
    files[name] = describeFile(path.join(dir, name));
  }
  const operators = Object.values(graphs).reduce((sum, { model }) => sum + model.graph.nodes.length, 0);
  return { files, operators };
}

/** Operators of the same model as the usual exporter writes it; the weights are not touched. */
function countPlainOperators(arch: Architecture): number {
  const plain = [buildPlainEncoder(arch, 'encoder.bin'), buildPlainDecoder(arch, 'decoder.bin')];
  return plain.reduce((sum, { model }) => sum + model.graph.nodes.length, 0);
}

/** Puts `partialDir` in the place of `outDir`; nobody sees a half-written model under its name. */
function replaceDir(partialDir: string, outDir: string): void {
  const oldDir = `${partialDir}.old`;
  if (existsSync(outDir)) renameSync(outDir, oldDir);
  renameSync(partialDir, outDir);
  rmSync(oldDir, { recursive: true, force: true });
}

function removeStale(outDir: string): void {
  const parent = path.dirname(outDir);
  for (const name of readdirSync(parent)) {
    const dir = path.join(parent, name);
    const isPartial = name.startsWith(`${path.basename(outDir)}.partial-`);
    if (isPartial && Date.now() - statSync(dir).mtimeMs > staleAfterMs)
      rmSync(dir, { recursive: true, force: true });
  }
}

function makePartialDir(outDir: string): string {
  try {
    mkdirSync(path.dirname(outDir), { recursive: true });
    removeStale(outDir);
    const partialDir = `${outDir}.partial-${randomUUID()}`;
    // not mkdtemp, whose 0700 would hide a packaged model from the user the daemon runs as
    mkdirSync(partialDir);
    return partialDir;
  } catch (cause) {
    throw new Fault(
      'MODEL_CACHE_UNWRITABLE',
      `cannot write a compiled model to ${outDir}: ${(cause as Error).message}`,
      'make the directory writable for the user harkd runs as, or set CACHE_DIRECTORY to one that is',
      { cause },
    );
  }
}

function compileInto(
  modelDir: string,
  outDir: string,
  arch: Architecture,
  sources: FileList,
  options: FusedOptions,
): OpenedModel {
  const startedAtMs = performance.now();
  const partialDir = makePartialDir(outDir);
  try {
    const { files, operators } = writeModel(modelDir, partialDir, arch, options);
    const description: CompiledModel = {
      format: 1,
      key: keyOf(sources, options),
      compilerVersion,
      options,
      shape: arch.shape,
      tokens: arch.tokens,
      sources,
      files,
      report: {
        operatorsBefore: countPlainOperators(arch),
        operatorsAfter: operators,
        bytesBefore: sumOfBytes(sources),
        bytesAfter: sumOfBytes(files),
        durationMs: Math.round(performance.now() - startedAtMs),
      },
    };
    writeFileSync(path.join(partialDir, descriptionFile), `${JSON.stringify(description, undefined, 2)}\n`, {
      flush: true,
    });
    replaceDir(partialDir, outDir);
  } finally {
    rmSync(partialDir, { recursive: true, force: true });
  }
  return openCompiled(outDir);
}

function isSound(dir: string): boolean {
  try {
    openCompiled(dir);
    return true;
  } catch {
    return false;
  }
}

/**
 * Compiles the model in `modelDir` to `outDir`, or answers what is there if it was made from the same files with the
 * same options by the same compiler.
 * Throws `Fault`: MODEL_MISSING, MODEL_INVALID, MODEL_UNSUPPORTED, MODEL_CHECKSUM_MISMATCH, MODEL_CACHE_UNWRITABLE,
 * USAGE_INVALID (unknown matrix or format).
 */
export function compile(modelDir: string, outDir: string, options: CompileOptions = {}): CompileResult {
  return compileCached(modelDir, [outDir], outDir, options);
}

/**
 * The compiled form of `modelDir` from the first of `cacheDirs` that has it, itself or in a directory named by its
 * key; compiled into the last of them if none has.
 */
export function findOrCompile(
  modelDir: string,
  cacheDirs: readonly string[],
  options: CompileOptions = {},
): CompileResult {
  return compileCached(modelDir, cacheDirs, undefined, options);
}

function compileCached(
  modelDir: string,
  cacheDirs: readonly string[],
  outDir: string | undefined,
  options: CompileOptions,
): CompileResult {
  checkOptions(options);
  const arch = readArchitecture(modelDir);
  const complete = completeOptions(options, arch.shape.modelWidth);
  const sources = describeSources(modelDir, arch);
  const key = keyOf(sources, complete);
  for (const dir of cacheDirs.flatMap((cacheDir) => [cacheDir, path.join(cacheDir, key)])) {
    if (readDescription(dir)?.key !== key) continue;
    // asked to compile to this place, a damaged result is compiled again; found in a cache, it is reported
    if (dir === outDir && !isSound(dir)) continue;
    const model = openCompiled(dir);
    return { model, cached: true, report: model.report };
  }
  const target = outDir ?? path.join(cacheDirs.at(-1) ?? '.', key);
  const model = compileInto(modelDir, target, arch, sources, complete);
  return { model, cached: false, report: model.report };
}
