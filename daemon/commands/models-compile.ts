/** `harkd models compile`: make the graphs of a model now, in another form than usual, and say what came of it. */
import path from 'node:path';
import { type Agreement, compareWithPlain, recordAgreement } from '../../models/compiler/agreement.ts';
import { type CompileResult, compileWatched } from '../../models/compiler/compile.ts';
import { modelParts, type WeightFormat, weightFormats } from '../../models/compiler/matrix.ts';
import type { CompileOptions } from '../../models/compiler/options.ts';
import { type CpuProfile, cpuProfiles } from '../../models/compiler/profiles.ts';
import { cpuProfile } from '../../providers/cpu.ts';
import { resolveProvider } from '../../providers/registry.ts';
import { readCommand } from '../bench/command.ts';
import { Fault } from '../faults.ts';
import { locateModel } from '../model-location.ts';
import type { CommandContext } from './context.ts';
import { megabytes, table } from './models-text.ts';
import { progressLine } from './progress.ts';

export type ModelsCompileArguments = {
  /** `embedded`, the name of an installed model, or a folder. */
  readonly name?: string | undefined;
  /** One format for everything, or for parts and matrices: `int8,decoder=int4,head=int4-128`. */
  readonly weights?: string | undefined;
  /** The kind of processor to compile for; this one's unless told. */
  readonly profile?: string | undefined;
  /** Layers from 0: `0,2,4`. */
  readonly keepEncoderLayers?: string | undefined;
  readonly keepDecoderLayers?: string | undefined;
  readonly attentionWindow?: number | undefined;
  /** A folder of its own, instead of the cache. */
  readonly output?: string | undefined;
  /** Compare with the plain float32 graphs afterwards; default true. */
  readonly compare?: boolean | undefined;
  readonly json?: boolean | undefined;
};

function usage(message: string, hint: string): Fault {
  return new Fault('USAGE_INVALID', message, hint);
}

/** `int8,decoder=int4` to what the compiler takes. Which names there are, it knows. */
function parseWeights(text: string | undefined): Pick<CompileOptions, 'weights' | 'exceptions'> {
  if (text === undefined) return {};
  const exceptions: Record<string, WeightFormat> = {};
  let weights: WeightFormat | undefined;
  for (const part of text.split(',')) {
    const [, name, format] = /^(?:([\w.]+)=)?([\w-]+)$/.exec(part.trim()) ?? [];
    const known = weightFormats.find((known) => known === format);
    if (known === undefined || (name === undefined && weights !== undefined)) {
      throw usage(
        `--weights has '${part}', expected one of ${weightFormats.join(', ')} and perhaps exceptions`,
        `for a part of the model (${modelParts.join(', ')}) write: --weights int8,decoder=int4`,
      );
    }
    if (name === undefined) weights = known;
    else exceptions[name] = known;
  }
  return { ...(weights === undefined ? {} : { weights }), exceptions };
}

function parseProfile(text: string | undefined): CpuProfile {
  if (text === undefined) return cpuProfile();
  const profile = cpuProfiles.find((known) => known === text);
  if (profile !== undefined) return profile;
  throw usage(
    `--profile is '${text}', expected one of ${cpuProfiles.join(', ')}`,
    `this processor is ${cpuProfile()}`,
  );
}

function parseLayers(option: string, text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(,\d+)*$/.test(text)) return text.split(',').map(Number);
  throw usage(`${option} is '${text}', expected numbers with commas between`, `for example: ${option} 0,2,4`);
}

function parseOptions(argv: ModelsCompileArguments): CompileOptions {
  const { attentionWindow } = argv;
  return {
    ...parseWeights(argv.weights),
    profile: parseProfile(argv.profile),
    keepEncoderLayers: parseLayers('--keep-encoder-layers', argv.keepEncoderLayers),
    keepDecoderLayers: parseLayers('--keep-decoder-layers', argv.keepDecoderLayers),
    ...(attentionWindow === undefined ? {} : { attentionWindow }),
  };
}

/** A bar of twenty, for a line that rewrites itself. */
function bar(done: number, total: number): string {
  const filled = total === 0 ? 20 : Math.round((20 * done) / total);
  return `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}]`;
}

/**
 * Compiles the model, compares it with the plain graphs, and writes the report. What was compiled before is found
 * again, and only compared where it was not yet.
 * Throws `Fault`: USAGE_INVALID, INTERRUPTED, and what finding, compiling and opening a model throw.
 */
