/** The processor itself, through ONNX Runtime: works wherever harkd runs, and is the reference for all others. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import { openOnnxSession } from './onnxruntime.ts';
import type { ProbeReport, Provider } from './provider.ts';

/** Instructions that decide which integer kernels ONNX Runtime uses, by their name in /proc/cpuinfo. */
const integerInstructions = ['asimddp', 'i8mm', 'avx2', 'avx_vnni', 'avx512_vnni'];

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** What /proc/cpuinfo calls `Features` (Arm) or `flags` (x86). Empty where there is no such file. */
export function cpuFeatures(cpuinfo: string = readText('/proc/cpuinfo')): ReadonlySet<string> {
  const line = /^(?:Features|flags)\s*:\s*(.*)$/m.exec(cpuinfo);
  return new Set(line?.[1]?.trim().split(/\s+/) ?? []);
}

/**
 * x86 before VNNI adds pairs of uint8 x int8 products in 16 bits, and saturates (vpmaddubsw). On the embedded model
 * with int8 weights, an AVX2-only processor then errs ten times as much as one with VNNI. What is done about it:
 * models/compiler/profiles.ts.
 */
export function int8Saturates(arch: string, features: ReadonlySet<string>): boolean {
  return arch === 'x64' && !features.has('avx512_vnni') && !features.has('avx_vnni');
}

/** Kinds of processors by the integer products they have; the model compiler chooses number formats by them. */
export type CpuProfile = 'no-dot-product' | 'dot-product' | 'i8mm' | 'avx2' | 'avx-vnni' | 'avx512-vnni';

const profileByFeature: Readonly<Record<string, readonly (readonly [string, CpuProfile])[]>> = {
  arm64: [
    ['i8mm', 'i8mm'],
    ['asimddp', 'dot-product'],
  ],
  x64: [
    ['avx512_vnni', 'avx512-vnni'],
    ['avx_vnni', 'avx-vnni'],
    ['avx2', 'avx2'],
  ],
};

/** The best this processor has; where nothing is known, what runs everywhere. */
export function cpuProfile(
  arch: string = process.arch,
  features: ReadonlySet<string> = cpuFeatures(),
): CpuProfile {
  const known = profileByFeature[arch]?.find(([feature]) => features.has(feature));
  return known?.[1] ?? 'no-dot-product';
}

function describeDevice(): string {
  // boards name themselves in the device tree; node has no model name for Arm cores
  const board = readText('/proc/device-tree/model').replaceAll('\0', '').trim();
  const name = board || cpus()[0]?.model.trim() || process.arch;
  const features = cpuFeatures();
  const integer = integerInstructions.filter((feature) => features.has(feature));
  return [name, `${availableParallelism()} cores`, ...integer].join(', ');
}

/** Whether this kind of machine is one the library was built for. Loads nothing: an illegal instruction cannot be caught. */
function probeMachine(platform: string, arch: string, binaryExists: (arch: string) => boolean): ProbeReport {
  if (platform !== 'linux') {
    return { usable: false, reason: `needs Linux, this is ${platform}`, hint: 'run harkd on Linux' };
  }
  if (arch !== 'x64' && arch !== 'arm64') {
    return {
      usable: false,
      reason: `needs a 64-bit system (x64 or arm64), this Node.js is ${arch}`,
      hint: arch === 'arm' ? 'install the 64-bit edition of Raspberry Pi OS' : 'use an x64 or arm64 machine',
    };
  }
  if (!binaryExists(arch)) {
    return {
      usable: false,
      reason: `onnxruntime-node was installed without its linux-${arch} library`,
      hint: `install the harkd package made for linux-${arch}`,
    };
  }
  return { usable: true, device: describeDevice() };
}

function binaryExists(arch: string): boolean {
  try {
    const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
    const binary = path.join(entry, '../../bin/napi-v6/linux', arch, 'onnxruntime_binding.node');
    return existsSync(binary);
  } catch {
    return false;
  }
}

/** `platform` and `arch` are those of the running Node.js unless told. */
export async function probeCpu(
  platform: string = process.platform,
  arch: string = process.arch,
): Promise<ProbeReport> {
  return probeMachine(platform, arch, binaryExists);
}

export const provider: Provider = {
  name: 'cpu',
  probe: () => probeCpu(),
  open: (graphPath, options) => {
    const saturates = int8Saturates(process.arch, cpuFeatures());
    return openOnnxSession(graphPath, ['cpu'], { ...options, int8Saturates: saturates });
  },
};
