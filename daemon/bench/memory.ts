/** How much memory a process holds, as the kernel counts it, in 10^6 bytes. */
import { readFileSync } from 'node:fs';

export type Memory = {
  /** Resident: pages it has in memory, those of shared libraries and files included. */
  readonly rssMb: number | undefined;
  /** The same, but pages shared among n processes count 1/n: sums to what is really used. Needs Linux 4.14. */
  readonly pssMb: number | undefined;
  /** Pages that no file stands behind: heaps and stacks. What memory pressure cannot take back. */
  readonly anonymousMb: number | undefined;
};

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // another user's process, a process that has ended, or no such file in this kernel
    return '';
  }
}

function megabytes(text: string, field: string): number | undefined {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return kibibytes === undefined ? undefined : (Number(kibibytes) * 1024) / 1e6;
}

/** Reads once; what the kernel does not tell is undefined. */
export function readMemory(pid: number): Memory {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  return {
    rssMb: megabytes(read(`/proc/${pid}/status`), 'VmRSS'),
    pssMb: megabytes(rollup, 'Pss'),
    anonymousMb: megabytes(rollup, 'Anonymous'),
  };
}
