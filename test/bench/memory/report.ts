/** Resident memory of the recognizer as a page of docs/bench. */
import { quantile } from '../../../daemon/bench/statistics.ts';
import type { Surroundings } from '../../../daemon/bench/surroundings.ts';
import { figure, renderMarkdown } from '../../../daemon/bench/table.ts';
import type { ProcessMemory } from './measured.ts';

/** Utterances of one process: as many as that, so long or between these lengths. */
export type Work = {
  readonly utterances: number;
  readonly lengthS: number | readonly [number, number];
};

/** Processes of one model: some did `commands`, others did `mixture`, of the report. */
export type ModelMemory = {
  readonly model: string;
  readonly commands: readonly ProcessMemory[];
  readonly mixture: readonly ProcessMemory[];
};

export type Report = {
  readonly at: string;
  readonly command: string;
  readonly harkd: string;
  readonly commit: string | undefined;
  readonly onnxruntime: string;
  readonly machine: Surroundings;
  readonly load: { readonly before: number; readonly after: number };
  readonly threads: number;
  /** Of each model and each kind of work. */
  readonly processes: number;
  readonly commands: Work;
  readonly mixture: Work;
  readonly models: readonly ModelMemory[];
};

/** "129 (126 to 131)": median, least and most; "-" where nothing was measured. */
export function spreadOf(values: readonly number[]): string {
  if (values.length === 0) return '-';
  const [least, median, most] = [0, 0.5, 1].map((fraction) => figure(quantile(values, fraction)));
  return least === most ? `${median}` : `${median} (${least} to ${most})`;
}

/** "12 utterances of 5 s", "30 utterances of 1 to 11 s". */
export function describeWork({ utterances, lengthS }: Work): string {
  const length = typeof lengthS === 'number' ? `${lengthS}` : lengthS.join(' to ');
  return `${utterances} ${utterances === 1 ? 'utterance' : 'utterances'} of ${length} s`;
}

type Figure = { readonly what: string; readonly of: (model: ModelMemory) => number[] };

function figuresOf({ commands, mixture }: Report): Figure[] {
  return [
    {
      what: 'loaded',
      of: (model) => [...model.commands, ...model.mixture].map(({ loaded }) => loaded.residentMb),
    },
    {
      what: `after ${describeWork(commands)}`,
      of: (model) => model.commands.map(({ used }) => used.residentMb),
    },
    { what: 'peak until then', of: (model) => model.commands.map(({ used }) => used.peakMb) },
    {
      what: `after ${describeWork(mixture)}`,
      of: (model) => model.mixture.map(({ used }) => used.residentMb),
    },
    { what: 'peak until then', of: (model) => model.mixture.map(({ used }) => used.peakMb) },
  ];
}

/** `data`: the file beside it that has every process. */
export function renderReport(report: Report, data: string): string {
  const { at, command, harkd, commit, machine, load, models, processes, threads } = report;
  const table = renderMarkdown(
    ['resident MB', ...models.map(({ model }) => model)],
    figuresOf(report).map(({ what, of }) => [what, ...models.map((model) => spreadOf(of(model)))]),
  );
  const lines = [
    `# Memory of the recognizer, ${at.slice(0, 10)}`,
    '',
    `Written by \`${command}\`, harkd ${harkd}${commit === undefined ? '' : ` at ${commit}`}. ` +
      `${machine.board ?? machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, ` +
      `onnxruntime ${report.onnxruntime}. Load ${load.before} before, ${load.after} after. ` +
      `Every process is in [${data}](${data}).`,
    '',
    `The recognizer process as the daemon starts it, ${threads} ${threads === 1 ? 'thread' : 'threads'}, by itself: the ` +
      `daemon is another. ${processes} ${processes === 1 ? 'process' : 'processes'} for each model and each kind of work; ` +
      'median (least to most) of `VmRSS` and, for peaks, `VmHWM` in `/proc/PID/status`, in 10^6 bytes, pages of files and ' +
      'shared libraries included. The models were compiled before, as installed ones are. Those named by a published one have its shape and ' +
      'random weights, the same as in the comparison with others ([peers.md](peers.md)), which say the same twenty tokens ' +
      'to every sound.',
    '',
    table.trimEnd(),
  ];
  return `${lines.join('\n')}\n`;
}
