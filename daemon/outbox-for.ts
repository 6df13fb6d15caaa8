/** The outbox a configuration asks for, or the best there can be instead. */
import path from 'node:path';
import type { Config } from './config/config.ts';
import type { Component, Emit } from './events.ts';
import type { Fault } from './faults.ts';
import type { MemoryOutboxOptions, Outbox } from './outbox.ts';
import { memoryOutbox } from './outbox.ts';
import { openFileOutbox } from './outbox-file.ts';

export type ChosenOutbox = {
  readonly outbox: Outbox;
  /** Whether what is left at the end is there at the next start, and where. */
  readonly keptIn: string | undefined;
  /** Says what went wrong while it was opened. To be called once, when there is somebody to hear it. */
  readonly announce: () => void;
};

/** Of whom an outbox is: its folder below `stateDir`, who is in trouble when its disk is, whether it needs one at all. */
export type OutboxOwner = {
  readonly folder: string;
  readonly component: Component;
  readonly durable: boolean;
};

/**
 * Opens an outbox of this daemon, that of the broker unless another owner is named. Never rejects: where there is no
 * disk to keep transcripts on, they are kept in memory, and `announce` says so. Later trouble with the disk is emitted
 * when it comes.
 */
export async function outboxFor(
  { outbox, stateDir }: Config,
  emit: Emit,
  owner: OutboxOwner = { folder: 'outbox', component: 'outbox', durable: outbox.durable },
): Promise<ChosenOutbox> {
  const { component } = owner;
  const bounds: MemoryOutboxOptions = {
    maxEntries: outbox.maxEntries,
    maxBytes: outbox.maxMib * 2 ** 20,
    maxAgeMs: outbox.maxAgeH * 3_600_000,
  };
  const inMemory = { outbox: memoryOutbox(bounds), keptIn: undefined };
  if (!owner.durable) return { ...inMemory, announce: () => undefined };
  const directory = path.join(stateDir, owner.folder);
  const trouble = ({ code, message, hint }: Fault): void =>
    emit({ type: 'fault', component, code, message, hint });
  const well = (message: string): void => emit({ type: 'recovered', component, message });
  try {
    const opened = await openFileOutbox({
      ...bounds,
      directory,
      onTrouble: trouble,
      onWell: () => well('transcripts that wait are on disk again'),
    });
    return {
      outbox: opened.outbox,
      keptIn: directory,
      announce() {
        if (opened.damage === undefined) return;
        trouble(opened.damage);
        well('everything else that a run before left is being delivered');
      },
    };
  } catch (fault) {
    return { ...inMemory, announce: () => trouble(fault as Fault) };
  }
}
