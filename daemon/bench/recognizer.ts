/** How fast the recognizer process of this machine answers: the same process, asked the same way as the daemon asks. */
import { type Recognition, sampleRateHz } from '../events.ts';
import { type RecognizerOptions, type SupervisedRecognizer, startRecognizer } from '../recognizer/client.ts';
import type { LoadedModel } from '../recognizer/messages.ts';
import { type Memory, readMemory } from './memory.ts';
import { type Summary, summarize } from './statistics.ts';

export type RecognizerFigures = {
  readonly model: LoadedModel;
  /** What it made of the sound. */
  readonly text: string;
  readonly tokens: number;
  /** Start of the process to model loaded. */
  readonly loadMs: Summary;
  /** Samples sent to text received: what somebody waits for after the pause that ends a sentence. */
  readonly answerMs: Summary;
  readonly encodeMs: Summary;
  readonly decodeMs: Summary;
  /** `answerMs` over the length of the sound. */
  readonly rtf: Summary;
  /** Of the recognizer process, after all rounds. */
  readonly memory: Memory;
};

export type RecognizerBenchOptions = Omit<RecognizerOptions, 'emit'> & {
  readonly samples: Float32Array;
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Told what is being done now. */
  readonly onProgress: (doing: string) => void;
};

/** Loads that are counted: a process start says the same thing every time. */
const starts = 3;
/** The first answers fill caches and let V8 compile. */
const warmUps = 3;

/** Throws `Fault`: what the recognizer throws; the reason of `signal` when that aborts. */
export async function benchRecognizer(options: RecognizerBenchOptions): Promise<RecognizerFigures> {
  const { samples, rounds, signal, onProgress, ...rest } = options;
  const durationMs = (samples.length / sampleRateHz) * 1000;
  const loadMs: number[] = [];
  let recognizer: SupervisedRecognizer | undefined;
  async function start(): Promise<LoadedModel> {
    signal.throwIfAborted();
    await recognizer?.close();
    recognizer = startRecognizer({ ...rest, emit: () => undefined });
    return await recognizer.loaded;
  }
  try {
    onProgress('loading the model');
    // not counted: the first ever compiles it, and reads the files from disk
    let model = await start();
    for (let i = 0; i < Math.min(starts, rounds); i++) {
      const startedAtMs = performance.now();
      model = await start();
      loadMs.push(performance.now() - startedAtMs);
    }
    const answers: { readonly answerMs: number; readonly recognition: Recognition }[] = [];
    for (let round = -warmUps; round < rounds; round++) {
      signal.throwIfAborted();
      onProgress(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
      const askedAtMs = performance.now();
      const recognition = await (recognizer as unknown as SupervisedRecognizer).transcribe({
        id: String(round),
        startSample: 0,
        endSample: samples.length,
        samples,
      });
      if (round >= 0) answers.push({ answerMs: performance.now() - askedAtMs, recognition });
    }
    const pid = recognizer?.pid();
    const last = answers.at(-1)?.recognition;
    const of = (pick: (answer: (typeof answers)[number]) => number): Summary => summarize(answers.map(pick));
    return {
      model,
      text: last?.text ?? '',
      tokens: last?.tokens.length ?? 0,
      loadMs: summarize(loadMs),
      answerMs: of(({ answerMs }) => answerMs),
      encodeMs: of(({ recognition }) => recognition.timings.melMs + recognition.timings.encodeMs),
      decodeMs: of(({ recognition }) => recognition.timings.decodeMs),
      rtf: of(({ answerMs }) => answerMs / durationMs),
      memory:
        pid === undefined ? { rssMb: undefined, pssMb: undefined, anonymousMb: undefined } : readMemory(pid),
    };
  } finally {
    await recognizer?.close();
  }
}
