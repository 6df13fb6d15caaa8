/** Folders for what was said: for their owner only. */
import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';

/** Makes `folder`, and those it lies in, and closes it to everybody else. Rejects with what the file system says. */
export async function makePrivateFolder(folder: string): Promise<void> {
  await makeFolder(folder);
  await chmod(folder, 0o700);
}

/**
 * Makes `folder`, and those it lies in, where they are missing; those that are there stay as open as they are. Not
 * `recursive`: where making a folder is ENOENT although its parent is there (in /proc), Node 20 tries for ever.
 */
export async function makeFolder(folder: string): Promise<void> {
  const make = (): Promise<void> => mkdir(folder, { mode: 0o700 });
  try {
    await make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const parent = path.dirname(folder);
    if (code !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await make();
  }
}
