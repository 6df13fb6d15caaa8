/** Fetches one file of a pinned commit: resumed after an interruption, and not believed before it is hashed. */
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import type { FileRecord } from '../files.ts';
import type { Hub, HubAnswer } from './hub.ts';
import type { HubFile } from './listing.ts';
import { PartialFile } from './partial-file.ts';
import { PassingTrouble, type Patience, patiently } from './patience.ts';

export type DownloadOptions = {
  readonly hub: Hub;
  readonly repository: string;
  readonly commit: string;
  /** Where the file goes, under its own plain name. */
  readonly dir: string;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  readonly onWait: (trouble: PassingTrouble, waitMs: number) => void;
  /** How much of this file is there. */
  readonly onBytes: (bytes: number) => void;
};

/** Progress worth starting over the count of attempts. */
const progressBytes = 1 << 16;

/** A path as it stands in an address: each part encoded, the slashes not. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function contradiction(file: HubFile, message: string): Fault {
  return new Fault(
    'HUB_ANSWER_INVALID',
    `${file.path}: the hub lists ${file.sizeBytes} bytes, ${message}`,
    'nothing was installed; check HF_ENDPOINT and the proxy, or try again later',
  );
}

/** Whether the answer is about the file we want. Throws HUB_ANSWER_INVALID. */
function checkAnswer(answer: HubAnswer, file: HubFile, commit: string): void {
  if (answer.commit !== undefined && answer.commit !== commit) {
    throw contradiction(file, `then sends commit ${answer.commit.slice(0, 40)} instead of ${commit}`);
  }
  if (answer.linkedBytes !== undefined && answer.linkedBytes !== file.sizeBytes) {
    throw contradiction(file, `then announces ${answer.linkedBytes}`);
  }
  const encoding = answer.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw contradiction(file, `then sends them as ${encoding.slice(0, 40)}`);
}

/** Asks for what is missing and appends what comes. Throws PassingTrouble where the connection ends too early. */
async function fetchRest(part: PartialFile, file: HubFile, options: DownloadOptions): Promise<void> {
  if (part.bytes === file.sizeBytes && file.sizeBytes > 0) return;
  const { hub, repository, commit, signal } = options;
  const from = part.bytes;
  const range = from === 0 ? {} : { range: `bytes=${from}-` };
  const answer = await hub.get(
    `/${encodePath(repository)}/resolve/${commit}/${encodePath(file.path)}`,
    // without a strong tag the hash at the end is the only guard, and it is enough
    { ...range, ...(from > 0 && part.etag !== undefined ? { 'if-range': part.etag } : {}) },
    signal,
  );
  try {
    checkAnswer(answer, file, commit);
    if (answer.status === 416) {
      await part.restart();
      throw new PassingTrouble(`${file.path}: the server does not go on at byte ${from}`);
    }
    if (answer.status === 200 && from > 0) await part.restart();
    if (answer.status === 206) await checkRange(answer, part, file);
    const length = answer.header('content-length');
    if (length !== undefined && Number(length) !== file.sizeBytes - part.bytes) {
      throw contradiction(file, `its server sends ${part.bytes + Number(length)}`);
    }
    await part.rememberEtag(answer.header('etag'));
    for await (const chunk of answer.body) {
      if (part.bytes + chunk.length > file.sizeBytes) throw contradiction(file, 'its server sends more');
      await part.append(chunk);
      options.onBytes(part.bytes);
    }
  } finally {
    await answer.discard();
  }
  if (part.bytes < file.sizeBytes) {
    throw new PassingTrouble(
      `${file.path}: the connection ended at ${part.bytes} of ${file.sizeBytes} bytes`,
    );
  }
}

async function checkRange(answer: HubAnswer, part: PartialFile, file: HubFile): Promise<void> {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header('content-range') ?? '') ?? [];
  if (total !== undefined && total !== '*' && Number(total) !== file.sizeBytes) {
    throw contradiction(file, `its server has ${total}`);
  }
  if (Number(start) !== part.bytes) {
    await part.restart();
    throw new PassingTrouble(`${file.path}: the server answered with another part than the one asked for`);
  }
}

function mismatch(file: HubFile, got: string): Fault {
  const { kind, hex } = file.hash;
  return new Fault(
    'MODEL_CHECKSUM_MISMATCH',
    `${file.path} has ${kind} ${got}, the hub says ${hex}`,
    'it was changed on the way: check HF_ENDPOINT and the proxy, then run the same command again',
  );
}

/**
 * Fetches `file` into `options.dir`, going on where an earlier attempt stopped; answers what the card will say of it.
 * Throws Fault: HUB_ANSWER_INVALID, MODEL_CHECKSUM_MISMATCH (with both hashes), DISK_FULL, STORE_UNWRITABLE and those
 * of `Hub.get`; PassingTrouble when patience ends; the reason of `signal`.
 */
export async function download(file: HubFile, options: DownloadOptions): Promise<FileRecord> {
  const target = path.join(options.dir, file.path);
  // complete from an earlier run, as far as that run knew: looked at like any other beginning
  if (existsSync(target)) await rename(target, `${target}.part`);
  const part = await PartialFile.open(target, file, options.signal);
  try {
    let whole = part.bytes === 0;
    for (;;) {
      options.onBytes(part.bytes);
      await patiently(
        async () => {
          whole = part.bytes === 0;
          await fetchRest(part, file, options);
        },
        {
          patience: options.patience,
          progress: () => Math.floor(part.bytes / progressBytes),
          signal: options.signal,
          onWait: options.onWait,
        },
      );
      const { promised, record } = part.digest();
      if (promised.hex === file.hash.hex) {
        await part.finish();
        return record;
      }
      await part.restart();
      // pieces of different answers may not belong together; one that came whole has no such excuse
      if (whole) throw mismatch(file, promised.hex);
    }
  } finally {
    await part.close();
  }
}
