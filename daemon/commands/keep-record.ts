import path from 'node:path';
import type { Config } from '../config/config.ts';
import type { Emit, Sink } from '../events.ts';
import type { Fault } from '../faults.ts';
import type { Log } from '../log.ts';
import { listRecord } from '../record/files.ts';

export function recordFolderOf({ stateDir }: Pick<Config, 'stateDir'>): string {
  return path.join(stateDir, 'record');
}

/**
 * The sink that keeps what is said, or undefined where `record.enabled` is off. Never rejects: trouble with the disk
 * is emitted when it comes, and hearing goes on. Its code is loaded only where it is wanted.
 */
export async function keepRecord(config: Config, emit: Emit, log: Log): Promise<Sink | undefined> {
  const directory = recordFolderOf(config);
  if (!config.record.enabled) {
    await sayWhatIsLeft(directory, log);
    return undefined;
  }
  const { recordSink } = await import('../sinks/record.ts');
  const { recordWriter } = await import('../record/writer.ts');
  const component = 'record';
  return recordSink(
    recordWriter({
      directory,
      maxBytes: config.record.maxMib * 2 ** 20,
      maxAgeMs: config.record.maxAgeDays * 86_400_000,
      onTrouble: ({ code, message, hint }: Fault) => emit({ type: 'fault', component, code, message, hint }),
      onWell: () => emit({ type: 'recovered', component, message: 'transcripts are kept again' }),
      onCut: ({ file, cutBytes }) =>
        log('warn', `${file} ended in half a line, which was cut off: ${cutBytes} bytes`),
      onLost: (count) => log('warn', `${count} transcripts could not be kept in the record`),
    }),
  );
}

/** Who has switched the record off may believe that nothing is kept any more. */
async function sayWhatIsLeft(directory: string, log: Log): Promise<void> {
  const files = await listRecord(directory).catch(() => []);
  if (files.length === 0) return;
  log('info', `the record is off; what was kept before is still in ${directory}`, {
    hint: 'harkd transcripts --clear deletes it',
  });
}
