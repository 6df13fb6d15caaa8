/**
 * Files that were hashed before and have not been touched since need not be hashed again: 50 MB take a quarter of a
 * second of every start. `verified.json` beside them says how each looked when its hash was found right. A file that was
 * written, replaced or copied since has another time of change, which no program can set; then it is hashed again.
 * What a disk loses without writing is found by `harkd models verify`, which hashes everything.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type FileList, verifyFiles } from './files.ts';

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
  const looks = Object.entries(files).map(([name, { sha256 }]) => {
    const found = lookOf(path.join(dir, name));
    const known = found !== undefined && stamp[name]?.sha256 === sha256 && stamp[name]?.look === found.look;
    return { name, sha256, found, known };
  });
  const unknown = looks.filter(({ known }) => !known).map(({ name }) => name);
  if (unknown.length === 0) return;
  const unproven = Object.entries(files).filter(([name]) => unknown.includes(name));
  verifyFiles(dir, Object.fromEntries(unproven), promisedBy, remedy);
  const settled = looks.flatMap(({ name, sha256, found }) =>
    found !== undefined && startedAtMs - found.changedAtMs > settledAfterMs
      ? [[name, { sha256, look: found.look }] as const]
      : [],
  );
  if (settled.length > 0) writeStamp(dir, Object.fromEntries(settled));
}

/** For the next time; where it cannot be written, that takes as long as this time. */
function writeStamp(dir: string, stamp: Stamp): void {
  const file = path.join(dir, stampFile);
  const beside = `${file}.${process.pid}.new`;
  try {
    writeFileSync(beside, `${JSON.stringify(stamp)}\n`);
    renameSync(beside, file);
  } catch {
    rmSync(beside, { force: true });
  }
}
