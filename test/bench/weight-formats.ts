/**
 * How fast each weight format is at the true shapes of published models, with random weights:
 *
 *   node dist/test/bench/weight-formats.js [shape …]      default tiny.en distil-small.en
 *
 * One thread, 5 s of sound, rounds interleaved so that what else the machine does falls on all formats alike; times
 * are of the processor, which a busy machine stretches less than the clock's. An encoder pass includes log-mel and the
 * cross keys and values; a step is one token of twenty, with the cache at 24.
 */
import { rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { compile } from '../../models/compiler/compile.ts';
import type { WeightOptions } from '../../models/compiler/matrix.ts';
import { provider } from '../../providers/cpu.ts';
import type { Session, Tensor } from '../../providers/provider.ts';
import { publishedShapes, writeRandomWhisper } from '../fixtures/random-whisper.ts';
import { temporaryDir } from '../graph-files.ts';
import { float32, int64, oneStep } from '../whisper-graphs.ts';

const rounds = 9;
const stepsInRound = 20;
const formats: Readonly<Record<string, WeightOptions>> = {
  fp32: { weights: 'fp32', exceptions: {} },
  int8: { weights: 'int8', exceptions: {} },
  'int8, head int4': { weights: 'int8', exceptions: { head: 'int4' } },
  'int8, decoder int4': { weights: 'int8', exceptions: { decoder: 'int4' } },
  'int8, decoder int4, head int4-128': {
    weights: 'int8',
    exceptions: { decoder: 'int4', head: 'int4-128' },
  },
  'int8, decoder int4-128': { weights: 'int8', exceptions: { decoder: 'int4-128' } },
  'encoder int4 too': { weights: 'int4', exceptions: {} },
};

/** Milliseconds of the processor that `run` takes. */
async function processorMs<T>(
  run: () => Promise<T>,
): Promise<{ readonly value: T; readonly elapsedMs: number }> {
  const before = process.cpuUsage();
  const value = await run();
  const { user, system } = process.cpuUsage(before);
  return { value, elapsedMs: (user + system) / 1000 };
}

type Sessions = {
  readonly encoder: Session;
  readonly decoder: Session;
  readonly megabytes: number;
};
type Times = { readonly encoder: number[]; readonly step: number[] };

async function encode({ encoder }: Sessions, times: Times): Promise<Record<string, Tensor>> {
  const pcm = float32(
    [80_000],
    Float32Array.from({ length: 80_000 }, (_, i) => 0.1 * Math.sin(i * i * 1e-5)),
  );
  const { value, elapsedMs } = await processorMs(() => encoder.run({ pcm }, encoder.outputNames));
  times.encoder.push(elapsedMs);
  return value;
}

async function step(
  { decoder }: Sessions,
  cross: Readonly<Record<string, Tensor>>,
  times: Times,
): Promise<void> {
  const heads = cross['cross_key_0']?.dims[1] as number;
  const feeds: Record<string, Tensor> = {
    ...cross,
    tokens: { type: 'int64', dims: [1, 1], data: BigInt64Array.of(17n) },
    last_position: { type: 'int32', dims: [1], data: Int32Array.of(23) },
    total_tokens: { type: 'int32', dims: [], data: Int32Array.of(24) },
    logit_rows: int64(0),
    phase: int64(1),
    ...oneStep(decoder),
  };
  const into: Record<string, Tensor> = {
    token: int64(0),
    log_prob: float32([1]),
  };
  for (const name of decoder.inputNames.filter((name) => name.startsWith('self_'))) {
    feeds[name] = float32([1, heads, 32, 64]);
    into[`present_${name}`] = feeds[name];
  }
  const { elapsedMs } = await processorMs(async () => {
    for (let i = 0; i < stepsInRound; i++) await decoder.run(feeds, Object.keys(into), into);
  });
  times.step.push(elapsedMs / stepsInRound);
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
const summary = (values: readonly number[]): string => {
  const inOrder = sorted(values);
  return `${inOrder[inOrder.length >> 1]?.toFixed(2)} (${inOrder[0]?.toFixed(2)})`;
};

async function bench(shape: keyof typeof publishedShapes): Promise<void> {
  const dir = temporaryDir();
  const modelDir = writeRandomWhisper(path.join(dir, 'model'), { shape: publishedShapes[shape] });
  const opened: Record<string, Sessions> = {};
  const times: Record<string, Times> = {};
  for (const [name, options] of Object.entries(formats)) {
    const { model, report } = compile(modelDir, path.join(dir, name), options);
    opened[name] = {
      encoder: await provider.open(model.encoderPath),
      decoder: await provider.open(model.decoderPath),
      megabytes: report.bytesAfter / 1e6,
    };
    times[name] = { encoder: [], step: [] };
  }
  for (let round = -1; round < rounds; round++) {
    for (const [name, sessions] of Object.entries(opened)) {
      // the first round warms up
      const into = round < 0 ? { encoder: [], step: [] } : (times[name] as Times);
      await step(sessions, await encode(sessions, into), into);
    }
  }
  process.stdout.write(
    `\n${shape}, load ${loadavg()[0]?.toFixed(1)}\n\n| weights | MB | encoder ms, median (min) | step ms, median (min) |\n|---|---|---|---|\n`,
  );
  for (const [name, { encoder, step }] of Object.entries(times)) {
    const { megabytes } = opened[name] as Sessions;
    process.stdout.write(`| ${name} | ${megabytes.toFixed(0)} | ${summary(encoder)} | ${summary(step)} |\n`);
  }
  rmSync(dir, { recursive: true, force: true });
}

const asked = process.argv.slice(2) as (keyof typeof publishedShapes)[];
for (const shape of asked.length === 0 ? (['tiny.en', 'distil-small.en'] as const) : asked)
  await bench(shape);
