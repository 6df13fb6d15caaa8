/** Compiles a model directory to a directory of graphs, once: the result is known by the hash of all it depends on. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { describeFile, type FileList, type FileRecord } from '../files.ts';
import type { BuiltGraph } from '../graph/builder.ts';
import type { OnnxGraph } from '../graph/onnx.ts';
import { tokenTableFile, writeTokenTable } from '../whisper/token-table.ts';
import { readTokenizer } from '../whisper/tokenizer.ts';
import { type Architecture, readArchitecture } from './architecture.ts';
import {
  type CompiledModel,
  type CompileReport,
  descriptionFile,
  type OpenedModel,
  openCompiled,
  readDescription,
} from './compiled.ts';
import { buildDecoder } from './fused-decoder.ts';
import { buildEncoder } from './fused-encoder.ts';
import { selectLayers } from './layers.ts';
import { type CompileOptions, type CompleteOptions, checkOptions, completeOptions } from './options.ts';
import { writeChunks, writeOutput } from './output.ts';
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

export type CompileResult = {
  readonly model: OpenedModel;
  /** It was there already. */
  readonly cached: boolean;
  readonly report: CompileReport;
};

/** Bytes of weights written, of all. */
export type CompileProgress = { readonly doneBytes: number; readonly totalBytes: number };

/** Everything that goes into the result: what the graphs are made from, and what is copied beside them. */
function describeSources(modelDir: string, arch: Architecture): FileList {
  const copied = companionsIn(modelDir).map((name) => path.join(modelDir, name));
  const files = [...new Set([...arch.sourceFiles, ...copied])];
  return Object.fromEntries(files.map((file) => [path.basename(file), describeFile(file)]));
}

function keyOf(sources: FileList, options: CompleteOptions): string {
  const hashes = Object.entries(sources).map(([name, { sha256 }]) => [name, sha256]);
  return createHash('sha256').update(JSON.stringify({ compilerVersion, options, hashes })).digest('hex');
}

const sumOfBytes = (files: FileList) => Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
/** With those of the graphs inside: what is repeated counts once. */
const countOperators = (graph: OnnxGraph): number =>
  graph.nodes.reduce((sum, { attributes }) => {
    const inner = Object.values(attributes).flatMap(({ kind, value }) => (kind === 'graph' ? [value] : []));
    return inner.reduce((all, one) => all + countOperators(one), sum + 1);
  }, 0);
const sumOfOperators = (graphs: readonly BuiltGraph[]) =>
  graphs.reduce((sum, { model }) => sum + countOperators(model.graph), 0);

/** Operators of the same model as the usual exporter writes it; the weights are not touched. */
function countPlainOperators(arch: Architecture): number {
  return sumOfOperators([buildPlainEncoder(arch, 'encoder.bin'), buildPlainDecoder(arch, 'decoder.bin')]);
}

function tokenTableOf(modelDir: string, { shape }: Architecture): Uint8Array {
  const json = readFileSync(path.join(modelDir, 'tokenizer.json'), 'utf8');
  return writeTokenTable(readTokenizer(json, shape.vocabularySize).table);
}

/** Highest resident memory of this process so far, what it did before included. */
const peakRssBytes = (): number => process.resourceUsage().maxRSS * 1024;

type Job = {
  readonly modelDir: string;
  readonly outDir: string;
  /** As it is in the checkpoint. */
  readonly arch: Architecture;
  readonly sources: FileList;
  readonly options: CompleteOptions;
};

