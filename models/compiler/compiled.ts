/** A compiled model: a directory with two graphs, their weights, and `compiled.json`, which says what they are. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { type FileList, isFileList } from '../files.ts';
import { verifyFilesOnce } from '../verified.ts';
import type { WhisperShape } from '../whisper/graphs.ts';
import { tokenTableFile } from '../whisper/token-table.ts';
import type { Agreement } from './agreement.ts';
import type { TokenRules } from './architecture.ts';
import type { CompleteOptions } from './options.ts';
import { isBeingWritten } from './output.ts';

export const descriptionFile = 'compiled.json';
/** Raised when `compiled.json` changes its meaning; the graphs have a version of their own. */
const descriptionVersion = 1;

export type CompileReport = {
  /** Nodes: of the graphs as the usual exporter writes them, and of ours. */
  readonly operatorsBefore: number;
  readonly operatorsAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly durationMs: number;
  /** Highest resident memory of the process that compiled, with whatever it did before. */
  readonly peakRssBytes: number;
  /** How near it comes to the plain float32 graphs, where that was tried (agreement.ts). */
  readonly agreement?: Agreement;
};

export type CompiledModel = {
  readonly format: typeof descriptionVersion;
  /** SHA-256 of what the graphs were made from: the source files, the options and the compiler's version. */
  readonly key: string;
  readonly compilerVersion: string;
  readonly options: CompleteOptions;
  readonly shape: WhisperShape;
  readonly tokens: TokenRules;
  readonly sources: FileList;
  /** Everything that was compiled into the directory, `compiled.json` not counted. */
  readonly files: FileList;
  readonly report: CompileReport;
};

export type OpenedModel = CompiledModel & {
  readonly dir: string;
  readonly encoderPath: string;
  readonly decoderPath: string;
};

const remedy = 'delete the directory and compile the model again with harkd models compile';

function isDescription(value: Partial<CompiledModel> | null): value is CompiledModel {
  return (
    value?.format === descriptionVersion &&
    typeof value.key === 'string' &&
    typeof value.shape === 'object' &&
    typeof value.tokens === 'object' &&
    isFileList(value.files) &&
    ['encoder.onnx', 'decoder.onnx', tokenTableFile].every((name) => Object.hasOwn(value.files ?? {}, name))
  );
}

/** What `dir` says of itself; undefined if it is no compiled model of this version. Hashes nothing. */
export function readDescription(dir: string): CompiledModel | undefined {
  const file = path.join(dir, descriptionFile);
  if (!existsSync(file)) return undefined;
  try {
    const description = JSON.parse(readFileSync(file, 'utf8')) as Partial<CompiledModel> | null;
    return isDescription(description) ? description : undefined;
  } catch {
    return undefined;
  }
}

/** For so long a directory may be nowhere, between the renaming of the old one and that of the new one. */
const longestGapMs = 2000;

/** As `readDescription`, but waits for the directory where another compiler is putting it in its place. */
function awaitDescription(dir: string): CompiledModel | undefined {
  const untilMs = performance.now() + longestGapMs;
  let description = readDescription(dir);
  while (description === undefined && isBeingWritten(dir) && performance.now() < untilMs) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    description = readDescription(dir);
  }
  // it may have come between the last two looks
  return description ?? readDescription(dir);
}

/**
 * Opens a compiled model after hashing every file of it that was touched since it was last hashed. Needs nothing of the directory it was compiled from.
 * Throws `Fault`: MODEL_MISSING, MODEL_CHECKSUM_MISMATCH (the file and both hashes).
 */
export function openCompiled(dir: string): OpenedModel {
  const description = awaitDescription(dir);
  if (description === undefined) {
    throw new Fault('MODEL_MISSING', `there is no compiled model at ${dir}`, remedy);
  }
  try {
    verifyFilesOnce(dir, description.files, descriptionFile, remedy);
  } catch (fault) {
    // another compiler may have put its model in the place of the one we were reading; each such race has a winner
    const now = awaitDescription(dir);
    if (now !== undefined && JSON.stringify(now) !== JSON.stringify(description)) return openCompiled(dir);
    throw fault;
  }
  return {
    ...description,
    dir,
    encoderPath: path.join(dir, 'encoder.onnx'),
    decoderPath: path.join(dir, 'decoder.onnx'),
  };
}
