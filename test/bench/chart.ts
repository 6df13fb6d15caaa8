/** Bars as SVG that stands on light and dark pages alike: no background, middle tones. */
import { figure } from '../../daemon/bench/table.ts';
import type { LatencyFigures } from './living.ts';
import { ladderEnds, type Results, type ThreadResults } from './results.ts';

export type Bar = {
  readonly label: string;
  /** In the order of `names`. */
  readonly parts: readonly number[];
  readonly note: string;
};

export type Panel = {
  readonly title: string;
  readonly names: readonly string[];
  readonly bars: readonly Bar[];
  /** A line that bars should not reach. */
  readonly goal?: { readonly value: number; readonly label: string };
};

const width = 760;
const labelWidth = 196;
const noteWidth = 128;
const barsWidth = width - labelWidth - noteWidth;
const barHeight = 16;
const rowHeight = 26;
const panelHead = 50;
const panelGap = 26;
/** Readable on white and on near-black: contrast of the text with both is above 4. */
const ink = '#7a828e';
const colours = ['#8b949e', '#3b82f6', '#d97706', '#10b981'];
const font = 'font-family="system-ui, -apple-system, Segoe UI, sans-serif"';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes === '' ? '' : ` ${attributes}`}>${escaped(content)}</text>`;
}

function panelHeight({ bars }: Panel): number {
  return panelHead + bars.length * rowHeight;
}

function renderPanel(panel: Panel, top: number): string[] {
  const sum = ({ parts }: Bar): number => parts.reduce((total, part) => total + part, 0);
  const most = Math.max(panel.goal?.value ?? 0, ...panel.bars.map(sum));
  const scale = most > 0 ? barsWidth / most : 0;
  const lines = [text(0, top + 15, panel.title, 'font-size="14" font-weight="600"')];
  let legendX = labelWidth;
  for (const [i, name] of panel.names.entries()) {
    lines.push(
      `<rect x="${legendX}" y="${top + 26}" width="10" height="10" rx="2" fill="${colours[i % colours.length]}"/>`,
      text(legendX + 15, top + 35, name),
    );
    legendX += 32 + name.length * 6.4;
  }
  for (const [row, bar] of panel.bars.entries()) {
    const y = top + panelHead + row * rowHeight;
    lines.push(text(labelWidth - 10, y + 12, bar.label, 'text-anchor="end"'));
    let x = labelWidth;
    for (const [i, part] of bar.parts.entries()) {
      const length = part * scale;
      // below a tenth of a pixel there is nothing to see
      if (length < 0.1) continue;
      const fill = colours[i % colours.length];
      lines.push(
        `<rect x="${x.toFixed(1)}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" fill="${fill}"/>`,
      );
      x += length;
    }
    lines.push(text(x + 8, y + 12, bar.note));
  }
  if (panel.goal !== undefined) {
    const x = labelWidth + panel.goal.value * scale;
    const bottom = top + panelHeight(panel) - 6;
    lines.push(
      `<line x1="${x.toFixed(1)}" y1="${top + panelHead - 6}" x2="${x.toFixed(1)}" y2="${bottom}" stroke="${ink}" stroke-dasharray="3 3"/>`,
      text(x + 6, bottom, panel.goal.label),
    );
  }
  return lines;
}

/** Panels one below the other. `description` is for those who cannot see it. */
export function renderChart(panels: readonly Panel[], description: string): string {
  const body: string[] = [];
  let top = 4;
  for (const panel of panels) {
    body.push(...renderPanel(panel, top));
    top += panelHeight(panel) + panelGap;
  }
  const height = Math.ceil(top - panelGap + 6);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ${font} font-size="12" fill="${ink}">`,
    `<title>${escaped(description)}</title>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

const ms = (value: number): string => `${figure(value)} ms`;

function ladderPanel(results: ThreadResults): Panel {
  const { plain } = ladderEnds(results);
  return {
    title: 'The same weights, the same command of 3 s, one thread: compiled graphs against plain ones',
    names: ['log-mel', 'encoder', 'decoder'],
    bars: results.graphs.ladder.map(({ name, melMs, encodeMs, decodeMs, totalMs }) => ({
      label: name,
      parts: [melMs.median, encodeMs.median, decodeMs.median],
      note: `${ms(totalMs.median)}, ${figure(plain.totalMs.median / totalMs.median)}x`,
    })),
  };
}

function latencyPanel(results: Results, goalMs: number): Panel {
  const bars = results.threads.flatMap(({ threads, living, notAhead, graphs }): Bar[] => {
    const name = `${threads} thread${threads === 1 ? '' : 's'}`;
    const { encodeMs, totalMs } = graphs.stages;
    const bar = (label: string, { clientMs, reportedMs }: LatencyFigures): Bar => {
      const recognize = Math.min(reportedMs.median, clientMs.median);
      const encode = Math.min(encodeMs.median, recognize);
      const decode = Math.min(totalMs.median - encodeMs.median, recognize - encode);
      return {
        label,
        parts: [clientMs.median - recognize, encode, decode, recognize - encode - decode],
        note: ms(clientMs.median),
      };
    };
    return [bar(`as it ships, ${name}`, living.latency), bar(`not ahead, ${name}`, notAhead)];
  });
  return {
    title:
      'From the end of speech, after the pause that ends it, to the transcript in a client of the broker',
    names: ['hearing and MQTT', 'encoder', 'decoder', 'between processes, and waking up'],
    bars,
    goal: { value: goalMs, label: `goal ${goalMs} ms` },
  };
}

/** The picture of a run. */
export function chartOf(results: Results, latencyGoalMs: number): string {
  const [first] = results.threads;
  if (first === undefined) throw new Error('nothing was measured');
  const { plain, shipped } = ladderEnds(first);
  return renderChart(
    [ladderPanel(first), latencyPanel(results, latencyGoalMs)],
    `A command of 3 s takes ${ms(shipped.totalMs.median)} to recognise, ${ms(plain.totalMs.median)} with plain graphs padded to 30 s.`,
  );
}
