/**
 * Files that were hashed before and have not been touched since need not be hashed again: 50 MB take a quarter of a
 * second of every start. `verified.json` beside them says how each looked when its hash was found right. A file that was
 * written, replaced or copied since has another time of change, which no program can set; then it is hashed again.
 * What a disk loses without writing is found by `harkd models verify`, which hashes everything.
 */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { type FileList, putInPlace, verifyFiles } from './files.ts';

const stampFile = 'verified.json';
/** A file that is written twice within the tick of the file system's clock looks the same both times. */
const settledAfterMs = 2000;

type Stamp = Readonly<Record<string, { readonly sha256: string; readonly look: string }>>;

/** Whatever changes when a file is written, moved over or copied. */
function lookOf(file: string): { readonly look: string; readonly changedAtMs: number } | undefined {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = stat;
  return { look: [dev, ino, size, mtimeNs, ctimeNs].join(' '), changedAtMs: Number(ctimeMs) };
}

function readStamp(dir: string): Stamp {
  try {
    const stamp: unknown = JSON.parse(readFileSync(path.join(dir, stampFile), 'utf8'));
    return typeof stamp === 'object' && stamp !== null ? (stamp as Stamp) : {};
  } catch {
    return {};
  }
}

/** As `verifyFiles`, but for the files of `dir` that are known to be right. Throws what `verifyFiles` throws. */
export function verifyFilesOnce(dir: string, files: FileList, promisedBy: string, remedy: string): void {
  const startedAtMs = Date.now();
  const stamp = readStamp(dir);
  const looks = Object.entries(files).map(([name, record]) => ({
    name,
    record,
    seen: lookOf(path.join(dir, name)),
  }));
  const unproven = looks.filter(({ name, record, seen }) => {
    const known = stamp[name];
    return seen === undefined || known?.sha256 !== record.sha256 || known.look !== seen.look;
  });
  if (unproven.length === 0) return;
  verifyFiles(
    dir,
    Object.fromEntries(unproven.map(({ name, record }) => [name, record])),
    promisedBy,
    remedy,
  );
  const settled = looks.flatMap(({ name, record: { sha256 }, seen }) =>
    seen !== undefined && startedAtMs - seen.changedAtMs > settledAfterMs
      ? [[name, { sha256, look: seen.look }] as const]
      : [],
  );
  if (settled.length === 0) return;
  try {
    putInPlace(path.join(dir, stampFile), `${JSON.stringify(Object.fromEntries(settled))}\n`);
  } catch {
    // where it cannot be written, the next time takes as long as this one
  }
}
