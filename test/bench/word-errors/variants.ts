/** The embedded model in number formats that may be asked for, each compiled and opened. */
import path from 'node:path';
import { readArchitecture } from '../../../models/compiler/architecture.ts';
import { compile } from '../../../models/compiler/compile.ts';
import { type CompileOptions, completeOptions } from '../../../models/compiler/options.ts';
import { cpuProfiles } from '../../../models/compiler/profiles.ts';
import type { ModelCard } from '../../../models/manifest.ts';
import { type DecodingDefaults, whisperDefaults } from '../../../models/whisper/belief.ts';
import { openModel } from '../../../models/whisper/open.ts';
import type { Whisper } from '../../../models/whisper/whisper.ts';
import { provider } from '../../../providers/cpu.ts';

/** What everything else is compared with comes first, what ships second, and what wide models get last. */
const asked: Readonly<Record<string, CompileOptions>> = {
  fp32: { weights: 'fp32' },
  int8: { weights: 'int8' },
  'int8, decoder int4': { weights: 'int8', exceptions: { decoder: 'int4', head: 'int4-128' } },
};

export type Variant = {
  readonly name: string;
  readonly options: CompileOptions;
  /** Kinds of processors on which the recognizer takes this one by itself. */
  readonly usualOn: readonly string[];
};

/** Those above, and what kinds of processors get that is none of them. */
export function variantsOf(modelDir: string): readonly Variant[] {
  const { modelWidth } = readArchitecture(modelDir).shape;
  /** By number formats alone: what else there is to choose makes no other numbers. */
  const keyOf = (options: CompileOptions): string => {
    const { weights, exceptions } = completeOptions(options, modelWidth);
    return JSON.stringify([weights, exceptions]);
  };
  const byKey = new Map<string, Variant>();
  for (const [name, options] of Object.entries(asked)) {
    byKey.set(keyOf(options), { name, options, usualOn: [] });
  }
  for (const profile of cpuProfiles) {
    const options = { profile };
    const known = byKey.get(keyOf(options)) ?? { name: `as for ${profile}`, options, usualOn: [] };
    byKey.set(keyOf(options), { ...known, usualOn: [...known.usualOn, profile] });
  }
  return [...byKey.values()];
}

export type OpenedVariant = Variant & { readonly bytes: number; readonly whisper: Whisper };

/**
 * As `card` has it, or Whisper where it says nothing, with `beamSize` going before both; but no text is withheld for its
 * log-probability: whether it is believed is decided after it was counted.
 */
export function decodingOf(
  card: Pick<ModelCard, 'decoding'> | undefined,
  beamSize?: number,
): DecodingDefaults {
  return {
    ...whisperDefaults,
    ...card?.decoding,
    ...(beamSize === undefined ? {} : { beamSize }),
    minAvgLogProb: Number.NEGATIVE_INFINITY,
  };
}

/** Compiles `variant` of the model into `dir` and opens it on one thread. The caller closes its Whisper. */
export async function openVariant(
  variant: Variant,
  modelDir: string,
  dir: string,
  defaults: Partial<DecodingDefaults>,
): Promise<OpenedVariant> {
  const to = path.join(dir, variant.name.replaceAll(/\W+/g, '-'));
  const { model, report } = compile(modelDir, to, variant.options);
  const whisper = await openModel({ compiled: model, provider, defaults });
  return { ...variant, bytes: report.bytesAfter, whisper };
}
