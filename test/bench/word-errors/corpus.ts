/**
 * A corpus folder of models/training: shards of samples (`000000.npy`, int16) with a list of what is said where
 * (`000000.json`). What is said in them is listened to like what the engines say here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { randomFrom } from '../../random.ts';
import { framed, type Utterance } from './voices.ts';

type Row = {
  readonly text: string;
  readonly engine: string;
  readonly start: number;
  readonly end: number;
};

/** Little-endian int16 in one dimension, as numpy.save writes it. Throws if `file` holds anything else. */
export function readInt16Npy(file: string): Int16Array {
  const bytes = readFileSync(file);
  const isNpy = bytes.length > 10 && bytes.toString('latin1', 0, 6) === '\u0093NUMPY';
  const isLong = (bytes[6] ?? 0) > 1;
  const start = isNpy ? (isLong ? 12 + bytes.readUInt32LE(8) : 10 + bytes.readUInt16LE(8)) : 0;
  const header = isNpy ? bytes.toString('latin1', isLong ? 12 : 10, start).trim() : 'no header of numpy';
  const [, length] = /'descr': '<i2', 'fortran_order': False, 'shape': \((\d+),\)/.exec(header) ?? [];
  if (length === undefined || start + 2 * Number(length) !== bytes.length) {
    throw new Error(`${file}: expected int16 [n] as numpy.save writes it, got ${header}`);
  }
  // of its own: the samples may lie at an odd place in the file
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
}

/** `count` utterances of the corpus in `dir`, or all of fewer; which, depends on `seed` alone. */
export function readCorpus(dir: string, count: number, seed: number): readonly Utterance[] {
  const shards = readdirSync(dir).filter((name) => /^\d{6}\.json$/.test(name));
  if (shards.length === 0) {
    throw new Error(`${dir}: expected 000000.json and 000000.npy, as python -m training synthesise writes`);
  }
  const rows = shards.toSorted().flatMap((shard) => {
    const listed = JSON.parse(readFileSync(path.join(dir, shard), 'utf8')) as readonly Row[];
    return listed.map((row) => ({ ...row, samples: `${path.parse(shard).name}.npy` }));
  });
  const random = randomFrom(seed);
  const chosen = rows
    .map((row) => ({ row, rank: random() }))
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, count)
    .map(({ row }) => row);
  const heardInTraining = rolesOf(dir).includes('train');
  const opened = new Map<string, Int16Array>();
  return chosen.map(({ text, engine, start, end, samples: shard }) => {
    const samples = opened.get(shard) ?? readInt16Npy(path.join(dir, shard));
    opened.set(shard, samples);
    const sound = Float32Array.from(samples.subarray(start, end), (value) => value / 32_768);
    return { text, voice: engine, heardInTraining, samples: framed(sound) };
  });
}

function rolesOf(dir: string): readonly string[] {
  try {
    const card = JSON.parse(readFileSync(path.join(dir, 'corpus.json'), 'utf8')) as {
      settings: { roles: readonly string[] };
    };
    return card.settings.roles;
  } catch {
    // one that was put together by hand
    return [];
  }
}