function* compileInto({ modelDir, outDir, arch, sources, options }: Job): Generator<CompileProgress, void> {
  const startedAtMs = performance.now();
  const selected = selectLayers(arch, options);
  const graphs: Readonly<Record<string, BuiltGraph>> = {
    encoder: buildEncoder(selected, 'encoder.bin', options),
    decoder: buildDecoder(selected, 'decoder.bin', options),
  };
  const totalBytes = Object.values(graphs).reduce((sum, graph) => sum + graph.weightsByteLength, 0);
  yield { doneBytes: 0, totalBytes };
  const key = keyOf(sources, options);
  const willDo = () => readDescription(outDir)?.key === key && isSound(outDir);
  yield* writeOutput(outDir, totalBytes, willDo, function* write(dir) {
    const files: Record<string, FileRecord> = {};
    let doneBytes = 0;
    function* put(name: string, chunks: Iterable<Uint8Array>): Generator<CompileProgress, void> {
      const writing = writeChunks(path.join(dir, name), chunks);
      try {
        let step = writing.next();
        for (; step.done !== true; step = writing.next()) {
          doneBytes = Math.min(totalBytes, doneBytes + step.value);
          yield { doneBytes, totalBytes };
        }
        files[name] = step.value;
      } finally {
        writing.return({ bytes: 0, sha256: '' });
      }
    }
    for (const [name, graph] of Object.entries(graphs)) {
      yield* put(`${name}.bin`, graph.weights());
      yield* put(`${name}.onnx`, [graph.bytes]);
    }
    yield* put(tokenTableFile, [tokenTableOf(modelDir, selected)]);
    for (const name of companionsIn(modelDir)) {
      copyFileSync(path.join(modelDir, name), path.join(dir, name));
      files[name] = describeFile(path.join(dir, name));
    }
    const description: CompiledModel = {
      format: 1,
      key,
      compilerVersion,
      options,
      shape: selected.shape,
      tokens: arch.tokens,
      sources,
      files,
      report: {
        operatorsBefore: countPlainOperators(arch),
        operatorsAfter: sumOfOperators(Object.values(graphs)),
        bytesBefore: sumOfBytes(sources),
        bytesAfter: sumOfBytes(files),
        durationMs: Math.round(performance.now() - startedAtMs),
        peakRssBytes: peakRssBytes(),
      },
    };
    writeFileSync(path.join(dir, descriptionFile), `${JSON.stringify(description, undefined, 2)}\n`, {
      flush: true,
    });
  });
}

function isSound(dir: string): boolean {
  try {
    openCompiled(dir);
    return true;
  } catch {
    return false;
  }
}

type Places = {
  /** Looked through in this order: each itself, then in it the directory named by the key. */
  readonly cacheDirs: readonly string[];
  /** Where to write, and to write anew where what is there is damaged; undefined: by its key, in the last of the caches. */
  readonly outDir: string | undefined;
};

function* compileSteps(
  modelDir: string,
  { cacheDirs, outDir }: Places,
  options: CompileOptions,
): Generator<CompileProgress, CompileResult> {
  checkOptions(options);
  const arch = readArchitecture(modelDir);
  const complete = completeOptions(options, arch.shape.modelWidth);
  selectLayers(arch, complete);
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
  yield* compileInto({ modelDir, outDir: target, arch, sources, options: complete });
  const model = openCompiled(target);
  return { model, cached: false, report: model.report };
}

function runThrough<T>(steps: Generator<unknown, T>): T {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/**
 * Compiles the model in `modelDir` to `outDir`, or answers what is there if it was made from the same files with the
 * same options by the same compiler.
 * Throws `Fault`: MODEL_MISSING, MODEL_INVALID, MODEL_UNSUPPORTED, MODEL_CHECKSUM_MISMATCH, MODEL_CACHE_UNWRITABLE,
 * DISK_FULL, USAGE_INVALID (unknown matrix, format, layer or window).
 */
export function compile(modelDir: string, outDir: string, options: CompileOptions = {}): CompileResult {
  return runThrough(compileSteps(modelDir, { cacheDirs: [outDir], outDir }, options));
}

/**
 * The compiled form of `modelDir` from the first of `cacheDirs` that has it, itself or in a directory named by its
 * key; compiled into the last of them if none has. Throws as `compile` does.
 */
export function findOrCompile(
  modelDir: string,
  cacheDirs: readonly string[],
  options: CompileOptions = {},
): CompileResult {
  return runThrough(compileSteps(modelDir, { cacheDirs, outDir: undefined }, options));
}

/**
 * The same for somebody who watches and may lose patience: `onProgress` hears of every few megabytes. An aborted
 * `signal` ends it with the signal's reason, and leaves everything as it was.
 */
export async function compileWatched(
  modelDir: string,
  to: { readonly outDir: string } | { readonly cacheDirs: readonly string[] },
  options: CompileOptions,
  onProgress: (progress: CompileProgress) => void,
  signal: AbortSignal,
): Promise<CompileResult> {
  const places =
    'outDir' in to
      ? { cacheDirs: [to.outDir], outDir: to.outDir }
      : { cacheDirs: to.cacheDirs, outDir: undefined };
  const steps = compileSteps(modelDir, places, options);
  try {
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      onProgress(step.value);
      // everything above is synchronous: let Ctrl-C through
      await breathe();
      signal.throwIfAborted();
    }
    return step.value;
  } finally {
    // removes what was half-written
    steps.return(undefined as never);
  }
}
