/** `harkd transcribe`: recordings to text, as fast as they go, in memory that does not grow with their length. */
import { rmSync, statSync } from 'node:fs';
import { freemem } from 'node:os';
import path from 'node:path';
import { readCard } from '../../models/manifest.ts';
import { type Config, loadConfig } from '../config/config.ts';
import type { Frame } from '../events.ts';
import { Fault, toFault } from '../faults.ts';
import { formatResult, type OutputFormat } from '../formats.ts';
import { createSegmenterFor, openSequenceVad } from '../hearing.ts';
import { locateModel } from '../model-location.ts';
import { startRecognizer } from '../recognizer/client.ts';
import { type RecognizerPool, recognizerPool } from '../recognizer/pool.ts';
import { recognitionSettings } from '../recognizer/settings.ts';
import { replaceFile } from '../replace-file.ts';
import type { CommandContext } from './context.ts';
import { type Job, transcribeFile } from './transcribe-file.ts';
import { journalOf, placeTranscripts } from './transcript-places.ts';

export type TranscribeArguments = {
  readonly files: readonly string[];
  readonly config?: string | undefined;
  readonly format: OutputFormat;
  readonly json: boolean;
  /** A file, or a folder for several; standard output where it is left out. */
  readonly output?: string | undefined;
  readonly language?: string | undefined;
  /** Given several times, several. */
  readonly keyTerm?: string | readonly string[] | undefined;
  readonly beamSize?: number | undefined;
  /** Says when each word was said, in JSON. */
  readonly words: boolean;
  readonly task?: 'transcribe' | 'translate' | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly threads?: number | undefined;
  readonly vad: boolean;
};

/** Without a detector everything is speech, and the longest segments are cut where it is quiet. */
const everythingIsSpeech = async (frames: readonly Frame[]): Promise<Float32Array> =>
  new Float32Array(frames.length).fill(1);

/**
 * Transcribes each file in turn and writes it in the format asked for: to standard output while it is made, or to
 * `output` once it is whole. A file that cannot be read does not keep the others from being transcribed: its fault is
 * written, and the first one decides the exit code. What an interrupted run left beside `output` is taken up; it is
 * kept until every file is done, so that none is done twice.
 */
export async function transcribe(argv: TranscribeArguments, context: CommandContext): Promise<void> {
  const startedAtMs = performance.now();
  const { language, task, model, provider, threads, beamSize } = argv;
  const keyTerms = argv.keyTerm === undefined ? undefined : [argv.keyTerm].flat();
  const config = loadConfig({
    path: argv.config,
    environment: context.environment,
    overrides: { language, task, model, provider, threads, keyTerms, beamSize },
  });
  const format = argv.json ? 'json' : argv.format;
  const files = [...new Set(argv.files)];
  const places = argv.output === undefined ? undefined : placeTranscripts(files, argv.output, format);
  const recognizer = startRecognizers(config, argv.words, context);
  try {
    const job = await prepare(argv, { config, format, recognizer, startedAtMs, context });
    const faults: Fault[] = [];
    for (const file of files) {
      try {
        const place = places?.get(file);
        const result = await transcribeFile(file, place === undefined ? undefined : journalOf(place), job);
        if (place !== undefined) replaceFile(place, formatResult(result, format));
      } catch (thrown) {
        const fault = toFault(thrown);
        if (context.signal.aborted || files.length === 1) throw fault;
        context.writeError(`error ${fault.code}: ${fault.message}\n`);
        faults.push(fault);
      }
    }
    const [first] = faults;
    if (first !== undefined) {
      const message = `${faults.length} of ${files.length} files could not be transcribed`;
      throw new Fault(first.code, message, first.hint, { cause: first });
    }
    for (const place of places?.values() ?? []) rmSync(journalOf(place), { force: true });
  } finally {
    await recognizer.close();
  }
}

function startRecognizers(config: Config, words: boolean, context: CommandContext): RecognizerPool {
  const location = locateModel(config.model, context.packageDir, context.environment);
  const processes = processesFor(config.threads, location.modelDir);
  const start = () =>
    startRecognizer({
      setup: {
        ...location,
        ...recognitionSettings(config),
        words,
        threads: Math.floor(config.threads / processes),
      },
      emit: () => undefined,
      environment: context.environment,
      deadlineMs: config.recognizer.deadlineMs,
      loadDeadlineMs: config.recognizer.loadDeadlineMs,
    });
  return recognizerPool(start, processes);
}

/**
 * Two, where there are two cores and memory for a second model: what a process holds is no more than the checkpoint
 * is long, and half of what is free stays free.
 */
function processesFor(threads: number, modelDir: string): number {
  const checkpoint = statSync(path.join(modelDir, 'model.safetensors'), { throwIfNoEntry: false });
  // in several files: a large one
  if (checkpoint === undefined) return 1;
  return threads >= 2 && checkpoint.size < freemem() / 4 ? 2 : 1;
}

type Preparation = {
  readonly config: Config;
  readonly format: OutputFormat;
  readonly recognizer: RecognizerPool;
  readonly startedAtMs: number;
  readonly context: CommandContext;
};

/** Everything that is the same for all files; waits until the model is loaded. */
async function prepare(argv: TranscribeArguments, preparation: Preparation): Promise<Job> {
  const { config, format, recognizer, startedAtMs, context } = preparation;
  const { modelDir } = locateModel(config.model, context.packageDir, context.environment);
  const card = readCard(modelDir);
  const vad = argv.vad ? await openSequenceVad(context.packageDir) : undefined;
  const model = await recognizer.loaded;
  let segments = 0;
  return {
    config,
    format,
    detectSpeech: vad?.detectSpeech ?? everythingIsSpeech,
    createSegmenter: createSegmenterFor(config, card, () => String(++segments)),
    recognizer,
    model,
    loadMs: performance.now() - startedAtMs,
    streams: argv.output === undefined,
    subject: {
      harkd: context.version,
      model: model.sha256,
      provider: model.provider.active,
      language: config.language,
      languages: config.languages.join(' '),
      task: config.task,
      keyTerms: config.keyTerms.join('\n'),
      beamSize: config.beamSize ?? 0,
      words: argv.words,
      vad: argv.vad,
      ...config.vad,
      ...card?.segment,
    },
    context,
  };
}
