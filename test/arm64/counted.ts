/**
 * What is counted: parts of harkd on the arm64 machine this runs on, between marks (marks.ts), as JSON.
 *
 *   node dist/test/arm64/counted.js JOBS                          an array of `Job`, as JSON
 *
 * The sound is the command of `harkd bench`, three seconds.
 */
import path from 'node:path';
import { readCommand } from '../../daemon/bench/command.ts';
import { frameSamples, sampleRateHz } from '../../daemon/events.ts';
import { openSileroVad } from '../../daemon/vad.ts';
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { openCompiled } from '../../models/compiler/compiled.ts';
import { samplesPerAudioFrame } from '../../models/whisper/graphs.ts';
import { logMel } from '../../models/whisper/mel.ts';
import { openModel } from '../../models/whisper/open.ts';
import { cpuProfile, provider } from '../../providers/cpu.ts';
import type { Provider, Session, Tensor } from '../../providers/provider.ts';
import { runPlain } from '../bench/ladder.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { Marks, type Stretch } from './marks.ts';

/** In one process, since its start takes longer than most of them. What each does is counted as `<name> <stage>`. */
export type Job = { readonly name: string } & (
  | { readonly kind: 'detector' }
  /** A graph of log-mel alone. */
  | { readonly kind: 'log-mel'; readonly graph: string }
  /** A model as harkd compiled it. */
  | { readonly kind: 'compiled'; readonly dir: string; readonly rounds: number }
  /** The graphs of a model as exporters write them, made to say what the compiled one before said. */
  | { readonly kind: 'plain'; readonly modelDir: string; readonly dir: string }
);

export type Answer = {
  readonly cpuProfile: string;
  readonly stretches: readonly Stretch[];
  /** Of the last compiled model: what its decoder was fed and what it said. */
  readonly prompt: readonly number[];
  readonly tokens: readonly number[];
};

const { samples, recording } = await readCommand(path.join(packageDir, 'dist/models/embedded/demo'));
const seconds = samples.length / sampleRateHz;
const marks = new Marks();

/** A session whose runs are stretches. */
const counted = (
  session: Session,
  did: (outputs: Record<string, Tensor>, feeds: Record<string, Tensor>) => Stretch,
): Session => ({
  ...session,
  run: (feeds, fetches, into) =>
    marks.around(
      () => session.run(feeds, fetches, into),
      (outputs) => did(outputs, feeds),
    ),
});

/** Frames before the first that counts: V8 optimises WebAssembly after some. */
const warmUpFrames = 300;
const framesInStretch = 50;

async function detector(name: string): Promise<void> {
  const detectSpeech = await openSileroVad(path.join(packageDir, 'dist/models/vad'));
  const frames = Math.floor(recording.length / frameSamples);
  let startSample = 0;
  async function hear(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const from = ((startSample / frameSamples) % frames) * frameSamples;
      await detectSpeech([{ samples: recording.subarray(from, from + frameSamples), startSample, atMs: 0 }]);
      startSample += frameSamples;
    }
  }
  await hear(warmUpFrames);
  for (let i = 0; i < 4; i++) {
    await marks.around(
      () => hear(framesInStretch),
      () => ({ what: `${name} frame`, unit: 'frame', amount: framesInStretch }),
    );
  }
}

async function melGraph(name: string, graphPath: string): Promise<void> {
  const session = counted(await provider.open(graphPath, { threads: 1 }), () => ({
    what: `${name} sound`,
    unit: 'second',
    amount: seconds,
  }));
  const pcm: Tensor = { type: 'float32', dims: [samples.length], data: samples };
  for (let round = 0; round < 2; round++) await session.run({ pcm }, session.outputNames);
  await session.close();
}

let prompt: readonly number[] = [];
let tokens: readonly number[] = [];

async function compiled(name: string, dir: string, rounds: number): Promise<void> {
  const counting: Provider = {
    ...provider,
    open: async (graphPath, options) => {
      const session = await provider.open(graphPath, options);
      if (graphPath.endsWith('encoder.onnx')) {
        return counted(session, () => ({ what: `${name} encoder`, unit: 'second', amount: seconds }));
      }
      return counted(session, (outputs, feeds) => {
        const fed = Array.from(feeds['tokens']?.data ?? [], Number);
        if (fed.length > 1) {
          prompt = fed;
          return { what: `${name} prompt`, unit: 'prompt', amount: 1 };
        }
        return { what: `${name} token`, unit: 'token', amount: outputs['token']?.data.length ?? 0 };
      });
    },
  };
  const whisper = await openModel({ compiled: openCompiled(dir), provider: counting, threads: 1 });
  for (let round = 0; round < rounds; round++) {
    ({ tokens } = await whisper.transcribe(samples, { language: 'en' }));
  }
  await whisper.close();
}

async function plain(name: string, modelDir: string, dir: string): Promise<void> {
  const arch = readArchitecture(modelDir);
  const padSamples = arch.shape.maxAudioFrames * samplesPerAudioFrame;
  const open = async (file: string, stage: string, unit: string, amount: number) =>
    counted(await provider.open(path.join(dir, `${file}.onnx`), { threads: 1, optimize: 'all' }), () => ({
      what: `${name} ${stage}`,
      unit,
      amount,
    }));
  const parts = {
    arch,
    encoder: await open('encoder', 'encoder', 'second', seconds),
    first: await open('first', 'prompt', 'prompt', 1),
    next: await open('next', 'token', 'token', 1),
    padSamples,
  };
  await runPlain(parts, { samples, prompt, tokens });
  const padded = new Float32Array(padSamples);
  padded.set(samples);
  // the second time: V8 has optimised it
  await marks.around(
    () => logMel(padded, arch.shape.melBins),
    () => ({ what: `${name} log-mel`, unit: 'second', amount: seconds }),
  );
}

async function count(job: Job): Promise<void> {
  const { name } = job;
  if (job.kind === 'detector') return detector(name);
  if (job.kind === 'log-mel') return melGraph(name, job.graph);
  if (job.kind === 'compiled') return compiled(name, job.dir, job.rounds);
  return plain(name, job.modelDir, job.dir);
}

if (process.argv[1] === import.meta.filename) {
  for (const job of JSON.parse(process.argv[2] ?? '[]') as Job[]) await count(job);
  const answer: Answer = { cpuProfile: cpuProfile(), stretches: marks.stretches, prompt, tokens };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
