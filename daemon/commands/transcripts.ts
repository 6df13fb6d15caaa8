/** `harkd transcripts`: reads the record that a daemon keeps, or deletes it. Nothing but files is asked. */
import { rm } from 'node:fs/promises';
import { type Config, loadConfig } from '../config/config.ts';
import { Fault } from '../faults.ts';
import type { OutputFormat } from '../formats.ts';
import { listRecord, type RecordFile, sizeBytesOf } from '../record/files.ts';
import { rangeOf } from '../record/query.ts';
import { recordText } from '../record/text.ts';
import { replaceFileBy } from '../replace-file.ts';
import { confirmed } from './confirmed.ts';
import type { CommandContext } from './context.ts';
import { recordFolderOf } from './keep-record.ts';

export type TranscriptsArguments = {
  readonly config?: string | undefined;
  readonly format: OutputFormat;
  readonly json: boolean;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly limit?: string | undefined;
  /** A file to write; standard output where it is left out. */
  readonly output?: string | undefined;
  /** Delete the record instead. */
  readonly clear: boolean;
  /** Do not ask. */
  readonly yes: boolean;
};

/**
 * Writes what was said, in the format asked for. Throws `Fault` USAGE_INVALID, INPUT_MISSING where no daemon has kept
 * anything, RECORD_UNREADABLE, and what `replaceFileBy` throws.
 */
export async function transcripts(argv: TranscriptsArguments, context: CommandContext): Promise<void> {
  const config = loadConfig({ path: argv.config, environment: context.environment });
  const directory = recordFolderOf(config);
  const range = rangeOf(argv, Date.now());
  if (argv.clear) return clear(argv, directory, context);
  if ((await filesIn(directory)).length === 0) throw nothingKept(config, directory);
  const text = recordText(
    {
      directory,
      onDamage: ({ file, lines }) =>
        context.writeError(`${lines} lines of ${file} cannot be read and are left out\n`),
    },
    argv.json ? 'json' : argv.format,
    range,
  );
  if (argv.output !== undefined) return replaceFileBy(argv.output, text);
  for await (const part of text) {
    if (context.signal.aborted) throw new Fault('INTERRUPTED', 'stopped before the end of the record', '');
    context.write(part);
  }
}

function nothingKept({ record }: Config, directory: string): Fault {
  return new Fault(
    'INPUT_MISSING',
    `nothing is kept in ${directory}`,
    record.enabled
      ? 'nothing was said yet, or the daemon has another state folder: HARKD_STATE_DIR=/var/lib/harkd harkd transcripts'
      : 'a daemon keeps a record with record.enabled; as a service it does so in HARKD_STATE_DIR=/var/lib/harkd',
  );
}

/** A running daemon notices, and goes on in a new file. */
async function clear(
  { since, until, limit, output, yes }: TranscriptsArguments,
  directory: string,
  context: CommandContext,
): Promise<void> {
  if ([since, until, limit, output].some((option) => option !== undefined)) {
    const hint = 'leave --since, --until, --limit and --output out';
    throw new Fault('USAGE_INVALID', '--clear deletes the whole record', hint);
  }
  const files = await filesIn(directory);
  const [first] = files;
  if (first === undefined) {
    context.write(`nothing is kept in ${directory}\n`);
    return;
  }
  const sizesBytes = await Promise.all(files.map(sizeBytesOf));
  const kib = Math.ceil(sizesBytes.reduce((sum, sizeBytes) => sum + sizeBytes, 0) / 1024);
  context.write(`${directory}: ${kib} KiB, ${first.day} to ${files.at(-1)?.day}\n`);
  if (!(await confirmed('delete it?', yes, 'keep it', context))) {
    context.write('nothing deleted\n');
    return;
  }
  for (const file of files)
    await rm(file.path, { force: true }).catch((error) => throwDenied(error, directory));
  context.write('deleted\n');
}

function filesIn(directory: string): Promise<RecordFile[]> {
  return listRecord(directory).catch((error) => throwDenied(error, directory));
}

function throwDenied(cause: Error, directory: string): never {
  const hint = 'run it as the user harkd runs as, such as: sudo -u harkd harkd transcripts';
  throw new Fault('RECORD_UNREADABLE', `the record in ${directory}: ${cause.message}`, hint, { cause });
}
