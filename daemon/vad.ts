import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createSileroNetwork } from '../models/vad/silero-network.ts';
import type { Session, SessionOptions, Tensor } from '../providers/provider.ts';
import type { DetectSpeech, Frame } from './events.ts';
import { frameSamples } from './events.ts';
import { Fault } from './faults.ts';

/** The network sees the end of the frame before, too: 4 ms. */
const contextSamples = 64;
/** Hidden and cell state of one LSTM with 128 units, batch of one. */
const stateDims: readonly number[] = [2, 1, 128];

/**
 * Silero VAD v6 (models/vad/silero-network.ts), one frame after the other, with state handed from frame to frame.
 * Source: snakers4/silero-vad, src/silero_vad/utils_vad.py, OnnxWrapper.
 *
 * `detectSpeech` takes frames of at most 512 samples. A shorter one is heard as if silence followed; a frame that does
 * not start where the last one ended is heard as the first one of all. It throws RangeError for a longer frame.
 * Throws `Fault` MODEL_MISSING, MODEL_INVALID for what is not as the build left it in `vadDir`.
 */
export async function openSileroVad(vadDir: string): Promise<DetectSpeech> {
  const network = await loadNetwork(
    path.join(vadDir, 'dense.wasm'),
    path.join(vadDir, 'silero-vad-v6.weights'),
  );
  const window = new Float32Array(contextSamples + frameSamples);
  let expectedSample: number | undefined;

  function probabilityOf({ samples, startSample }: Frame): number {
    if (samples.length > frameSamples) {
      throw new RangeError(`a frame has at most ${frameSamples} samples, got ${samples.length}`);
    }
    if (startSample === expectedSample) {
      window.copyWithin(0, frameSamples);
    } else {
      window.fill(0);
      network.reset();
    }
    window.set(samples, contextSamples);
    window.fill(0, contextSamples + samples.length);
    expectedSample = startSample + samples.length;
    return network.detect(window);
  }

  return async (frames) => frames.map(probabilityOf);
}

async function loadNetwork(denseFile: string, weightsFile: string) {
  const hint = 'the package was changed or damaged: install harkd again, or run npm run build in its folder';
  const read = async (file: string): Promise<Uint8Array> => {
    try {
      return await readFile(file);
    } catch (cause) {
      throw new Fault('MODEL_MISSING', `the voice-activity detector cannot be read: ${file}`, hint, {
        cause,
      });
    }
  };
  const [dense, bytes] = await Promise.all([read(denseFile), read(weightsFile)]);
  try {
    // a copy, because the bytes lie anywhere in a buffer and floats must be aligned
    return await createSileroNetwork(dense, new Float32Array(new Uint8Array(bytes).buffer));
  } catch (cause) {
    const what = `${denseFile} and ${weightsFile} are no voice-activity detector: ${(cause as Error).message}`;
    throw new Fault('MODEL_INVALID', what, hint, { cause });
  }
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
 * 4 decimals, many at a time. in `input` float32 [frames, 64 + 512], `state` float32 [2, 1, 128]; out
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

function zeroState() {
  const data = new Float32Array(stateDims.reduce((product, dim) => product * dim, 1));
  return { type: 'float32', dims: stateDims, data } as const satisfies Tensor;
}
