/** Where `harkd transcribe --output` writes what it makes of each file. */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../faults.ts';
import type { OutputFormat } from '../formats.ts';
import { outputFault } from '../replace-file.ts';

const endings: Readonly<Record<OutputFormat, string>> = {
  text: '.txt',
  json: '.json',
  srt: '.srt',
  vtt: '.vtt',
};

/** What is kept until the output is whole, beside it. */
export const journalOf = (output: string): string => `${output}.partial`;

/**
 * The output of each input. `output` is a file for one input; for several, or where it is a folder or ends with a
 * slash, it is a folder, which is made, and each output is named after its input.
 * Throws `Fault` USAGE_INVALID where outputs would overwrite an input or each other, OUTPUT_UNWRITABLE.
 */
export function placeTranscripts(
  files: readonly string[],
  output: string,
  format: OutputFormat,
): ReadonlyMap<string, string> {
  const kind = kindOf(output);
  const [only = ''] = files;
  const places = new Map<string, string>();
  if (files.length === 1 && kind !== 'folder' && !output.endsWith('/')) {
    if (kind === 'other') {
      const hint = 'leave --output away to write to standard output';
      throw new Fault('USAGE_INVALID', `${output} is a device or a pipe, a file expected`, hint);
    }
    places.set(only, output);
  } else {
    if (kind === 'file' || kind === 'other') {
      const hint = 'name a folder: each output gets the name of its input';
      throw new Fault(
        'USAGE_INVALID',
        `${output} is a file, a folder for ${files.length} files expected`,
        hint,
      );
    }
    for (const file of files)
      places.set(file, path.join(output, `${path.parse(file).name}${endings[format]}`));
    makeFolder(output);
  }
  refuseOverwriting(files, places);
  return places;
}

function refuseOverwriting(files: readonly string[], places: ReadonlyMap<string, string>): void {
  const taken = new Map(files.map((file) => [path.resolve(file), `the input ${file}`]));
  for (const [file, place] of places) {
    const absolute = path.resolve(place);
    const owner = taken.get(absolute);
    if (owner !== undefined) {
      const hint = 'give another --output, or these files one at a time';
      throw new Fault('USAGE_INVALID', `the output of ${file} would overwrite ${owner}: ${place}`, hint);
    }
    taken.set(absolute, `that of ${file}`);
  }
}

function kindOf(place: string): 'file' | 'folder' | 'other' | 'nothing' {
  try {
    const found = statSync(place);
    if (found.isDirectory()) return 'folder';
    return found.isFile() ? 'file' : 'other';
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return 'nothing';
    throw outputFault(thrown, place);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (thrown) {
    throw outputFault(thrown, folder);
  }
}
