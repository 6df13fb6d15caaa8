/** Tables for people: columns on a terminal, pipes in a document. Numbers stand to the right. */

export type Cell = string | number | undefined;
export type Row = readonly Cell[];

/** Three digits that mean something: 0.0123, 1.23, 12.3, 1234. Undefined is what could not be measured. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  // of the rounded value: 9.999 has two digits before the point
  const magnitude = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))));
  return value.toFixed(Math.min(6, Math.max(0, 2 - magnitude)));
}

const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : figure(cell));

function measure(rows: readonly Row[]): { readonly widths: number[]; readonly right: boolean[] } {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const indices = Array.from({ length: columns }, (_, column) => column);
  return {
    widths: indices.map((column) => Math.max(...rows.map((row) => textOf(row[column] ?? '').length))),
    right: indices.map((column) => rows.some((row) => typeof row[column] === 'number')),
  };
}

const pad = (text: string, width: number, right: boolean): string =>
  right ? text.padStart(width) : text.padEnd(width);

/** Columns two spaces apart; no line ends in spaces. */
export function renderText(header: readonly string[], rows: readonly Row[]): string {
  const all: readonly Row[] = [header, ...rows];
  const { widths, right } = measure(all);
  return all
    .map((row) =>
      row
        .map((cell, column) => pad(textOf(cell), widths[column] ?? 0, right[column] ?? false))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** A table of GitHub's Markdown. */
export function renderMarkdown(header: readonly string[], rows: readonly Row[]): string {
  const escaped = (cell: Cell): Cell => (typeof cell === 'string' ? cell.replaceAll('|', '\\|') : cell);
  const all: readonly Row[] = [header, ...rows].map((row) => row.map(escaped));
  const { widths, right } = measure(all);
  const line = (row: Row): string =>
    `| ${widths.map((width, column) => pad(textOf(row[column] ?? ''), width, right[column] ?? false)).join(' | ')} |\n`;
  const rule = widths.map((width, column) =>
    right[column] ? `${'-'.repeat(Math.max(2, width - 1))}:` : '-'.repeat(Math.max(3, width)),
  );
  const [first = [], ...rest] = all;
  return `${line(first)}| ${rule.join(' | ')} |\n${rest.map(line).join('')}`;
}
