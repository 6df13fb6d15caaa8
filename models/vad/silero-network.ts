/**
 * Runs Silero VAD on one frame: the Fourier transform and the gates here, the layers between in WebAssembly (dense.wat).
 *
 * Why not in onnxruntime, like everything else: at the pace of a microphone the caches have gone cold when the next
 * frame comes, and then what counts is how much code and memory a frame touches. A run of a session with nothing in it
 * takes 0.2 ms then, the compiled graph 0.65 ms, this a third of that (docs/adr/0008).
 *
 * Layers: STFT magnitude (window 256, hop 128, 129 bins, 4 positions) -> four convolutions of width 3 with strides
 * 1, 2, 2, 1 and 4, 2, 1, 1 positions -> LSTM -> one unit. Read from the published v6 graph.
 */
import {
  activationAt,
  bins,
  hopSamples,
  inputSamples,
  layers,
  memoryLength,
  positions,
  weightAt,
  weightsLength,
  width,
  windowSamples,
} from './silero-layout.ts';
import { magnitudesOfTwo } from './spectrum.ts';

export type SileroNetwork = {
  /** Probability of speech in the frame that ends `input`: 64 samples before it, and its 512. Remembers earlier ones. */
  readonly detect: (input: Float32Array) => number;
  /** Forgets what was heard before. */
  readonly reset: () => void;
};

/** What both loops of dense.wat are told behind where their rows lie. */
type Layer = readonly [w: number, b: number, y: number, inputs: number, outputs: number, floor: number];
type DenseRow = (x: number, ...layer: Layer) => void;
type DenseFourRows = (x: number, stride: number, ...layer: Layer) => void;

const pageBytes = 65_536;
const floatBytes = 4;

/**
 * `dense`: dense.wat as the build has assembled it. `weights`: those of `packSilero`.
 * Throws RangeError for weights of another length, and what WebAssembly throws for code that is not valid.
 */
export async function createSileroNetwork(dense: Uint8Array, weights: Float32Array): Promise<SileroNetwork> {
  if (weights.length !== weightsLength) {
    throw new RangeError(`expected ${weightsLength} weights, got ${weights.length}`);
  }
  const memory = new WebAssembly.Memory({ initial: Math.ceil((memoryLength * floatBytes) / pageBytes) });
  const { instance } = await WebAssembly.instantiate(dense, { harkd: { memory } });
  const { denseRow, denseFourRows } = instance.exports as {
    readonly denseRow: DenseRow;
    readonly denseFourRows: DenseFourRows;
  };
  new Float32Array(memory.buffer).set(weights);
  const view = (from: number, length: number) => new Float32Array(memory.buffer, from * floatBytes, length);
  const window = view(weightAt.window, windowSamples);
  const magnitudes = Array.from({ length: positions }, (_, i) =>
    view(activationAt.magnitudes + (i + 1) * bins, bins),
  );
  const hidden = view(activationAt.hidden, width);
  const cell = view(activationAt.cell, width);
  const gates = view(activationAt.gates, layers.gates.outputs);
  const lastWeight = view(weightAt['speech.weight'], width);
  const lastBias = weights[weightAt['speech.bias']] ?? 0;
  const mirrored = new Float32Array(inputSamples + hopSamples / 2);

  const at = (from: number): number => from * floatBytes;
  function row(name: Exclude<keyof typeof layers, 'convolution0'>, x: number, y: number, floor = 0): void {
    const { inputs, outputs } = layers[name];
    denseRow(
      at(x),
      at(weightAt[`${name}.weight`]),
      at(weightAt[`${name}.bias`]),
      at(y),
      inputs,
      outputs,
      floor,
    );
  }

  function transform(input: Float32Array): void {
    mirrored.set(input);
    // as the published graph pads: mirrored at the last sample, which is not repeated
    for (let i = 0; i < hopSamples / 2; i++) mirrored[inputSamples + i] = input[inputSamples - 2 - i] ?? 0;
    const [first, second, third, fourth] = magnitudes;
    if (!first || !second || !third || !fourth) return;
    magnitudesOfTwo(mirrored, 0, hopSamples, window, first, second);
    magnitudesOfTwo(mirrored, 2 * hopSamples, 3 * hopSamples, window, third, fourth);
  }

  function remember(): number {
    let logit = lastBias;
    for (let i = 0; i < width; i++) {
      const admit = sigmoid(gates[i] ?? 0);
      const keep = sigmoid(gates[width + i] ?? 0);
      const candidate = Math.tanh(gates[2 * width + i] ?? 0);
      const tell = sigmoid(gates[3 * width + i] ?? 0);
      const c = keep * (cell[i] ?? 0) + admit * candidate;
      const h = tell * Math.tanh(c);
      cell[i] = c;
      hidden[i] = h;
      if (h > 0) logit += h * (lastWeight[i] ?? 0);
    }
    return sigmoid(logit);
  }

  function detect(input: Float32Array): number {
    transform(input);
    const { outputs, inputs } = layers.convolution0;
    // behind a row of zeros, which convolution 1 sees before position 0
    const convolved = activationAt.convolved0 + outputs;
    denseFourRows(
      at(activationAt.magnitudes),
      at(bins),
      at(weightAt['convolution0.weight']),
      at(weightAt['convolution0.bias']),
      at(convolved),
      inputs,
      outputs,
      0,
    );
    row('convolution1', activationAt.convolved0, activationAt.convolved1);
    row('convolution1', convolved + outputs, activationAt.convolved1 + layers.convolution1.outputs);
    row('convolution2', activationAt.convolved1, activationAt.convolved2);
    row('convolution3', activationAt.convolved2, activationAt.features);
    row('gates', activationAt.features, activationAt.gates, Number.NEGATIVE_INFINITY);
    return remember();
  }

  function reset(): void {
    hidden.fill(0);
    cell.fill(0);
  }

  return { detect, reset };
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
