/** One recording of `harkd transcribe`, from its name to its result. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { openSound, type Sound } from '../capture/sound.ts';
import type { Config } from '../config/config.ts';
import { type Frame, type Recognition, type RecognizedWord, sampleRateHz } from '../events.ts';
import { Fault } from '../faults.ts';
import { type FileResult, type FileSegment, type OutputFormat, transcriptWriter } from '../formats.ts';
import type { LoadedModel } from '../recognizer/messages.ts';
import type { RecognizerPool } from '../recognizer/pool.ts';
import type { Segmenter } from '../segmenter.ts';
import {
  type FinishedSegment,
  type Journal,
  type JournalSubject,
  openJournal,
} from '../transcript-journal.ts';
import { type Place, transcribeSound } from '../transcription.ts';
import type { CommandContext } from './context.ts';
import { clock, Pace, progressLine } from './progress.ts';

/** What is the same for all files of a command. */
export type Job = {
  readonly config: Config;
  readonly format: OutputFormat;
  readonly detectSpeech: (frames: readonly Frame[]) => Promise<Float32Array>;
  readonly createSegmenter: () => Segmenter;
  readonly recognizer: RecognizerPool;
  readonly model: LoadedModel;
  readonly loadMs: number;
  /** Whether text goes to standard output as it is made. */
  readonly streams: boolean;
  /** What the text depends on besides the recording. */
  readonly subject: JournalSubject;
  readonly context: CommandContext;
};

/** Speech that may wait for the recognizer before reading pauses: enough to keep it busy, little to hold. */
const aheadS = 60;
const msOf = (samples: number): number => (samples / sampleRateHz) * 1000;

/**
 * Transcribes one file. With a `journal`, what it holds of this file is not recognised again, and each segment is
 * kept there as it is finished; the journal stays until somebody removes it, when the result is safe.
 * Throws the faults of `openSound`, `openJournal` and the recognizer, and INTERRUPTED.
 */
export async function transcribeFile(
  file: string,
  journalFile: string | undefined,
  job: Job,
): Promise<FileResult> {
  const { context } = job;
  const warn = (message: string): void => context.writeError(`warning: ${message}\n`);
  const sound = await openSound(file, { warn, environment: context.environment });
  let journal: Journal | undefined;
  try {
    if (journalFile !== undefined) {
      journal = openJournal(journalFile, { ...subjectOf(file), ...job.subject });
      if (journal.startedOver !== undefined) warn(`${file}: starting over: ${journal.startedOver}`);
    }
    return await transcribeOpened(file, sound, journal, job);
  } finally {
    journal?.close();
    await sound.close();
  }
}

async function transcribeOpened(
  file: string,
  sound: Sound,
  journal: Journal | undefined,
  job: Job,
): Promise<FileResult> {
  const { context, recognizer, model } = job;
  const startedAtMs = performance.now();
  const kept = new Map(journal?.finished.map((segment) => [keyOf(segment), segment]));
  const elapsedBeforeMs = journal?.finished.at(-1)?.elapsedMs ?? 0;
  const progress = createProgress(file, sound.declaredMs, context);
  const writer = transcriptWriter(job.format);
  const segments: FileSegment[] = [];
  const timings = { vadMs: 0, melMs: 0, encodeMs: 0, decodeMs: 0 };
  let language: string | undefined;
  let heardSamples = 0;

  function finish(finished: FinishedSegment): void {
    timings.melMs += finished.timings.melMs;
    timings.encodeMs += finished.timings.encodeMs;
    timings.decodeMs += finished.timings.decodeMs;
    if (finished.pieces.length > 0) language ??= finished.language;
    for (const piece of finished.pieces) {
      const segment = { id: segments.length, ...piece };
      segments.push(segment);
      if (!job.streams) continue;
      const text = writer.segment(segment);
      if (text === '') continue;
      progress.clear();
      context.write(text);
    }
  }

  try {
    await transcribeSound<FinishedSegment | Recognition>({
      chunks: sound.chunks,
      detectSpeech: async (frames) => {
        const beganAtMs = performance.now();
        const probabilities = await job.detectSpeech(frames);
        timings.vadMs += performance.now() - beganAtMs;
        return probabilities;
      },
      segmenter: job.createSegmenter(),
      recognize: async (segment) => kept.get(keyOf(segment)) ?? recognizer.transcribe(segment),
      take: (place, answer) => {
        const known = 'startSample' in answer;
        const elapsedMs = elapsedBeforeMs + performance.now() - startedAtMs;
        const finished = known ? answer : finishedOf(place, answer, elapsedMs);
        if (!known) journal?.append(finished);
        finish(finished);
        progress.reached(msOf(place.endSample), segments.length, known);
      },
      onHeard: (samples) => {
        heardSamples = samples;
        progress.heard(msOf(samples));
      },
      aheadS,
      signal: context.signal,
    });
  } finally {
    progress.clear();
  }
  const heardMs = msOf(heardSamples);
  if (context.signal.aborted) {
    const hint =
      journal === undefined
        ? 'run it again to start over; with --output FILE it goes on where it stopped'
        : `run the same command again to go on; ${journal.file} keeps what is done`;
    throw new Fault('INTERRUPTED', `interrupted at ${clock(progress.atMs())} of ${file}`, hint);
  }
  const totalMs = elapsedBeforeMs + performance.now() - startedAtMs;
  const result: FileResult = {
    file,
    text: segments.map(({ text }) => text).join('\n'),
    language: language ?? job.config.language,
    durationMs: Math.round(heardMs),
    segments,
    model: model.name,
    provider: model.provider.active,
    timings: { loadMs: job.loadMs, ...timings, totalMs },
    rtf: heardMs === 0 ? 0 : totalMs / heardMs,
  };
  if (job.streams) context.write(writer.end(result));
  return result;
}

