/** `harkd models`: what is installed and what there is, taking models in, looking after them. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { readCard } from '../../models/manifest.ts';
import type { AddProgress } from '../../models/store/admission.ts';
import {
  boards,
  type CatalogCard,
  describeLanguages,
  findInCatalog,
  readCatalog,
} from '../../models/store/catalog.ts';
import {
  findInstalled,
  type InstalledModel,
  listModels,
  modelInfo,
  removeModel,
  verifyInstalled,
} from '../../models/store/installed.ts';
import { storeDirs } from '../../models/store/layout.ts';
import { Fault } from '../faults.ts';
import type { CommandContext } from './context.ts';
import {
  boardNames,
  catalogLines,
  languagesOf,
  megabytes,
  millions,
  originOf,
  table,
  thisBoard,
} from './models-text.ts';
import { type Progress, progressLine } from './progress.ts';

export type ModelsArguments = {
  readonly action: 'list' | 'add' | 'info' | 'verify' | 'remove';
  /** A name, owner/name on the hub, or (to add) a folder. `list` takes none, `verify` checks all without one. */
  readonly name?: string | undefined;
  /** What to call it. */
  readonly as?: string | undefined;
  /** Branch, tag or commit on the hub. */
  readonly revision?: string | undefined;
  /** Another folder than the user's store. */
  readonly store?: string | undefined;
  readonly json?: boolean | undefined;
};

type Store = {
  /** The first is written to. */
  readonly dirs: readonly [string, ...string[]];
  readonly catalog: readonly CatalogCard[];
  readonly embedded: InstalledModel;
};

function openStore(argv: ModelsArguments, context: CommandContext): Store {
  const modelDir = path.join(context.packageDir, 'models/embedded');
  const card = readCard(modelDir);
  const bytes = Object.values(card?.files ?? {}).reduce((sum, file) => sum + file.bytes, 0);
  return {
    dirs: argv.store === undefined ? storeDirs(context.environment) : [path.resolve(argv.store)],
    catalog: readCatalog(path.join(context.packageDir, 'models/catalog')),
    embedded: { name: 'embedded', modelDir, card, trouble: undefined, bytes },
  };
}

function list(argv: ModelsArguments, context: CommandContext, store: Store): void {
  const installed = [store.embedded, ...listModels(store.dirs)];
  if (argv.json) {
    const rows = installed.map(({ name, modelDir, bytes, card, trouble }) => {
      return { name, modelDir, bytes, card, trouble: trouble?.message };
    });
    context.write(`${JSON.stringify({ installed: rows, catalog: store.catalog }, undefined, 2)}\n`);
    return;
  }
  const rows = installed.map((model) => [
    model.name,
    model.card === undefined ? '?' : languagesOf(model.card.languages),
    model.card === undefined ? '?' : millions(model.card.parameters),
    megabytes(model.bytes),
    originOf(model),
  ]);
  context.write(`installed\n${table(rows)}`);
  const board = thisBoard();
  const has = (card: CatalogCard) => findInstalled(card.name, store.dirs, store.catalog) !== undefined;
  const others = store.catalog
    .filter((card) => !has(card))
    .map((card) => [
      card.name,
      describeLanguages(card.languages),
      `${card.parametersM} M`,
      card.aboutMb === undefined ? '' : `${card.aboutMb} MB`,
      card.licence,
      board === undefined ? '' : card.expected[board],
    ]);
  const where = board === undefined ? '' : '; the last column is what to expect here, not measured';
  context.write(
    `\nto add: harkd models add NAME, or owner/name of a Whisper on the hub${where}\n${table(others)}`,
  );
}

function showProgress(progress: Progress, writeError: (text: string) => void): (each: AddProgress) => void {
  const startedAtMs = performance.now();
  let startedAtBytes: number | undefined;
  return (each) => {
    if (each.phase === 'wait') {
      progress.clear();
      writeError(`${each.reason}: trying again in ${Math.ceil(each.waitMs / 1000)} s\n`);
      return;
    }
    const [done, total] =
      each.phase === 'fetch' ? [each.doneBytes, each.totalBytes] : [each.done, each.total];
    const share = total === 0 ? 1 : done / total;
    const bar = '#'.repeat(Math.floor(share * 20)).padEnd(20, '.');
    const percent = `${Math.floor(share * 100)}`.padStart(3);
    if (each.phase === 'check') return progress.show(`[${bar}] ${percent} %  checking the weights`);
    // what an earlier run had fetched says nothing about speed
    startedAtBytes ??= done;
    const seconds = (performance.now() - startedAtMs) / 1000;
    const speed = seconds < 1 ? '' : `  ${((done - startedAtBytes) / 1e6 / seconds).toFixed(1)} MB/s`;
    progress.show(`[${bar}] ${percent} %  ${megabytes(done)} of ${megabytes(total)}${speed}  ${each.file}`);
  };
}

