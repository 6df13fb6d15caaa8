/**
 * One owner for a folder. The lock is a symbolic link whose target names the owner: it is made with its content in one
 * step, and takes no block of a disk that is full. An owner that was killed leaves it behind; it is told from a living
 * one by the start of its process and of the machine, so that a process id used again is not taken for it.
 */
import { readFileSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { Fault } from './faults.ts';

/** Takes the lock and answers how to give it back. Throws `Fault` `busyCode`, or what the file system says. */
export function takeLock(file: string, busyCode: 'OUTBOX_BUSY' | 'RECORD_BUSY'): () => void {
  const me = `${process.pid}-${startOf(process.pid)}-${machineStart()}`;
  for (;;) {
    try {
      symlinkSync(me, file);
      return () => {
        if (ownerOf(file) === me) unlinkSync(file);
      };
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const owner = ownerOf(file);
    if (owner === undefined) continue;
    if (isAlive(owner)) {
      throw new Fault(
        busyCode,
        `${file} is held by process ${owner.split('-')[0]}`,
        'another harkd uses this state folder: give each its own stateDir',
      );
    }
    removeStale(file, owner);
  }
}

/** Two may find the same stale lock: who moves away the fresh lock of the other puts it back. */
function removeStale(file: string, owner: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (ownerOf(aside) === owner) unlinkSync(aside);
    else renameSync(aside, file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function ownerOf(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(owner: string): boolean {
  const [pid = '', start, ...machine] = owner.split('-');
  return machine.join('-') === machineStart() && start !== undefined && startOf(Number(pid)) === start;
}

/** In clock ticks since the machine started: proc(5), field 22 of stat. A process that is only waited for is none. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the name, in parentheses, may hold anything: fields are counted behind it
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function machineStart(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