/** A recording that was changed is another one. Hashing hours of sound would take longer than its date is wrong. */
function subjectOf(file: string): JournalSubject {
  const { size, mtimeMs } = statSync(file);
  return { file: path.resolve(file), 'size of the file': size, 'time of the file': mtimeMs };
}

const keyOf = ({ startSample, endSample }: Place): string => `${startSample}-${endSample}`;

/** The piece a word lies in by its middle; the last takes what is beyond. */
function pieceOf({ startMs, endMs }: RecognizedWord, pieces: Recognition['pieces']): number {
  const at = pieces.findIndex((piece) => (startMs + endMs) / 2 < piece.endMs);
  return at === -1 ? pieces.length - 1 : at;
}

/** The pieces of a segment, placed in the file. */
function finishedOf(place: Place, recognition: Recognition, elapsedMs: number): FinishedSegment {
  const offsetMs = msOf(place.startSample);
  const pieces = recognition.text === '' ? [] : recognition.pieces;
  return {
    ...place,
    language: recognition.language,
    pieces: pieces.map(({ startMs, endMs, text, avgLogProb, noSpeechProb }, i) => ({
      startMs: Math.round(offsetMs + startMs),
      endMs: Math.round(offsetMs + endMs),
      text,
      avgLogProb,
      noSpeechProb,
      ...(recognition.words === undefined
        ? {}
        : {
            words: recognition.words
              .filter((word) => pieceOf(word, pieces) === i)
              .map((word) => ({
                ...word,
                startMs: Math.round(offsetMs + word.startMs),
                endMs: Math.round(offsetMs + word.endMs),
              })),
          }),
    })),
    timings: recognition.timings,
    elapsedMs,
  };
}

/** The line that says how far it is: at what is recognised, not at what is only heard. */
function createProgress(file: string, declaredMs: number | undefined, context: CommandContext) {
  const line = progressLine(context.writeError, context.stderrIsTty);
  const pace = new Pace();
  const of = declaredMs === undefined ? '' : ` of ${clock(declaredMs)}`;
  let segments = 0;
  let recognizedMs = 0;
  let heardMs = 0;
  const show = (): void => {
    const speed = pace.speed(recognizedMs);
    const about = speed === undefined ? '' : `, ${Math.round(speed)}x real time`;
    const leftMs =
      speed === undefined || declaredMs === undefined ? undefined : (declaredMs - recognizedMs) / speed;
    const left = leftMs === undefined || leftMs < 0 ? '' : `, ${clock(leftMs)} left`;
    line.show(`${file}: ${clock(recognizedMs)}${of}, ${segments} segments${about}${left}`);
  };
  return {
    heard(ms: number): void {
      heardMs = ms;
      show();
    },
    /** `known`: from an earlier run, so it says nothing of how fast this one is. */
    reached(ms: number, count: number, known: boolean): void {
      recognizedMs = ms;
      segments = count;
      if (known) pace.restart(ms);
      show();
    },
    atMs: (): number => (recognizedMs === 0 ? heardMs : recognizedMs),
    clear: line.clear,
  };
}
