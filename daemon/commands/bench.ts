/** `harkd bench`: what a model costs on this machine, before it is trusted with a room. */
import path from 'node:path';
import { commandMs, readCommand, type SpokenCommand } from '../bench/command.ts';
import { benchDetector, type DetectorFigures } from '../bench/detector.ts';
import { benchRecognizer, type RecognizerFigures } from '../bench/recognizer.ts';
import { type Summary, scaled } from '../bench/statistics.ts';
import { readLoad, readSurroundings, type Surroundings } from '../bench/surroundings.ts';
import { figure, type Row, renderText } from '../bench/table.ts';
import { loadConfig } from '../config/config.ts';
import { Fault } from '../faults.ts';
import { openVad } from '../hearing.ts';
import { locateModel } from '../model-location.ts';
import { recognitionSettings } from '../recognizer/settings.ts';
import type { CommandContext } from './context.ts';
import { progressLine } from './progress.ts';

export type BenchArguments = {
  readonly config?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly threads?: number | undefined;
  readonly rounds: number;
  readonly json: boolean;
};

type Result = Omit<RecognizerFigures, 'model'> & {
  readonly harkd: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly machine: Surroundings;
  /** Before and after: others that ran meanwhile made the figures worse. */
  readonly load: { readonly before: number; readonly after: number };
  readonly model: { readonly name: string; readonly sha256: string };
  readonly provider: { readonly requested: string; readonly active: string; readonly reason: string };
  readonly threads: number;
  readonly rounds: number;
  readonly sound: { readonly says: string; readonly durationMs: number };
  readonly detector: DetectorFigures;
};

const mostRounds = 10_000;

/**
 * Measures and writes a table, or JSON. Nothing is published and no microphone is opened.
 * Throws `Fault`: what keeps the model or the detector from running here.
 */
export async function bench(argv: BenchArguments, context: CommandContext): Promise<void> {
  const { model, provider, threads, rounds } = argv;
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > mostRounds) {
    throw new Fault(
      'USAGE_INVALID',
      `--rounds is a whole number from 1 to ${mostRounds}, got ${rounds}`,
      'try: harkd bench --rounds 20',
    );
  }
  const config = loadConfig({
    path: argv.config,
    environment: context.environment,
    overrides: { model, provider, threads },
  });
  const command = await readCommand(path.join(context.packageDir, 'dist/models/embedded/demo'));
  const progress = progressLine(context.writeError, context.stderrIsTty);
  const loadBefore = readLoad();
  try {
    const detector = await benchVad(command, context, () => progress.show('listening for speech'));
    const { model: loaded, ...figures } = await benchRecognizer({
      setup: {
        ...locateModel(config.model, context.packageDir, context.environment),
        ...recognitionSettings(config),
        threads: config.threads,
      },
      environment: context.environment,
      deadlineMs: config.recognizer.deadlineMs,
      loadDeadlineMs: config.recognizer.loadDeadlineMs,
      samples: command.samples,
      rounds,
      signal: context.signal,
      onProgress: (doing) => progress.show(`${config.model}: ${doing}`),
    });
    const result: Result = {
      harkd: context.version,
      at: new Date().toISOString(),
      machine: readSurroundings(),
      load: { before: loadBefore, after: readLoad() },
      model: { name: loaded.name, sha256: loaded.sha256 },
      provider: loaded.provider,
      threads: config.threads,
      rounds,
      sound: { says: command.text, durationMs: commandMs },
      ...figures,
      detector,
    };
    progress.clear();
    context.write(argv.json ? `${JSON.stringify(result, shortened, 2)}\n` : render(result));
  } catch (thrown) {
    if (!context.signal.aborted) throw thrown;
    throw new Fault('INTERRUPTED', 'interrupted before there was a figure', 'fewer --rounds take less time');
  } finally {
    progress.clear();
  }
}

async function benchVad(
  command: SpokenCommand,
  { packageDir, signal }: CommandContext,
  onProgress: () => void,
): Promise<DetectorFigures> {
  onProgress();
  return benchDetector(await openVad(packageDir), command.recording, signal);
}

/** Digits beyond the sixth are noise. */
const shortened = (_key: string, value: unknown): unknown =>
  typeof value === 'number' ? Number(value.toPrecision(6)) : value;

/** Somebody who waits longer than this thinks they were not heard (Miller 1968; Nielsen 1993: one second). */
const patienceMs = 1000;

function render(result: Result): string {
  const { machine, model, provider, load, detector, memory, sound } = result;
  const ms = (name: string, { median, p95, min }: Summary, says: string): Row => [
    name,
    median,
    p95,
    min,
    'ms',
    says,
  ];
  const rtf = scaled(result.rtf, 100);
  const rows: Row[] = [
    ms('end of speech to text', result.answerMs, 'what somebody waits for, after the pause'),
    ms('  sound to features', result.encodeMs, 'log-mel and encoder'),
    ms('  features to text', result.decodeMs, `decoder, ${result.tokens} tokens`),
    ['real-time factor', rtf.median, rtf.p95, rtf.min, '%', 'of the time the sound took to say'],
    ms('load', result.loadMs, `recognizer process, ${result.loadMs.count} starts`),
    ms(
      'detector, a frame',
      detector.silenceCpuMs,
      `${figure(detector.coreShare * 100)} % of one core, always`,
    ),
    [
      'recognizer memory',
      memory.rssMb,
      undefined,
      undefined,
      'MB',
      `resident; ${figure(memory.anonymousMb)} MB its own`,
    ],
  ];
  const word = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
  const lines = [
    `${machine.board ?? machine.cpu}, ${word(machine.cores, 'core')}, ${Math.round(machine.memoryMb / 1000)} GB, Node ${machine.node}`,
    `${model.name} on ${provider.active} (${provider.reason}), ${word(result.threads, 'thread')}; ${word(result.rounds, 'round')}`,
    `${sound.durationMs / 1000} s of sound: "${sound.says}"; heard: "${result.text}"`,
    '',
    renderText(['', 'median', 'p95', 'least', '', ''], rows).trimEnd(),
    '',
    verdict(result),
  ];
  const busy = Math.max(load.before, load.after);
  if (busy > machine.cores) {
    lines.push(
      `other programs were running (load ${busy} on ${word(machine.cores, 'core')}): this machine can do better`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function verdict({ rtf, answerMs, text }: Result): string {
  if (text === '') return 'the model heard nothing it would vouch for: is it one for English?';
  if (rtf.median >= 1) return 'too slow for this machine: sound comes in faster than it is recognised';
  if (answerMs.p95 > patienceMs) return 'works, but people will wait: a smaller model answers sooner';
  return `keeps up ${figure(1 / rtf.median)} times over`;
}
