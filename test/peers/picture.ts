/** What was measured, as a picture: a panel for each shape, a bar for each peer. */
import { quantile } from '../../daemon/bench/statistics.ts';
import { figure } from '../../daemon/bench/table.ts';
import { type Panel, renderChart } from '../bench/chart.ts';
import type { Report, ShapeResult } from './report.ts';

/** Peers that failed or were not there have no bar. */
function panelOf({ shape, peers }: ShapeResult, soundMs: number): Panel {
  const measured = peers.flatMap(({ name, utterances }) =>
    utterances.length === 0
      ? []
      : [
          {
            name,
            medianMs: quantile(
              utterances.map(({ cpuMs }) => cpuMs),
              0.5,
            ),
          },
        ],
  );
  const own = measured[0]?.medianMs ?? Number.NaN;
  return {
    title: `${shape}: ${soundMs / 1000} s of speech to twenty tokens, one thread, processor time`,
    names: [],
    bars: measured.map(({ name, medianMs }) => ({
      label: name,
      parts: [medianMs],
      note: `${figure(medianMs)} ms, ${figure(medianMs / own)}x`,
    })),
  };
}

export function pictureOf({ shapes, soundMs }: Report): string {
  const panels = shapes.map((shape) => panelOf(shape, soundMs));
  return renderChart(
    panels,
    'How long harkd and others take from samples to text, the same weights for all.',
  );
}
