/** Everything one run of `npm run bench` found out, and whether it is what was promised. */
import type { Summary } from '../../daemon/bench/statistics.ts';
import type { Surroundings } from '../../daemon/bench/surroundings.ts';
import type { GraphFigures, RungFigures } from './graphs.ts';
import type { LatencyFigures, LivingFigures, StartFigures } from './living.ts';

/** 512 samples. */
const frameMs = 32;

export type ThreadResults = {
  readonly threads: number;
  readonly graphs: GraphFigures;
  /** As it ships. */
  readonly living: LivingFigures;
  /** With `recognizer.eager: false`: the work of a final begins when its segment is closed. */
  readonly notAhead: LatencyFigures;
  readonly starts: StartFigures;
};

export type Results = {
  readonly harkd: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly commit: string | undefined;
  readonly command: string;
  readonly machine: Surroundings;
  /** One-minute load before anything, and the range over the run. Our own processes are in it once it runs. */
  readonly load: { readonly before: number; readonly least: number; readonly most: number };
  /** The core that what is measured in one process with one thread is kept on. */
  readonly pinnedTo: number | undefined;
  /** Of all that was measured, as in nice(1): below 0 it went before other programs. */
  readonly niceness: number;
  readonly rounds: number;
  readonly starts: number;
  readonly threads: readonly ThreadResults[];
};

export type Goal = {
  readonly what: string;
  readonly unit: string;
  readonly goal: number;
  readonly atLeast: boolean;
  readonly of: (results: ThreadResults) => number;
};

/** The shipped graphs, and what they are measured against. */
export function ladderEnds({ graphs }: ThreadResults): {
  readonly plain: RungFigures;
  readonly shipped: RungFigures;
} {
  const [plain] = graphs.ladder;
  const shipped = graphs.ladder.find(({ says }) => says === 'as it ships');
  if (plain === undefined || shipped === undefined) throw new Error('the ladder has no ends');
  return { plain, shipped };
}

export const ratio = (slow: Summary, fast: Summary): number => slow.median / fast.median;

export const goals: readonly Goal[] = [
  {
    what: 'real-time factor, 3 s command, in the recognizer',
    unit: '',
    goal: 0.02,
    atLeast: false,
    of: ({ graphs }) => graphs.stages.rtf.median,
  },
  {
    what: 'end of speech (after the hangover) to final in a client of the broker',
    unit: 'ms',
    goal: 80,
    atLeast: false,
    of: ({ living }) => living.latency.clientMs.median,
  },
  {
    what: 'the same, if nothing is recognised ahead in the pause',
    unit: 'ms',
    goal: 80,
    atLeast: false,
    of: ({ notAhead }) => notAhead.clientMs.median,
  },
  {
    what: 'process start to ready to hear',
    unit: 'ms',
    goal: 1000,
    atLeast: false,
    of: ({ starts }) => starts.wallMs.median,
  },
  {
    what: 'resident memory of both processes, shared pages counted twice',
    unit: 'MB',
    goal: 220,
    atLeast: false,
    of: ({ living }) => living.memory.rssMb,
  },
  {
    what: 'voice-activity detector, of one core, frames one after the other',
    unit: '%',
    goal: 1,
    atLeast: false,
    of: ({ graphs }) => (graphs.detector.frameMs.median / frameMs) * 100,
  },
  {
    what: 'the same at the pace of a microphone, while nobody speaks',
    unit: '%',
    goal: 1,
    atLeast: false,
    of: ({ graphs }) => graphs.detector.coreShare * 100,
  },
  {
    what: 'the same at the pace of a microphone, while somebody speaks: caches go cold between frames',
    unit: '%',
    goal: 1,
    atLeast: false,
    of: ({ graphs }) => (graphs.detector.pacedCpuMs.median / frameMs) * 100,
  },
  {
    what: 'compiled graphs, times as fast as plain fp32 padded to 30 s',
    unit: 'x',
    goal: 8,
    atLeast: true,
    of: (results) => ratio(ladderEnds(results).plain.totalMs, ladderEnds(results).shipped.totalMs),
  },
];

export const isMet = ({ goal, atLeast }: Goal, value: number): boolean =>
  atLeast ? value >= goal : value <= goal;