/** What begins like a path is one; else a name that is known, else a folder that is there. */
function isFolder(word: string, catalog: readonly CatalogCard[]): boolean {
  if (/^(\.{0,2}\/|\.{1,2}$)/.test(word)) return true;
  if (findInCatalog(catalog, word) !== undefined) return false;
  return statSync(word, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

async function add(
  argv: ModelsArguments,
  word: string,
  context: CommandContext,
  store: Store,
): Promise<void> {
  const progress = progressLine(context.writeError, context.stderrIsTty);
  const options = {
    storeDir: store.dirs[0],
    catalog: store.catalog,
    name: argv.as,
    signal: context.signal,
    onProgress: showProgress(progress, context.writeError),
  };
  const run = async () => {
    if (isFolder(word, store.catalog)) {
      if (argv.revision !== undefined) {
        throw new Fault('USAGE_INVALID', 'a folder has no revisions', 'leave out --revision');
      }
      const { addFromFolder } = await import('../../models/store/add-from-folder.ts');
      return addFromFolder(word, options);
    }
    const { readHubAccess } = await import('../../models/store/hub-access.ts');
    const { addFromHub } = await import('../../models/store/add-from-hub.ts');
    const access = readHubAccess(context.environment);
    return addFromHub(word, { ...options, access, revision: argv.revision });
  };
  const { name, modelDir, card, unchanged } = await run().finally(() => progress.clear());
  if (argv.json) {
    context.write(`${JSON.stringify({ name, modelDir, unchanged, card }, undefined, 2)}\n`);
    return;
  }
  const bytes = Object.values(card.files).reduce((sum, file) => sum + file.bytes, 0);
  context.write(
    `${name} is ${unchanged ? 'installed already, and whole' : 'installed'}: ${languagesOf(card.languages)}, ` +
      `${millions(card.parameters)} parameters, ${megabytes(bytes)} in ${modelDir}\n` +
      `use it with: harkd run --model ${name}\n`,
  );
}

function info(argv: ModelsArguments, word: string, context: CommandContext, store: Store): void {
  const known = findInCatalog(store.catalog, word);
  const model = word === 'embedded' ? store.embedded : findInstalled(word, store.dirs, store.catalog);
  if (model === undefined && known !== undefined) {
    if (argv.json) context.write(`${JSON.stringify({ installed: false, catalog: known }, undefined, 2)}\n`);
    else
      context.write(`${known.name}: not installed; harkd models add ${known.name}\n${catalogLines(known)}`);
    return;
  }
  const { name, modelDir, card, trouble, bytes } = model ?? modelInfo(word, store.dirs, store.catalog);
  if (trouble !== undefined || card === undefined) throw trouble;
  if (argv.json) {
    context.write(
      `${JSON.stringify({ installed: true, name, modelDir, bytes, card, catalog: known }, undefined, 2)}\n`,
    );
    return;
  }
  const { added } = card;
  const optional = (label: string, value: string | undefined) =>
    value === undefined ? [] : [[label, value]];
  const rows = [
    ['folder', modelDir],
    ['from', added?.from ?? 'harkd itself'],
    ...optional('repository', added?.repository),
    ...optional('revision', added?.revision),
    ...optional('commit', added?.commit),
    ...optional('added', added?.at),
    ['licence', card.licence],
    ['languages', card.languages.join(' ')],
    ['parameters', millions(card.parameters)],
    ['size', megabytes(bytes)],
    ...boards.flatMap((board) => optional(boardNames[board], known && `expected: ${known.expected[board]}`)),
    ...Object.entries(card.files).map(([file, { sha256 }]) => [file, `sha256 ${sha256}`]),
  ];
  context.write(`${name}: ${card.description}\n${table(rows)}`);
}

async function verify(argv: ModelsArguments, context: CommandContext, store: Store): Promise<void> {
  const one = argv.name === 'embedded' ? store.embedded : undefined;
  const models =
    argv.name === undefined
      ? [store.embedded, ...listModels(store.dirs)]
      : [one ?? modelInfo(argv.name, store.dirs, store.catalog)];
  const progress = progressLine(context.writeError, context.stderrIsTty);
  const faults: Fault[] = [];
  const results: object[] = [];
  for (const model of models) {
    try {
      await verifyInstalled(model, context.signal, (done, total) =>
        progress.show(`${model.name}: ${megabytes(done)} of ${megabytes(total)}`),
      ).finally(() => progress.clear());
      results.push({ name: model.name, ok: true });
      if (!argv.json) context.write(`ok    ${model.name}\n`);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      faults.push(thrown);
      results.push({ name: model.name, ok: false, code: thrown.code, message: thrown.message });
      if (!argv.json) context.write(`wrong ${model.name}: ${thrown.message}\n`);
    }
  }
  if (argv.json) context.write(`${JSON.stringify(results, undefined, 2)}\n`);
  // the first decides the exit code
  if (faults[0] !== undefined) throw faults[0];
}

async function remove(word: string, context: CommandContext, store: Store): Promise<void> {
  if (word === 'embedded') {
    throw new Fault('USAGE_INVALID', 'the embedded model is part of harkd', 'it goes when the package goes');
  }
  const model = modelInfo(word, store.dirs, store.catalog);
  await removeModel(model);
  context.write(`${model.name} is removed, ${megabytes(model.bytes)} are free\n`);
}

/**
 * The command. Throws `Fault`: those of the store (docs/models.md), USAGE_INVALID where a name is missing, INTERRUPTED.
 */
export async function models(argv: ModelsArguments, context: CommandContext): Promise<void> {
  const store = openStore(argv, context);
  const word = (): string => {
    if (argv.name !== undefined && argv.name !== '') return argv.name;
    throw new Fault(
      'USAGE_INVALID',
      `harkd models ${argv.action} needs a name`,
      'harkd models list shows them',
    );
  };
  try {
    if (argv.action === 'list') list(argv, context, store);
    else if (argv.action === 'add') await add(argv, word(), context, store);
    else if (argv.action === 'info') info(argv, word(), context, store);
    else if (argv.action === 'verify') await verify(argv, context, store);
    else await remove(word(), context, store);
  } catch (thrown) {
    if (!context.signal.aborted || thrown instanceof Fault) throw thrown;
    throw new Fault(
      'INTERRUPTED',
      `models ${argv.action} was stopped`,
      'the same command goes on where this one stopped',
      {
        cause: thrown,
      },
    );
  }
}
