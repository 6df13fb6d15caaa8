/** Takes a model in from a folder: checked, copied, and from then on independent of where it came from. */
import { constants, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import { readArchitecture } from '../compiler/architecture.ts';
import type { FileList, FileRecord } from '../files.ts';
import { type ModelCard, readCard } from '../manifest.ts';
import { type Added, type AddOptions, admit, requireSameOrigin, requireSpace } from './admission.ts';
import { hashFile } from './hashing.ts';
import { changing, checkName, placesOf } from './layout.ts';

/** Beside what the model is made of: what other tools want. Licence texts stay with what they are of. */
const companions = [
  'tokenizer_config.json',
  'preprocessor_config.json',
  'model.safetensors.index.json',
  'LICENSE',
];

/**
 * A copy that shares its blocks where the file system can (btrfs, XFS). Not a hard link: whoever trains on in the
 * folder would change the installed model under the daemon.
 */
async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  const handle = await open(to, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a card says of a model (what it is for, when to believe it) is true of the files it names, and no others. */
function requireItsFiles(card: ModelCard, files: FileList, from: string): void {
  for (const [file, { sha256 }] of Object.entries(files)) {
    const wanted = card.files[file]?.sha256;
    if (wanted === undefined || wanted === sha256) continue;
    throw new Fault(
      'MODEL_CHECKSUM_MISMATCH',
      `${path.join(from, file)} is ${sha256}, its card says ${wanted}`,
      'copy the folder again; or, if the file was changed on purpose, delete card.json beside it',
    );
  }
}

/**
 * Installs the model in `folder` (config.json, tokenizer.json, safetensors in Hugging Face layout). Where it has a card,
 * licence, measurements and settings of decoding are taken from it.
 * Throws `Fault`: USAGE_INVALID, MODEL_MISSING (a file), MODEL_UNSUPPORTED, MODEL_INVALID, MODEL_CHECKSUM_MISMATCH,
 * DISK_FULL, STORE_BUSY, STORE_UNWRITABLE; or the reason of `signal`.
 */
export async function addFromFolder(folder: string, options: AddOptions): Promise<Added> {
  const { storeDir, signal, onProgress } = options;
  const from = path.resolve(folder);
  const name = options.name ?? path.basename(from);
  checkName(name);
  // names, shapes and vocabulary, before anything is copied
  const { sourceFiles } = readArchitecture(from);
  const own = readCard(from);
  const others = companions.map((file) => path.join(from, file)).filter((file) => existsSync(file));
  const sources = [...new Set([...sourceFiles, ...others])];
  const sizes = new Map(sources.map((file) => [file, statSync(file).size]));
  const totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return changing(storeDir, name, async () => {
    requireSameOrigin(storeDir, name, from);
    await requireSpace(storeDir, totalBytes);
    const { incoming } = placesOf(storeDir, name);
    rmSync(incoming, { recursive: true, force: true });
    const dir = path.join(incoming, 'folder');
    mkdirSync(dir, { recursive: true });
    try {
      const files: Record<string, FileRecord> = {};
      let doneBytes = 0;
      for (const [source, size] of sizes) {
        signal.throwIfAborted();
        const file = path.basename(source);
        await copyDurably(source, path.join(dir, file));
        files[file] = await hashFile(path.join(dir, file), signal, (bytes) =>
          onProgress?.({ phase: 'fetch', file, doneBytes: doneBytes + bytes, totalBytes }),
        );
        doneBytes += size;
      }
      if (own !== undefined) requireItsFiles(own, files, from);
      const origin = { at: new Date().toISOString(), from };
      return await admit({ name, dir, files, origin, known: undefined, licence: undefined, own }, options);
    } finally {
      rmSync(incoming, { recursive: true, force: true });
    }
  });
}
