/** How `harkd models` says things: tables for people, nothing that decides. */
import { existsSync, readFileSync } from 'node:fs';
import { type Board, boards, type CatalogCard, describeLanguages } from '../../models/store/catalog.ts';
import type { InstalledModel } from '../../models/store/installed.ts';

export const megabytes = (bytes: number): string => `${Math.max(1, Math.round(bytes / 1e6))} MB`;
export const millions = (parameters: number): string => `${Number((parameters / 1e6).toPrecision(2))} M`;

export function languagesOf(languages: readonly string[]): string {
  return describeLanguages(languages.length > 5 ? languages.length : languages);
}

/** Columns as wide as their widest cell, two spaces between, no spaces at the end. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  return rows.map((row) => `${indent}${line(row).trimEnd()}\n`).join('');
}

/** The board we are on, as far as the catalogue has advice for it. */
export function boardOf(deviceTreeModel: string, arch: string): Board | undefined {
  const [, generation] = /^Raspberry Pi (?:Compute Module )?([45])/.exec(deviceTreeModel) ?? [];
  if (generation !== undefined) return generation === '4' ? 'pi4' : 'pi5';
  return arch === 'x64' ? 'x86' : undefined;
}

export function thisBoard(): Board | undefined {
  const file = '/proc/device-tree/model';
  return boardOf(existsSync(file) ? readFileSync(file, 'utf8') : '', process.arch);
}

export const boardNames = {
  pi4: 'Raspberry Pi 4',
  pi5: 'Raspberry Pi 5',
  x86: 'x86 mini-PC',
} as const satisfies Record<Board, string>;

export function originOf({ card, trouble }: InstalledModel): string {
  if (trouble !== undefined) return `unusable: ${trouble.message}`;
  const { added } = card ?? {};
  if (added === undefined) return 'ships with harkd';
  const at = added.commit === undefined ? '' : ` at ${added.commit.slice(0, 8)}`;
  return `${added.repository ?? added.from}${at}, added ${added.at.slice(0, 10)}`;
}

export function catalogLines(card: CatalogCard): string {
  const size = card.aboutMb === undefined ? [] : [['download', `about ${card.aboutMb} MB`]];
  return table([
    ['repository', card.repository],
    ['licence', card.licence],
    ['languages', describeLanguages(card.languages)],
    ['parameters', `${card.parametersM} M`],
    ...size,
    ...boards.map((board) => [boardNames[board], `expected: ${card.expected[board]}`]),
  ]);
}
