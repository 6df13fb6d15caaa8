import type { Session, SessionOptions, Tensor } from '../providers/provider.ts';
import type { DetectSpeech, Frame } from './events.ts';
import { frameSamples, sampleRateHz } from './events.ts';

/** The network sees the end of the frame before, too: 4 ms. */
const contextSamples = 64;
/** Hidden and cell state of one LSTM with 128 units, batch of one. */
const stateDims: readonly number[] = [2, 1, 128];

/** A detector with the graph it holds. */
export type Vad = {
  readonly detectSpeech: DetectSpeech;
  readonly close: () => Promise<void>;
};

/**
 * Silero VAD, version 5 and 6: one graph, one frame at a time, with state handed from frame to frame.
 * in `input` float32 [1, 64 + 512], `state` float32 [2, 1, 128], in the published graph `sr` int64 []; out `output` float32 [1, 1],
 * `stateN` float32 [2, 1, 128]. Source: snakers4/silero-vad, src/silero_vad/utils_vad.py, OnnxWrapper.
 *
 * `detectSpeech` takes frames of at most 512 samples, one call at a time, in order. A shorter one is heard as if
 * silence followed; a frame that does not start where the last one ended is heard as the first one of all.
 * Throws what `openSession` throws, and RangeError for a longer frame.
 */
export async function openSileroVad(
  graphPath: string,
  openSession: (graphPath: string, options: SessionOptions) => Promise<Session>,
): Promise<Vad> {
  // one thread: a frame takes a fraction of a millisecond, less than waking a second core
  const session = await openSession(graphPath, { threads: 1, optimize: 'all' });

  const window = new Float32Array(contextSamples + frameSamples);
  const input: Tensor = { type: 'float32', dims: [1, window.length], data: window };
  // the published graph asks for the sampling rate, ours is compiled for it
  const rate: Tensor = { type: 'int64', dims: [], data: BigInt64Array.of(BigInt(sampleRateHz)) };
  const probability = { type: 'float32', dims: [1, 1], data: new Float32Array(1) } as const satisfies Tensor;
  const rateIfAsked = session.inputNames.includes('sr') ? { sr: rate } : {};
  // the graph reads one while it writes the other
  let state = zeroState();
  let nextState = zeroState();
  let expectedSample: number | undefined;

  async function detectSpeech(frame: Frame): Promise<number> {
    const { samples, startSample } = frame;
    if (samples.length > frameSamples) {
      throw new RangeError(`a frame has at most ${frameSamples} samples, got ${samples.length}`);
    }
    if (startSample === expectedSample) {
      window.copyWithin(0, frameSamples);
    } else {
      window.fill(0);
      state.data.fill(0);
    }
    window.set(samples, contextSamples);
    window.fill(0, contextSamples + samples.length);
    expectedSample = startSample + samples.length;

    await session.run({ input, state, ...rateIfAsked }, ['output', 'stateN'], {
      output: probability,
      stateN: nextState,
    });
    [state, nextState] = [nextState, state];
    return probability.data[0] ?? Number.NaN;
  }

  return { detectSpeech, close: () => session.close() };
}

function zeroState() {
  const data = new Float32Array(stateDims.reduce((product, dim) => product * dim, 1));
  return { type: 'float32', dims: stateDims, data } as const satisfies Tensor;
}
