/** A strip plot as SVG: each value a dot in the row of its name, the median a line. Nothing is averaged away. */
import { summarize } from '../../daemon/bench/statistics.ts';

export type Strips = {
  readonly title: string;
  readonly unit: string;
  readonly strips: readonly { readonly name: string; readonly values: readonly number[] }[];
};

const left = 130;
const width = 720;
const rowHeight = 44;
const top = 44;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** 1, 2 or 5 times a power of ten, so that there are at most eight marks. */
function stepFor(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 8));
  return ([1, 2, 5, 10].find((factor) => factor * power * 8 >= most) ?? 10) * power;
}

/** Throws RangeError if there is a strip without values. */
export function plotStrips({ title, unit, strips }: Strips): string {
  const most = Math.max(...strips.flatMap(({ values }) => values));
  const step = stepFor(most);
  const end = Math.ceil(most / step) * step;
  const x = (value: number): number => Number((left + (value / end) * (width - left - 30)).toFixed(1));
  const bottom = top + strips.length * rowHeight;
  const marks = Array.from({ length: Math.round(end / step) + 1 }, (_, i) => i * step).map(
    (value) =>
      `<path d="M${x(value)} ${top}V${bottom}" stroke="#ddd"/><text x="${x(value)}" y="${bottom + 18}" text-anchor="middle">${Number(value.toPrecision(3))}</text>`,
  );
  const rows = strips.flatMap(({ name, values }, row) => {
    const y = top + (row + 0.5) * rowHeight;
    const { median } = summarize(values);
    return [
      `<text x="${left - 12}" y="${y + 4}" text-anchor="end">${escaped(name)}</text>`,
      // three lanes, so that equal values can be told apart
      ...values.map(
        (value, i) =>
          `<circle cx="${x(value)}" cy="${y + ((i % 3) - 1) * 7}" r="3" fill="#27c" fill-opacity=".45"/>`,
      ),
      `<path d="M${x(median)} ${y - 16}v32" stroke="#c40" stroke-width="2"/>`,
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 44}" role="img" aria-label="${escaped(title)}" font-family="sans-serif" font-size="13">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${bottom + 44}" fill="#fff"/>`,
    `<text x="16" y="24" font-size="15">${escaped(title)}</text>`,
    ...marks,
    ...rows,
    `<text x="${width - 30}" y="${bottom + 36}" text-anchor="end">${escaped(unit)}; the line is the median</text>`,
    '</svg>',
  ].join('\n')}\n`;
}