export async function modelsCompile(argv: ModelsCompileArguments, context: CommandContext): Promise<void> {
  const { name, output } = argv;
  if (name === undefined || name === '') {
    throw usage('harkd models compile needs a name or a folder', 'harkd models list shows the names');
  }
  const options = parseOptions(argv);
  const { modelDir, cacheDirs } = locateModel(name, context.packageDir, context.environment);
  const progress = progressLine(context.writeError, context.stderrIsTty);
  try {
    const result = await compileWatched(
      modelDir,
      output === undefined ? { cacheDirs } : { outDir: path.resolve(output) },
      options,
      ({ doneBytes, totalBytes }) =>
        progress.show(
          `${name}: compiling ${bar(doneBytes, totalBytes)} ${megabytes(doneBytes)} of ${megabytes(totalBytes)}`,
        ),
      context.signal,
    );
    const agreement =
      argv.compare === false
        ? undefined
        : (result.report.agreement ??
          (await compare(modelDir, result, context, (done, total) =>
            progress.show(`${name}: comparing ${bar(done, total)} with the plain graphs`),
          )));
    progress.clear();
    context.write(argv.json ? json(result, agreement) : render(name, result, agreement));
  } catch (thrown) {
    if (!context.signal.aborted || thrown instanceof Fault) throw thrown;
    throw new Fault(
      'INTERRUPTED',
      'models compile was stopped',
      'nothing half-compiled is left; start it again when there is time',
      { cause: thrown },
    );
  } finally {
    progress.clear();
  }
}

/** On the demonstration recordings that ship with the package. */
async function compare(
  modelDir: string,
  { model }: CompileResult,
  { packageDir, signal }: CommandContext,
  onProgress: (done: number, total: number) => void,
): Promise<Agreement> {
  const { provider } = await resolveProvider('cpu');
  const { samples, recording } = await readCommand(path.join(packageDir, 'dist/models/embedded/demo'));
  // one command, and two stretches of several with the pauses between them
  const middle = Math.floor(recording.length / 2);
  const sounds = [samples, recording.slice(0, 80_000), recording.slice(middle, middle + 128_000)];
  const agreement = await compareWithPlain({
    modelDir,
    compiled: model,
    provider,
    sounds,
    signal,
    onProgress,
  });
  try {
    recordAgreement(model, agreement);
  } catch {
    // a shipped model on a read-only file system: the report is printed all the same
  }
  return agreement;
}

function json({ model, cached, report }: CompileResult, agreement: Agreement | undefined): string {
  const { dir, key, options, shape } = model;
  return `${JSON.stringify({ dir, key, cached, options, shape, report: { ...report, agreement } }, undefined, 2)}\n`;
}

function render(
  name: string,
  { model, cached, report }: CompileResult,
  agreement: Agreement | undefined,
): string {
  const { weights, exceptions, keepEncoderLayers, keepDecoderLayers, attentionWindow } = model.options;
  const formats = [weights, ...Object.entries(exceptions).map(([part, format]) => `${part} ${format}`)];
  const left = (kept: readonly number[] | undefined, count: number) =>
    kept === undefined ? `all ${count}` : kept.join(', ');
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const rows = [
    ['weights', formats.join(', ')],
    ['encoder layers', left(keepEncoderLayers, model.shape.encoderLayers)],
    ['decoder layers', left(keepDecoderLayers, model.shape.decoderLayers)],
    [
      'attention',
      attentionWindow === undefined ? 'to everything' : `in windows of ${seconds(20 * attentionWindow)}`,
    ],
    ['operators', `${report.operatorsBefore} to ${report.operatorsAfter}`],
    ['size', `${megabytes(report.bytesBefore)} to ${megabytes(report.bytesAfter)}`],
    ['took', `${seconds(report.durationMs)}, at most ${megabytes(report.peakRssBytes)} of memory`],
  ];
  if (agreement !== undefined) {
    const { sameTokens, tokens, sounds, largestLogitDifference } = agreement;
    rows.push(
      ['same tokens', `${sameTokens} of ${tokens}, on ${sounds} sounds`],
      ['largest logit difference', largestLogitDifference.toPrecision(2)],
    );
  }
  const verb = cached ? 'was compiled already' : 'compiled';
  return `${name} ${verb}: ${model.dir}\n${table(rows)}`;
}
