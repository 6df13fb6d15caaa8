/** Where the numbers of Silero VAD lie in the memory that dense.wat works in: weights first, as in their file. */

/** Samples the network sees of one frame: 64 before it, 512 of it. */
export const inputSamples = 576;
export const windowSamples = 256;
export const hopSamples = 128;
/** Magnitudes of one window. */
export const bins = windowSamples / 2 + 1;
/** Units of the LSTM, and features it gets. */
export const width = 128;
/** Windows of a frame. */
export const positions = 4;

type Layer = { readonly inputs: number; readonly outputs: number; readonly blockColumns: 8 | 32 };

/** Every layer as one product of what it sees, laid side by side. A convolution sees three positions, or two at an edge. */
export const layers = {
  /** Four rows, one for each position. */
  convolution0: { inputs: 3 * bins, outputs: 128, blockColumns: 8 },
  /** Stride 2: position 0 sees (nothing, 0, 1), position 1 sees (1, 2, 3). */
  convolution1: { inputs: 3 * 128, outputs: 64, blockColumns: 32 },
  /** Stride 2: one position is left, which sees (nothing, 0, 1). */
  convolution2: { inputs: 2 * 64, outputs: 64, blockColumns: 32 },
  /** One position has no neighbours. */
  convolution3: { inputs: 64, outputs: 128, blockColumns: 32 },
  /** Features and hidden state to the gates, in PyTorch's order: input, forget, cell, output. */
  gates: { inputs: 2 * width, outputs: 4 * width, blockColumns: 32 },
} as const satisfies Readonly<Record<string, Layer>>;

export type LayerName = keyof typeof layers;

/** Name and length, in float32 values; a multiple of 16 starts each part, so that no vector crosses a cache line. */
function place<Name extends string>(first: number, parts: readonly (readonly [Name, number])[]) {
  const offsets = {} as Record<Name, number>;
  let at = first;
  for (const [name, length] of parts) {
    offsets[name] = at;
    at += Math.ceil(length / 16) * 16;
  }
  return { offsets, end: at };
}

const weights = place(0, [
  ['window', windowSamples],
  ...Object.entries(layers).flatMap(([name, { inputs, outputs }]) => [
    [`${name as LayerName}.weight`, inputs * outputs] as const,
    [`${name as LayerName}.bias`, outputs] as const,
  ]),
  ['speech.weight', width],
  ['speech.bias', 1],
]);
/** Of each part of the weights, counted in float32 values. */
export const weightAt = weights.offsets;
export const weightsLength = weights.end;

const activations = place(weightsLength, [
  // rows of zeros stand for the positions that are not there
  ['magnitudes', (positions + 2) * bins],
  ['convolved0', (positions + 1) * layers.convolution0.outputs],
  ['convolved1', 2 * layers.convolution1.outputs],
  ['convolved2', layers.convolution2.outputs],
  ['features', width],
  // right behind the features: the gates see both in one row
  ['hidden', width],
  ['cell', width],
  ['gates', 4 * width],
]);
export const activationAt = activations.offsets;
export const memoryLength = activations.end;
