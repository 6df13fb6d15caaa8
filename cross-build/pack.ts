/**
 * Makes a tarball of harkd for another processor, on this one, from what `npm ci` and `npm run build` left here:
 *
 *   node dist/cross-build/pack.js [arm64|x64] [--out FOLDER]
 *
 * Two runs on the same sources give the same bytes: SOURCE_DATE_EPOCH (default: the last commit) is the time of every
 * file, owners are 0, order is by name. Nothing is downloaded and nothing is run on the way.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Arch,
  foreignBinary,
  keepsFile,
  keepsOwnFile,
  type Lock,
  ownFiles,
  packagesToShip,
} from './prune.ts';

export type Packed = {
  readonly tarball: string;
  readonly sha256: string;
  readonly files: number;
  readonly bytes: number;
};

/** Files under a folder, as paths from it; a file is itself. Links are left out: packages have none. */
function filesOf(place: string): string[] {
  if (statSync(place).isFile()) return [''];
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(place, path.join(entry.parentPath, entry.name)));
}

function copy(from: string, to: string): void {
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
  // by content, not by what the umask of whoever packs it made of it
  chmodSync(to, readFileSync(from).subarray(0, 2).toString() === '#!' ? 0o755 : 0o644);
}

/** Copies what `arch` needs from `packageDir` to `stageDir`; answers the number of files. */
function stage(packageDir: string, stageDir: string, arch: Arch): number {
  const lock = JSON.parse(readFileSync(path.join(packageDir, 'package-lock.json'), 'utf8')) as Lock;
  let files = 0;
  for (const place of ownFiles.filter((name) => existsSync(path.join(packageDir, name)))) {
    for (const file of filesOf(path.join(packageDir, place)).filter(keepsOwnFile)) {
      copy(path.join(packageDir, place, file), path.join(stageDir, place, file));
      files++;
    }
  }
  for (const place of packagesToShip(lock, arch)) {
    const dir = path.join(packageDir, place);
    const { name, version } = JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8'));
    const wanted = lock.packages[place]?.version;
    if (version !== wanted)
      throw new Error(`${place} is ${version}, package-lock.json says ${wanted}: run npm ci`);
    // packages inside this one have their own entry, if they are needed
    for (const file of filesOf(dir).filter((inner) => !inner.startsWith('node_modules/'))) {
      if (!keepsFile(name, file, arch)) continue;
      copy(path.join(dir, file), path.join(stageDir, place, file));
      files++;
    }
  }
  return files;
}

function firstBytes(file: string): Uint8Array {
  const header = new Uint8Array(20);
  const descriptor = openSync(file, 'r');
  try {
    return header.subarray(0, readSync(descriptor, header));
  } finally {
    closeSync(descriptor);
  }
}

/** Throws if a binary in the folder would not run on `arch`, or there is none at all. */
function checkBinaries(stageDir: string, arch: Arch): void {
  for (const file of filesOf(stageDir)) {
    const problem = foreignBinary(firstBytes(path.join(stageDir, file)), arch);
    if (problem !== undefined) throw new Error(`${file} ${problem}`);
  }
}

/** Packs `packageDir` for linux/`arch` into `outDir`. `epochS` becomes the time of every file. */
export function pack(packageDir: string, arch: Arch, outDir: string, epochS: number): Packed {
  const { name, version } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
  const workDir = mkdtempSync(path.join(os.tmpdir(), 'harkd-pack-'));
  try {
    const files = stage(packageDir, path.join(workDir, name), arch);
    checkBinaries(path.join(workDir, name), arch);
    mkdirSync(outDir, { recursive: true });
    const tarball = path.resolve(outDir, `${name}-${version}-linux-${arch}.tar.gz`);
    const order = [
      '--sort=name',
      `--mtime=@${epochS}`,
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--format=ustar',
    ];
    // directories, too, must not carry the umask; -n keeps the time of packing out of gzip's header
    const rights = ['--mode=u+rwX,go+rX,go-w'];
    execFileSync('tar', [...order, ...rights, '-I', 'gzip -9n', '-cf', tarball, '-C', workDir, name]);
    const packed = readFileSync(tarball);
    return {
      tarball,
      files,
      bytes: packed.length,
      sha256: createHash('sha256').update(packed).digest('hex'),
    };
  } finally {
    rmSync(workDir, { recursive: true });
  }
}

function isArch(text: string): text is Arch {
  return text === 'arm64' || text === 'x64';
}

if (process.argv[1] === import.meta.filename) {
  const packageDir = path.join(import.meta.dirname, '../..');
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: 'string', default: '.' } },
  });
  const [arch = 'arm64'] = positionals;
  if (!isArch(arch)) throw new Error(`expected arm64 or x64, got ${arch}`);
  const lastCommit = () =>
    execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: packageDir, encoding: 'utf8' });
  const epochS = Number(process.env['SOURCE_DATE_EPOCH'] ?? lastCommit());
  if (!Number.isSafeInteger(epochS)) throw new Error('SOURCE_DATE_EPOCH must be a whole number of seconds');
  const { tarball, files, bytes, sha256 } = pack(packageDir, arch, values.out, epochS);
  process.stdout.write(`${tarball}: ${files} files, ${(bytes / 1e6).toFixed(1)} MB\nsha256 ${sha256}\n`);
}
