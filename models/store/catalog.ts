/**
 * The models harkd knows by name: one card each under models/catalog. A card is advice for people who choose;
 * nothing in it is trusted at download, where the hub's own metadata counts and is pinned (see card.ts).
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Raspberry Pi 4 and 5, and the small x86 machines that people put into cupboards. */
export const boards = ['pi4', 'pi5', 'x86'] as const;
export type Board = (typeof boards)[number];

export type CatalogCard = {
  readonly name: string;
  /** On the hub: owner/name. */
  readonly repository: string;
  /** SPDX identifier, in lower case as on the hub. */
  readonly licence: string;
  /** Codes; or how many, where the model's own tokenizer names them. */
  readonly languages: readonly string[] | number;
  /** Millions of parameters. */
  readonly parametersM: number;
  /** Size of the weights as the hub showed it when the card was written, rounded; undefined: not known. */
  readonly aboutMb?: number;
  /** What arithmetic and memory let one expect of each board. Nothing here is measured. */
  readonly expected: Readonly<Record<Board, string>>;
};

/** All cards, smallest model first. `catalogDir` is models/catalog of the package. */
export function readCatalog(catalogDir: string): readonly CatalogCard[] {
  return readdirSync(catalogDir)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(path.join(catalogDir, file), 'utf8')) as CatalogCard)
    .sort((a, b) => a.parametersM - b.parametersM || (a.name < b.name ? -1 : 1));
}

/** The card called `word`: by its name (`tiny.en`), its repository, or the repository's last part (`whisper-tiny.en`). */
export function findInCatalog(catalog: readonly CatalogCard[], word: string): CatalogCard | undefined {
  const wanted = word.toLowerCase();
  return catalog.find(
    ({ name, repository }) =>
      name === wanted || repository === wanted || path.posix.basename(repository) === wanted,
  );
}

/** `English`, or `99 languages`. */
export function describeLanguages(languages: CatalogCard['languages']): string {
  if (typeof languages === 'number') return `${languages} languages`;
  return languages.length === 1 && languages[0] === 'en' ? 'English' : languages.join(', ');
}
