/** One at a time: a file with the number of the process that holds it, taken over when that process is gone. */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Fault } from '../../daemon/faults.ts';

/** A lock without readable content is being written, or was when the power went: long past this it is the latter. */
const unreadableAfterMs = 10_000;

/** When a process began, in clock ticks since boot (proc(5), stat field 22): tells a reused number from the old one. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // the name in field 2 may hold anything but ends at the last bracket
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** The living process a lock names; undefined: nobody holds it any more. */
function holder(file: string, content: string): string | undefined {
  const [, pid, start] = /^(\d{1,10}) (\d+)\n$/.exec(content) ?? [];
  if (pid !== undefined) return startOf(Number(pid)) === start ? `process ${pid}` : undefined;
  const age = statSync(file, { throwIfNoEntry: false });
  return age !== undefined && Date.now() - age.mtimeMs < unreadableAfterMs ? 'another process' : undefined;
}

/**
 * Takes the lock `file` for `what`; answers how to let go. Throws STORE_BUSY while a living process holds it.
 */
export function takeLock(file: string, what: string): () => void {
  const mine = `${process.pid} ${startOf(process.pid)}\n`;
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx' });
      return () => {
        if (read(file) === mine) rmSync(file, { force: true });
      };
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'EEXIST') throw thrown;
    }
    const content = read(file);
    // let go in the meantime
    if (content === undefined) continue;
    const by = holder(file, content);
    if (by !== undefined) {
      throw new Fault(
        'STORE_BUSY',
        `"${what}" is being changed by ${by}`,
        `wait until it is done; if there is no such process, delete ${file}`,
      );
    }
    // rename, not delete: of two that found it abandoned only one succeeds
    const aside = `${file}.${process.pid}`;
    try {
      renameSync(file, aside);
    } catch {
      continue;
    }
    const taken = read(aside);
    // the other was faster and this is its new lock: give it back
    if (taken !== content) renameSync(aside, file);
    else rmSync(aside, { force: true });
  }
}
