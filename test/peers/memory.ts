/** What a process holds in memory, as the kernel counts it. */
import { readFileSync } from 'node:fs';

/** Resident memory in 10^6 bytes: all of it, and the most there ever was. */
export type Memory = { readonly residentMb: number; readonly peakMb: number };

/**
 * Takes both from the text of /proc/PID/status (proc_pid_status(5), kB of 1024 bytes). Throws Error where a field is
 * missing: a process that has ended has none.
 */
export function memoryOf(status: string): Memory {
  const megabytes = (field: string): number => {
    const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    if (kibibytes === undefined) {
      throw new Error(`no ${field} in /proc/PID/status, expected a line of it: has the process ended?`);
    }
    return (Number(kibibytes) * 1024) / 1e6;
  };
  return { residentMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
}

/** Throws Error if there is no such process, or no more. */
export function readMemory(pid: number): Memory {
  return memoryOf(readFileSync(`/proc/${pid}/status`, 'utf8'));
}
