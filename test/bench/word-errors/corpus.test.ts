import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryDir } from '../../graph-files.ts';
import { readCorpus, readInt16Npy } from './corpus.ts';
import { silenceSamples } from './voices.ts';

const corpus = suite('corpus of models/training');

/** As numpy 2.4 writes it: the header padded to 128 bytes. */
function npy(values: readonly number[], type = '<i2'): Buffer {
  const said = `{'descr': '${type}', 'fortran_order': False, 'shape': (${values.length},), }`;
  const header = Buffer.from(`\u0093NUMPY\u0001\u0000v\u0000${said.padEnd(117)}\n`, 'latin1');
  return Buffer.concat([header, Buffer.from(Int16Array.from(values).buffer)]);
}

function write(dir: string): string {
  mkdirSync(dir, { recursive: true });
  const loud = (length: number, value: number) => Array.from({ length }, () => value);
  writeFileSync(path.join(dir, '000000.npy'), npy([...loud(10, 20_000), ...loud(30, -20_000)]));
  const said = [
    { text: 'stop', engine: 'flite', voice: 'flite:slt', start: 0, end: 10 },
    { text: 'go on', engine: 'espeak-ng', voice: 'espeak-ng:en-us+f2', start: 10, end: 40 },
  ];
  writeFileSync(path.join(dir, '000000.json'), JSON.stringify(said));
  return dir;
}

corpus('samples are those of the file', () => {
  const file = path.join(temporaryDir(), 'a.npy');
  writeFileSync(file, npy([1, -2, 32_767]));
  assert.equal([...readInt16Npy(file)], [1, -2, 32_767]);
  for (const wrong of [npy([1, 2], '<f4'), npy([1, 2]).subarray(0, -1), Buffer.from('RIFF')]) {
    writeFileSync(file, wrong);
    assert.throws(() => readInt16Npy(file), /a\.npy: expected int16/);
  }
});

corpus('each utterance is cut out and framed', () => {
  const dir = write(temporaryDir());
  const said = readCorpus(dir, 10, 1);
  const lengths = Object.fromEntries(said.map(({ text, samples }) => [text, samples.length]));
  assert.equal(lengths, { stop: 10 + 2 * silenceSamples, 'go on': 30 + 2 * silenceSamples });
  const first = said.find(({ text }) => text === 'go on')?.samples[silenceSamples] ?? 0;
  assert.ok(first < 0);
  assert.equal(
    said.map(({ heardInTraining }) => heardInTraining),
    [false, false],
  );
  assert.equal(readCorpus(dir, 1, 1), said.slice(0, 1));
  writeFileSync(path.join(dir, 'corpus.json'), '{"settings": {"roles": ["train"]}}');
  assert.ok(readCorpus(dir, 1, 1)[0]?.heardInTraining);
});

corpus('a folder without shards is refused', () => {
  assert.throws(() => readCorpus(temporaryDir(), 1, 1), /000000\.json/);
});

corpus.run();
