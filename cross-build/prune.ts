/** What of harkd and its packages a machine needs to run it. Pure: decides by names, touches nothing. */

export type Arch = 'arm64' | 'x64';

/** The part of package-lock.json (version 3) that says what is installed where. */
export type Lock = {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string;
        readonly dependencies?: Readonly<Record<string, string>>;
        readonly optionalDependencies?: Readonly<Record<string, string>>;
        readonly os?: readonly string[];
        readonly cpu?: readonly string[];
      }
    >
  >;
};

/**
 * Dependencies that do nothing at run time: onnxruntime-node's installer (it fetches CUDA for x64 and is never run, see
 * .npmrc), and types.
 */
function isIdle(dependent: string, name: string): boolean {
  return (
    name.startsWith('@types/') ||
    (dependent === 'onnxruntime-node' && ['adm-zip', 'global-agent'].includes(name))
  );
}

/** Where `name` is found from `from`, as Node looks for it: in the nearest node_modules upwards. */
function locate(lock: Lock, from: string, name: string): string | undefined {
  let at = from;
  while (at !== '') {
    const place = `${at}/node_modules/${name}`;
    if (lock.packages[place] !== undefined) return place;
    at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')));
  }
  const place = `node_modules/${name}`;
  return lock.packages[place] === undefined ? undefined : place;
}

/**
 * Folders (from the root of the package) of everything needed to run on linux/`arch`, sorted.
 * Throws if the lock misses a dependency, or one of them does not support the machine.
 */
export function packagesToShip(lock: Lock, arch: Arch): string[] {
  const places = new Set<string>();
  const visit = (from: string): void => {
    const { dependencies = {}, optionalDependencies = {} } = lock.packages[from] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (isIdle(from.slice(from.lastIndexOf('node_modules/') + 'node_modules/'.length), name)) continue;
      const place = locate(lock, from, name);
      if (place === undefined) {
        if (name in optionalDependencies) continue;
        throw new Error(`package-lock.json has no ${name}, which ${from || 'harkd'} needs`);
      }
      const { os = ['linux'], cpu = [arch] } = lock.packages[place] ?? {};
      if (!os.includes('linux') || !cpu.includes(arch)) {
        if (name in optionalDependencies) continue;
        throw new Error(`${place} runs on ${os.join(', ')} ${cpu.join(', ')} only, expected linux ${arch}`);
      }
      if (places.has(place)) continue;
      places.add(place);
      visit(place);
    }
  };
  visit('');
  return [...places].sort();
}

/** Folders at the root of a package that hold nothing its program reads. */
const idleFolders =
  /^(test|tests|docs|example|examples|bench|benchmark|benchmarks|\.github|\.vscode|\.husky)\//;
/** Types, sources of what is compiled already, maps, and files of other people's workshops. Licences stay. */
const idleFiles = /(\.[cm]?tsx?|\.map|\.tsbuildinfo|(^|\/)\.[^/]+|\.(markdown|yml))$/;

/** Whether a file of a package is shipped. `name` is the package, `file` its path inside, with `/`. */
export function keepsFile(name: string, file: string, arch: Arch): boolean {
  if (/(^|\/)(licen[cs]e|notice|copying)/i.test(file)) return true;
  if (name === 'onnxruntime-node') {
    if (file.startsWith('bin/')) return file.startsWith(`bin/napi-v6/linux/${arch}/`);
    if (file.startsWith('script/')) return false;
  }
  // it is required, never imported
  if (name === 'onnxruntime-common' && /^(lib|dist\/esm)\//.test(file)) return false;
  // bundles for browsers
  if (name === 'mqtt' && file.startsWith('dist/')) return false;
  if (name === 'yaml' && file.startsWith('browser/')) return false;
  return !idleFolders.test(file) && !idleFiles.test(file) && !/\.md$/i.test(file);
}

/** Folders and files of harkd itself, from the root of the package. */
export const ownFiles: readonly string[] = [
  ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'],
  ...['dist/daemon', 'dist/models', 'dist/providers', 'docs', 'models/catalog', 'models/embedded', 'systemd'],
];

/** Whether a file of harkd itself is shipped: not the maps of its sources. */
export function keepsOwnFile(file: string): boolean {
  return !file.endsWith('.map') && !/(^|\/)\.[^/]+$/.test(file);
}

const machineByArch: Readonly<Record<Arch, number>> = { x64: 62, arm64: 183 };

/** ELF header, e_machine at byte 18: `undefined` for what is no ELF file. Source: elf(5). */
export function elfMachine(header: Uint8Array): number | undefined {
  const isElf =
    header.length >= 20 && header[0] === 0x7f && String.fromCharCode(...header.subarray(1, 4)) === 'ELF';
  return isElf ? (header[18] ?? 0) | ((header[19] ?? 0) << 8) : undefined;
}

/** What is wrong with a binary in a package for `arch`, or undefined. */
export function foreignBinary(header: Uint8Array, arch: Arch): string | undefined {
  const machine = elfMachine(header);
  if (machine === undefined || machine === machineByArch[arch]) return undefined;
  return `is for ELF machine ${machine}, expected ${machineByArch[arch]} (${arch})`;
}
