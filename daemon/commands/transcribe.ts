/** `harkd transcribe`: the daemon's own pipeline on files, as fast as it goes. */

import { readCard } from '../../models/manifest.ts';
import { framesOf } from '../capture/frames.ts';
import { openSound } from '../capture/sound.ts';
import { type Config, loadConfig } from '../config.ts';
import { type DetectSpeech, type Recognition, sampleRateHz, type Utterance } from '../events.ts';
import { Fault, toFault } from '../faults.ts';
import { type FileResult, type FileSegment, formatResult, type OutputFormat } from '../formats.ts';
import { createSegmenterFor, openVad } from '../hearing.ts';
import { locateModel } from '../model-location.ts';
import { MuteSwitch } from '../mute.ts';
import { listen } from '../pipeline.ts';
import { SegmentQueue } from '../queue.ts';
import { type SupervisedRecognizer, startRecognizer } from '../recognizer/client.ts';
import type { LoadedModel } from '../recognizer/messages.ts';
import type { Segmenter } from '../segmenter.ts';
import type { CommandContext } from './context.ts';
import { clock, progressLine } from './progress.ts';

export type TranscribeArguments = {
  readonly files: readonly string[];
  readonly config?: string | undefined;
  readonly format: OutputFormat;
  readonly json: boolean;
  readonly language?: string | undefined;
  readonly task?: 'transcribe' | 'translate' | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly threads?: number | undefined;
  readonly vad: boolean;
};

/** Speech that may wait for the recognizer before reading pauses: enough to keep it busy, little to hold. */
const waitAboveS = 60;

/** Without a detector everything is speech, and the longest segments are cut where it is quiet. */
const everythingIsSpeech: DetectSpeech = async () => 1;

type Job = {
  readonly config: Config;
  readonly detectSpeech: DetectSpeech;
  readonly createSegmenter: () => Segmenter;
  readonly recognizer: SupervisedRecognizer;
  readonly model: LoadedModel;
  readonly loadMs: number;
  readonly context: CommandContext;
};

/**
 * Transcribes each file in turn and writes it in the format asked for. A file that cannot be read does not keep the
 * others from being transcribed: its fault is written, and the first one decides the exit code.
 */
export async function transcribe(argv: TranscribeArguments, context: CommandContext): Promise<void> {
  const startedAtMs = performance.now();
  const { language, task, model, provider, threads } = argv;
  const config = loadConfig({
    path: argv.config,
    environment: context.environment,
    overrides: { language, task, model, provider, threads },
  });
  const location = locateModel(config.model, context.packageDir, context.environment);
  const recognizer = startRecognizer({
    setup: {
      ...location,
      provider: config.provider,
      threads: config.threads,
      language: config.language === 'auto' ? undefined : config.language,
      task: config.task,
    },
    emit: () => undefined,
    environment: context.environment,
    deadlineMs: config.recognizer.deadlineMs,
    loadDeadlineMs: config.recognizer.loadDeadlineMs,
  });
  try {
    let segments = 0;
    const card = readCard(location.modelDir);
    const vad = argv.vad ? await openVad(context.packageDir) : undefined;
    const detectSpeech = vad?.detectSpeech ?? everythingIsSpeech;
    const createSegmenter = createSegmenterFor(config, card, () => String(++segments));
    const loaded = await recognizer.loaded;
    const loadMs = performance.now() - startedAtMs;
    const job: Job = { config, detectSpeech, createSegmenter, recognizer, model: loaded, loadMs, context };
    const format = argv.json ? 'json' : argv.format;
    const faults: Fault[] = [];
    for (const file of argv.files) {
      try {
        context.write(formatResult(await transcribeFile(file, job), format));
      } catch (thrown) {
        const fault = toFault(thrown);
        if (context.signal.aborted || argv.files.length === 1) throw fault;
        context.writeError(`error ${fault.code}: ${fault.message}\n`);
        faults.push(fault);
      }
    }
    const [first] = faults;
    if (first !== undefined) {
      const message = `${faults.length} of ${argv.files.length} files could not be transcribed`;
      throw new Fault(first.code, message, first.hint, { cause: first });
    }
  } finally {
    await recognizer.close();
  }
}

