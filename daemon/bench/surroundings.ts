/** What a measurement was made on: figures without it say nothing. */
import { readFileSync } from 'node:fs';
import os from 'node:os';

export type Surroundings = {
  /** The board as it calls itself (device tree), where it does. */
  readonly board: string | undefined;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly kernel: string;
  readonly node: string;
};

function readBoard(): string | undefined {
  try {
    // device-tree strings end with NUL
    return readFileSync('/proc/device-tree/model', 'utf8').replaceAll('\0', '').trim();
  } catch {
    return undefined;
  }
}

export function readSurroundings(): Surroundings {
  return {
    board: readBoard(),
    // node knows no model name of Arm cores
    cpu: os.cpus()[0]?.model.trim() || process.arch,
    cores: os.availableParallelism(),
    memoryMb: Math.round(os.totalmem() / 1e6),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
  };
}

/** Processes that want to run, averaged over the last minute. */
export const readLoad = (): number => Number((os.loadavg()[0] ?? 0).toFixed(2));
