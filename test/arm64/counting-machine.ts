/**
 * The machine of machine.ts with a QEMU that counts instructions. Debian's has no plugins, so this one is built from
 * Debian's sources, held to its signature: four minutes of processor time and 40 MB, once, only when asked for. What
 * QEMU's build wants from PyPI is held to hashes. It is kept in `.cache/arm64/counting`, and nothing is installed.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { cleanEnvironment, packageDir } from '../fixtures/daemon.ts';
import { temporaryDir } from '../graph-files.ts';
import type { Answer, Job } from './counted.ts';
import {
  type Cpu,
  cacheDir,
  cannotFetchFromDebian,
  isInstalled,
  nodeOn,
  privateApt,
  profiles,
  run,
} from './machine.ts';
import { joinMarks, type Rates, ratesOf, readMarks } from './marks.ts';

const countingDir = path.join(cacheDir, 'counting');
const qemuBinary = path.join(countingDir, 'qemu-aarch64');
const pluginSource = path.join(packageDir, 'test/arm64/count.c');

/** Its code is counted apart from everything else. */
const library = 'libonnxruntime.so';

const buildTools =
  'apt install build-essential ninja-build pkg-config libglib2.0-dev python3-venv python3-pip';

/** As pythondeps.toml of QEMU 10.0 names them; Debian leaves them out of its sources. */
const wheels = [
  'meson==1.5.0 --hash=sha256:52b34f4903b882df52ad0d533146d4b992c018ea77399f825579737672ae7b20',
  'pycotap==1.3.1 --hash=sha256:1c3a25b3ff89e48f4e00f1f71dbbc1642b4f65c65d416524d07e73492fff25ea',
];

const configuration = [
  '--target-list=aarch64-linux-user',
  '--enable-plugins',
  '--without-default-features',
  ...['system', 'docs', 'tools', 'werror', 'install-blobs'].map((feature) => `--disable-${feature}`),
];

function missingTools(programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length > 0) return `${missing.join(', ')} is missing: ${buildTools}`;
  try {
    run('pkg-config', ['--exists', 'glib-2.0'], '.');
    return undefined;
  } catch {
    return `the headers of glib are missing: ${buildTools}`;
  }
}

/** Why instructions cannot be counted here, or undefined. With `build`, a QEMU that is not there yet is no reason. */
export function cannotCount(build: boolean): string | undefined {
  // the plugin is compiled every time
  if (existsSync(qemuBinary)) return missingTools(['cc', 'pkg-config']);
  if (!build)
    return 'QEMU with plugins is not built: npm run bench:arm64 -- --build (four minutes of a core)';
  return missingTools(['cc', 'pkg-config', 'ninja', 'make', 'python3']) ?? cannotFetchFromDebian();
}

/** Builds the QEMU that counts unless it is there. Throws what apt, pip or the build have to say if they cannot. */
export function buildCountingQemu(): void {
  if (existsSync(qemuBinary)) return;
  const partial = `${countingDir}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const sourceDir = path.join(partial, 'source');
  mkdirSync(sourceDir, { recursive: true });

  const apt = privateApt(partial, 'deb-src');
  run('apt-get', [...apt, 'update'], partial);
  run('apt-get', [...apt, 'source', '--download-only', 'qemu'], partial);
  const tarball = readdirSync(partial).find((name) => name.includes('.orig.tar')) ?? '';
  run('tar', ['-xf', tarball, '-C', sourceDir, '--strip-components=1'], partial);

  const requirements = path.join(partial, 'wheels.txt');
  writeFileSync(requirements, `${wheels.join('\n')}\n`);
  const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--require-hashes', '-r', requirements];
  run('python3', [...download, '--dest', path.join(sourceDir, 'python/wheels')], partial);

  const buildDir = path.join(sourceDir, 'build');
  mkdirSync(buildDir);
  run('../configure', configuration, buildDir);
  // one after the other: this is no reason to slow down what else the machine does
  run('ninja', ['-j1', 'qemu-aarch64'], buildDir);
  copyFileSync(path.join(buildDir, 'qemu-aarch64'), path.join(partial, 'qemu-aarch64'));
  copyFileSync(path.join(sourceDir, 'include/qemu/qemu-plugin.h'), path.join(partial, 'qemu-plugin.h'));
  for (const name of readdirSync(partial)) {
    if (name !== 'qemu-aarch64' && name !== 'qemu-plugin.h')
      rmSync(path.join(partial, name), { recursive: true });
  }
  renameSync(partial, countingDir);
}

/** First line of what it says of itself. */
export function countingQemuVersion(): string {
  return execFileSync(qemuBinary, ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
}

/** Compiles the plugin for the QEMU that is there; answers its path. */
export function compilePlugin(): string {
  const plugin = path.join(temporaryDir(), 'count.so');
  const glib = execFileSync('pkg-config', ['--cflags', 'glib-2.0'], { encoding: 'utf8' }).trim().split(/\s+/);
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', ...glib, '-I', countingDir];
  run('cc', [...flags, '-o', plugin, pluginSource], countingDir);
  return plugin;
}

/** What counted.js answers on this processor, and what each stretch of its jobs took. */
export function countOn(cpu: Cpu, plugin: string, jobs: readonly Job[]): Answer & { readonly rates: Rates } {
  const out = path.join(temporaryDir(), 'marks');
  const program = path.join(import.meta.dirname, 'counted.js');
  const output = execFileSync(nodeOn(cpu, countingDir), [program, JSON.stringify(jobs)], {
    encoding: 'utf8',
    env: cleanEnvironment({
      ORT_DISABLE_TELEMETRY: '1',
      QEMU_PLUGIN: `${plugin},out=${out},library=${library}`,
    }),
    maxBuffer: 2 ** 26,
  });
  const answer = JSON.parse(output) as Answer;
  if (answer.cpuProfile !== profiles[cpu]) {
    throw new Error(`expected ${profiles[cpu]} on ${cpu}, harkd takes it for ${answer.cpuProfile}`);
  }
  return { ...answer, rates: ratesOf(joinMarks(answer.stretches, readMarks(readFileSync(out, 'utf8')))) };
}
