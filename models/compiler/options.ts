/** What can be asked of the compiler, and what that comes to for one model. */
import type { FusedOptions } from './fused.ts';
import type { LayerSelection } from './layers.ts';
import { checkAttentionWindow } from './local-attention.ts';
import { checkWeightOptions, partOf } from './matrix.ts';
import { type CpuProfile, overflowCare, weightsFor } from './profiles.ts';

/** Everything that decides what the graphs of a checkpoint are. */
export type CompleteOptions = FusedOptions & LayerSelection;

export type CompileOptions = Partial<CompleteOptions> & {
  /** The formats for the machine at hand, where `weights` and `exceptions` do not say otherwise. */
  readonly profile?: CpuProfile | undefined;
};

/** int8 everywhere: three times as fast as fp32 and, on the golden utterances, the same words. */
const safestProfile: CpuProfile = 'no-dot-product';

/** Throws `Fault` USAGE_INVALID for what no model could be compiled with. */
export function checkOptions(options: CompileOptions): void {
  checkWeightOptions(options);
  if (options.attentionWindow !== undefined) checkAttentionWindow(options.attentionWindow);
}

/** What the graphs are made with, complete and in one order: equal graphs have equal options. */
export function completeOptions(options: CompileOptions, modelWidth: number): CompleteOptions {
  const profile = options.profile ?? safestProfile;
  const usual = weightsFor(profile, modelWidth);
  const care = overflowCare(profile, modelWidth);
  const { rewritable = care.rewritable, unsigned = care.unsigned } = options;
  const { attentionWindow, keepEncoderLayers, keepDecoderLayers } = options;
  // a format asked for is meant for everything, that of a part for all of the part; exceptions come on top of what is usual
  const { exceptions: asked = {} } = options;
  const left = Object.entries(usual.exceptions).filter(([name]) => asked[partOf(name)] === undefined);
  const exceptions = options.weights === undefined ? { ...Object.fromEntries(left), ...asked } : asked;
  return {
    weights: options.weights ?? usual.weights,
    exceptions: Object.fromEntries(Object.entries(exceptions).sort(([a], [b]) => (a < b ? -1 : 1))),
    inspect: options.inspect ?? false,
    ...(rewritable === true ? { rewritable } : {}),
    ...(unsigned === true ? { unsigned } : {}),
    ...(options.alignment === true ? { alignment: true } : {}),
    // absent where they are not asked for, as in a description that was read back
    ...(attentionWindow === undefined ? {} : { attentionWindow }),
    ...(keepEncoderLayers === undefined ? {} : { keepEncoderLayers }),
    ...(keepDecoderLayers === undefined ? {} : { keepDecoderLayers }),
  };
}
