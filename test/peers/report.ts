/** What was measured, for people (Markdown) and for programs (JSON). */
import { quantile } from '../../daemon/bench/statistics.ts';
import type { Surroundings } from '../../daemon/bench/surroundings.ts';
import { figure, type Row, renderMarkdown } from '../../daemon/bench/table.ts';
import { script } from './checkpoint.ts';
import type { Measured } from './measured.ts';

export type ShapeResult = {
  readonly shape: string;
  readonly peers: readonly Measured[];
};

export type Report = {
  readonly at: string;
  readonly command: string;
  readonly harkd: string;
  readonly commit: string;
  readonly machine: Surroundings;
  readonly core: number | undefined;
  readonly threads: number;
  readonly processes: number;
  readonly rounds: number;
  readonly load: { readonly before: number; readonly after: number };
  readonly versions: Readonly<Record<string, string>>;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly soundMs: number;
  readonly shapes: readonly ShapeResult[];
};

const medianOf = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : quantile(values, 0.5);
const leastOf = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : quantile(values, 0);

const times = (value: number | undefined, base: number | undefined): string =>
  value === undefined || base === undefined ? '-' : `${figure(value / base)}×`;

const header = [
  '',
  'median ms',
  'least ms',
  'to harkd',
  'of least',
  'waited ms',
  'load ms',
  'loaded MB',
  'after MB',
  'peak MB',
];

function tableOf({ peers }: ShapeResult): string {
  const cpu = (peer: Measured) => peer.utterances.map(({ cpuMs }) => cpuMs);
  const own = peers[0];
  const base = { median: medianOf(own ? cpu(own) : []), least: leastOf(own ? cpu(own) : []) };
  const rows = peers.map((peer): Row => {
    const [median, least] = [medianOf(cpu(peer)), leastOf(cpu(peer))];
    return [
      peer.name,
      median,
      least,
      times(median, base.median),
      times(least, base.least),
      medianOf(peer.utterances.map(({ wallMs }) => wallMs)),
      medianOf(peer.loadMs),
      medianOf(peer.loaded.map(({ residentMb }) => residentMb)),
      medianOf(peer.used.map(({ residentMb }) => residentMb)),
      medianOf(peer.used.map(({ peakMb }) => peakMb)),
    ];
  });
  const stages = peers
    .filter(({ utterances }) => Object.keys(utterances[0]?.stagesMs ?? {}).length > 0)
    .map(({ name, utterances }) => {
      const parts = Object.keys(utterances[0]?.stagesMs ?? {}).map((stage) => {
        const values = utterances.map(({ stagesMs }) => stagesMs[stage] ?? 0);
        return `${stage} ${figure(medianOf(values))} (${figure(leastOf(values))})`;
      });
      return `- ${name}: ${parts.join(', ')}\n`;
    });
  return `${renderMarkdown(header, rows)}\nParts in ms as waited for, median (least):\n\n${stages.join('')}`;
}

/** `picture`: the file beside it that shows the same. */
export function renderReport(report: Report, picture: string): string {
  const { machine, shapes, skipped, versions } = report;
  const pinned = report.core === undefined ? 'not pinned' : `pinned to core ${report.core}`;
  const lines = [
    `# Peers on the same work, ${report.at.slice(0, 10)}`,
    '',
    `Written by \`${report.command}\`, harkd ${report.harkd} at ${report.commit}. ` +
      `${machine.board ?? machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}. ` +
      `Load ${report.load.before} before, ${report.load.after} after: ` +
      `${Math.max(report.load.before, report.load.after) > machine.cores ? 'other programs were running, so times are too long and ratios uncertain' : 'the machine was free'}.`,
    '',
    `Everybody hears the same ${report.soundMs / 1000} s of speech with the same random weights at the published shape, and says ` +
      `the same ${script.length} tokens and the end of text after a prompt of two. ${report.threads} thread, ${pinned}; ` +
      `${report.processes} processes of each peer, ${report.rounds} utterances in each after warming up, asked in turn. ` +
      'Median and least are processor time from samples to text; waited is the median of the clock, which other programs lengthen. ' +
      'After is resident memory after the last utterance. whisper.cpp reports its own stages, without loading; its processor time is ' +
      'the sum of its stages by the share of time its process ran.',
    '',
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    '',
    `![processor time from samples to text](${picture})`,
    ...(skipped.length === 0
      ? []
      : ['', ...skipped.map(({ name, reason }) => `- **No row for ${name}**: ${reason}`)]),
    ...shapes.flatMap((result) => [
      '',
      `## ${result.shape}`,
      '',
      tableOf(result).trimEnd(),
      ...result.peers
        .filter(({ failure }) => failure !== undefined)
        .map(({ name, failure }) => `- **${name} failed**: ${failure?.split('\n')[0]}`),
    ]),
    '',
    '## Rows',
    '',
    ...(shapes[0]?.peers ?? []).map(({ name, remark }) => `- ${name}: ${remark}`),
  ];
  return `${lines.join('\n')}\n`;
}
