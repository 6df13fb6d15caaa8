import type { Session, SessionOptions, Tensor } from '../providers/provider.ts';
import type { Frame } from './events.ts';
import { frameSamples, sampleRateHz } from './events.ts';

/** The network sees the end of the frame before, too: 4 ms. */
const contextSamples = 64;
/** Hidden and cell state of one LSTM with 128 units, batch of one. */
const stateDims: readonly number[] = [2, 1, 128];

/** A detector with the graph it holds. */
export type Vad = {
  /** Probability of speech in one frame. */
  readonly detectSpeech: (frame: Frame) => Promise<number>;
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

/** A detector that looks at some frames in one run. */
export type SequenceVad = {
  /**
   * Probability of speech in each of the frames, which follow one another without a gap. Answers lie in memory that
   * the next call overwrites.
   */
  readonly detectSpeech: (frames: readonly Frame[]) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
};

/** Two seconds. From 16 frames to 64 a frame gets 1.5 times cheaper, from there to 256 only 1.15 times. */
export const sequenceFrames = 64;

/**
 * Silero VAD over many frames in one run (models/vad/silero-sequence.ts): the probabilities of `openSileroVad` to
 * 5 decimals, at an eighth of its cost. in `input` float32 [frames, 64 + 512], `state` float32 [2, 1, 128]; out
 * `output` float32 [frames, 1], `stateN` float32 [2, 1, 128].
 *
 * Frames are as in `openSileroVad`; the first of a call continues the last of the call before, or starts afresh.
 * Throws what `openSession` throws, and RangeError for a frame that is too long or follows a gap inside a call.
 */
export async function openSileroSequence(
  graphPath: string,
  openSession: (graphPath: string, options: SessionOptions) => Promise<Session>,
): Promise<SequenceVad> {
  // one thread: the other cores recognise meanwhile
  const session = await openSession(graphPath, { threads: 1, optimize: 'all' });
  const windowSamples = contextSamples + frameSamples;
  const context = new Float32Array(contextSamples);
  let buffers = sequenceBuffers(sequenceFrames);
  let state = zeroState();
  let nextState = zeroState();
  let expectedSample: number | undefined;

  async function detectSpeech(frames: readonly Frame[]): Promise<Float32Array> {
    const [first] = frames;
    if (first === undefined) return new Float32Array(0);
    if (buffers.count !== frames.length) buffers = sequenceBuffers(frames.length);
    const { windows, input, probabilities, output } = buffers;
    if (first.startSample !== expectedSample) {
      context.fill(0);
      state.data.fill(0);
    }
    let nextSample = first.startSample;
    for (const [index, { samples, startSample }] of frames.entries()) {
      if (samples.length > frameSamples) {
        throw new RangeError(`a frame has at most ${frameSamples} samples, got ${samples.length}`);
      }
      if (startSample !== nextSample) {
        throw new RangeError(`frame ${index} starts at ${startSample}, ${nextSample} expected`);
      }
      nextSample = startSample + samples.length;
      const from = index * windowSamples;
      windows.set(context, from);
      windows.set(samples, from + contextSamples);
      windows.fill(0, from + contextSamples + samples.length, from + windowSamples);
      context.set(windows.subarray(from + frameSamples, from + windowSamples));
    }
    expectedSample = nextSample;
    await session.run({ input, state }, ['output', 'stateN'], { output, stateN: nextState });
    [state, nextState] = [nextState, state];
    return probabilities;
  }

  return { detectSpeech, close: () => session.close() };
}

function sequenceBuffers(count: number) {
  const windows = new Float32Array(count * (contextSamples + frameSamples));
  const probabilities = new Float32Array(count);
  const input: Tensor = { type: 'float32', dims: [count, windows.length / count], data: windows };
  const output: Tensor = { type: 'float32', dims: [count, 1], data: probabilities };
  return { count, windows, input, probabilities, output };
}
