/**
 * Everything that is measured inside one process, at one number of threads; a program, so that it can be pinned.
 *   node dist/test/bench/graphs.js THREADS ROUNDS     writes JSON
 */
import path from 'node:path';
import { readCommand } from '../../daemon/bench/command.ts';
import { benchDetector, type DetectorFigures } from '../../daemon/bench/detector.ts';
import { type Summary, summarize } from '../../daemon/bench/statistics.ts';
import { openVad } from '../../daemon/hearing.ts';
import { packageDir } from '../fixtures/daemon.ts';
import { temporaryDir } from '../graph-files.ts';
import { openLadder, type Task } from './ladder.ts';
import { measureStages, type Stages } from './stages.ts';

export type RungFigures = {
  readonly name: string;
  readonly says: string;
  readonly melMs: Summary;
  readonly encodeMs: Summary;
  readonly decodeMs: Summary;
  readonly totalMs: Summary;
  /** Of the forced tokens and the end, how many it would have chosen itself. */
  readonly agreed: number;
};

export type GraphFigures = {
  readonly stages: Stages;
  readonly detector: DetectorFigures;
  readonly ladder: readonly RungFigures[];
};

const warmUps = 2;

async function measureLadder(task: Task, threads: number, rounds: number): Promise<RungFigures[]> {
  const dir = temporaryDir();
  const rungs = await openLadder(
    path.join(packageDir, 'models/embedded'),
    path.join(packageDir, 'dist/models/embedded'),
    dir,
    threads,
  );
  const timings = rungs.map(() => [] as Awaited<ReturnType<(typeof rungs)[number]['run']>>[]);
  for (let round = -warmUps; round < rounds; round++) {
    // each round begins with another one: none always runs in the caches its neighbour left
    for (let i = 0; i < rungs.length; i++) {
      const at = (i + Math.max(0, round)) % rungs.length;
      const timing = await rungs[at]?.run(task);
      if (round >= 0 && timing !== undefined) timings[at]?.push(timing);
    }
  }
  return rungs.map(({ name, says }, i) => {
    const measured = timings[i] ?? [];
    const chosen = measured[0]?.chosen ?? [];
    return {
      name,
      says,
      melMs: summarize(measured.map(({ melMs }) => melMs)),
      encodeMs: summarize(measured.map(({ encodeMs }) => encodeMs)),
      decodeMs: summarize(measured.map(({ decodeMs }) => decodeMs)),
      totalMs: summarize(measured.map(({ melMs, encodeMs, decodeMs }) => melMs + encodeMs + decodeMs)),
      agreed: task.tokens.filter((token, at) => chosen[at] === token).length,
    };
  });
}

const [threads = 1, rounds = 20] = process.argv.slice(2).map(Number);
const { samples, recording } = await readCommand(path.join(packageDir, 'dist/models/embedded/demo'));
const detector = await benchDetector(await openVad(packageDir), recording, new AbortController().signal);
const stages = await measureStages(path.join(packageDir, 'dist/models/embedded'), samples, threads, rounds);
const ladder = await measureLadder(
  { samples, prompt: stages.prompt, tokens: stages.tokens },
  threads,
  rounds,
);
process.stdout.write(`${JSON.stringify({ stages, detector, ladder } satisfies GraphFigures)}\n`);