async function transcribeFile(file: string, job: Job): Promise<FileResult> {
  const { config, context, recognizer, model } = job;
  const startedAtMs = performance.now();
  const warn = (message: string): void => context.writeError(`warning: ${message}\n`);
  const sound = await openSound(file, { warn, environment: context.environment });
  const progress = progressLine(context.writeError, context.stderrIsTty);
  const recognized: { readonly segment: Utterance; readonly recognition: Recognition }[] = [];
  let heardMs = 0;
  let vadMs = 0;
  let failed: Fault | undefined;
  const abort = new AbortController();
  const stop = AbortSignal.any([context.signal, abort.signal]);
  try {
    await listen({
      source: async function* (signal) {
        for await (const frame of framesOf(sound.chunks, 0)) {
          if (signal.aborted) return;
          heardMs = ((frame.startSample + frame.samples.length) / sampleRateHz) * 1000;
          const of = sound.declaredMs === undefined ? '' : ` of ${clock(sound.declaredMs)}`;
          const speed = Math.round(heardMs / (performance.now() - startedAtMs));
          progress.show(
            `${file}: ${clock(heardMs)}${of}, ${recognized.length} segments, ${speed}x real time`,
          );
          yield frame;
        }
      },
      detectSpeech: async (frame) => {
        const beganAtMs = performance.now();
        const probability = await job.detectSpeech(frame);
        vadMs += performance.now() - beganAtMs;
        return probability;
      },
      createSegmenter: job.createSegmenter,
      queue: new SegmentQueue(config.queue.capacityS),
      waitAboveS: Math.min(waitAboveS, config.queue.capacityS / 2),
      recognizer: {
        ...recognizer,
        async transcribe(segment) {
          try {
            const recognition = await recognizer.transcribe(segment);
            recognized.push({ segment, recognition });
            return recognition;
          } catch (thrown) {
            // a text with a hole in it would look complete
            failed ??= toFault(thrown);
            abort.abort();
            throw thrown;
          }
        },
      },
      mute: new MuteSwitch(false, () => undefined),
      emit: () => undefined,
      origin: () => ({ model: model.name, provider: model.provider.active, microphone: `file:${file}` }),
      signal: stop,
      giveUp: stop,
    });
  } finally {
    progress.clear();
    await sound.close();
  }
  if (failed !== undefined) throw failed;
  if (context.signal.aborted) {
    throw new Fault(
      'INTERRUPTED',
      `interrupted at ${clock(heardMs)} of ${file}`,
      'run it again to start over',
    );
  }
  const totalMs = performance.now() - startedAtMs;
  const sum = (pick: (recognition: Recognition) => number): number =>
    recognized.reduce((total, { recognition }) => total + pick(recognition), 0);
  const segments = recognized.flatMap(({ segment, recognition }) => piecesOf(segment, recognition));
  return {
    file,
    text: segments.map(({ text }) => text).join('\n'),
    language:
      recognized.find(({ recognition }) => recognition.text !== '')?.recognition.language ?? config.language,
    durationMs: Math.round(heardMs),
    segments: segments.map((segment, index) => ({ id: index, ...segment })),
    model: model.name,
    provider: model.provider.active,
    timings: {
      loadMs: job.loadMs,
      vadMs,
      melMs: sum(({ timings }) => timings.melMs),
      encodeMs: sum(({ timings }) => timings.encodeMs),
      decodeMs: sum(({ timings }) => timings.decodeMs),
      totalMs,
    },
    rtf: heardMs === 0 ? 0 : totalMs / heardMs,
  };
}

/** The pieces of a segment, placed in the file. */
function piecesOf(segment: Utterance, recognition: Recognition): Omit<FileSegment, 'id'>[] {
  if (recognition.text === '') return [];
  const offsetMs = (segment.startSample / sampleRateHz) * 1000;
  return recognition.pieces.map(({ startMs, endMs, text, avgLogProb, noSpeechProb }) => ({
    startMs: Math.round(offsetMs + startMs),
    endMs: Math.round(offsetMs + endMs),
    text,
    avgLogProb,
    noSpeechProb,
  }));
}
