import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../models/compiler/compile.ts';
import { attentionMap, keptHeads, timeWords, warp, wordStarts } from '../../../models/whisper/alignment.ts';
import { openModel } from '../../../models/whisper/open.ts';
import { provider } from '../../../providers/cpu.ts';
import { embeddedModelDir } from '../../golden.ts';
import { temporaryDir } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';

const alignment = suite('alignment');

/** The least cost of all monotone paths, by walking every one of them. */
function cheapest(cost: Float32Array, rows: number, columns: number, row = 0, column = 0): number {
  const here = cost[row * columns + column] as number;
  const ways: number[] = [];
  for (const [down, right] of [
    [1, 1],
    [1, 0],
    [0, 1],
  ] as const) {
    if (row + down < rows && column + right < columns) {
      ways.push(cheapest(cost, rows, columns, row + down, column + right));
    }
  }
  return here + (ways.length === 0 ? 0 : Math.min(...ways));
}

alignment('heads follow their layers when others are left out', () => {
  const heads = [
    [1, 0],
    [2, 3],
    [3, 5],
  ] as const;
  assert.equal(keptHeads(heads, undefined), heads);
  assert.equal(keptHeads(heads, [0, 1, 3]), [
    [1, 0],
    [2, 5],
  ]);
  assert.is(keptHeads(heads, [0]), undefined, 'none is left: the usual ones are taken');
  assert.is(keptHeads(undefined, [0, 1]), undefined);
});

alignment('the path is the cheapest of all', () => {
  const random = randomFrom(9);
  const [rows, columns] = [4, 6];
  for (let round = 0; round < 30; round++) {
    const cost = Float32Array.from({ length: rows * columns }, () => random() - 0.5);
    const entered = warp(cost, rows, columns);
    assert.is(entered[0], 0);
    // what the rows' entries leave open is how far each row runs: the cheapest way through them is the cheapest of all
    let best = Number.POSITIVE_INFINITY;
    const visit = (row: number, total: number, leftAt: number): void => {
      if (row === rows) {
        if (leftAt === columns - 1) best = Math.min(best, total);
        return;
      }
      const from = entered[row] as number;
      if (row > 0 && from !== leftAt && from !== leftAt + 1) return;
      let sum = total;
      for (let column = from; column < columns; column++) {
        sum += cost[row * columns + column] as number;
        visit(row + 1, sum, column);
      }
    };
    visit(0, 0, -1);
    assert.ok(Math.abs(best - cheapest(cost, rows, columns)) < 1e-5, `round ${round}`);
  }
});

alignment('a map with one bright step a token gives the times of the steps', () => {
  const frames = 40;
  const until = [8, 15, 29, 40];
  const dims = [1, 2, 4, frames];
  const data = new Float32Array(2 * 4 * frames).map((_, i) => {
    const [row, frame] = [Math.floor(i / frames) % 4, i % frames];
    // the second head looks nowhere in particular
    if (i >= 4 * frames) return 1 / frames;
    return frame < (until[row] as number) && frame >= (until[row - 1] ?? 0) ? 1 : 0.01;
  });
  const map = attentionMap([{ type: 'float32', dims, data }], [[0, 0]]);
  const decode = (tokens: Iterable<number>) =>
    Array.from(tokens, (token) => [' one', ' two', ' three'][token]).join('');
  const words = timeWords([0, 1, 2], [0, Math.log(0.5), -1], map, decode, 'en');
  assert.equal(
    words.map(({ text, startMs, endMs }) => [text, startMs, endMs]),
    [
      ['one', 0, 160],
      ['two', 160, 300],
      ['three', 300, 580],
    ],
  );
  assert.ok(Math.abs((words[1]?.prob ?? 0) - 0.5) < 1e-6);
});

alignment('words begin at spaces, and where there are none, at every character', () => {
  const of = (pieces: readonly string[], language: string) =>
    wordStarts(
      pieces.map((_, i) => i),
      (tokens) => Array.from(tokens, (token) => pieces[token]).join(''),
      language,
    );
  assert.equal(of([' turn', ' it', ' o', 'n', '.', ' now', '!'], 'en'), [0, 1, 2, 5]);
  assert.equal(of(['打', '开', '。', '灯'], 'zh'), [0, 1, 3]);
  assert.equal(of([], 'en'), []);
});

const demoDir = path.join(embeddedModelDir, 'demo');
/** What flite says of its own sounds: test/golden/word-times/make.py. */
const endsFile = path.join(import.meta.dirname, '../../../../test/golden/word-times/golden.json');
type Sentences = {
  readonly recordings: readonly {
    readonly file: string;
    readonly sentences: readonly {
      readonly text: string;
      readonly startMs: number;
      readonly endMs: number;
    }[];
  }[];
};

alignment(
  'words of the demonstration recordings lie in their sentences, in order, and change no text',
  async () => {
    const { model } = await compile(embeddedModelDir, temporaryDir(), { weights: 'int8', alignment: true });
    const whisper = await openModel({ compiled: model, provider });
    const { recordings } = JSON.parse(
      readFileSync(path.join(demoDir, 'sentences.json'), 'utf8'),
    ) as Sentences;
    const ends = JSON.parse(readFileSync(endsFile, 'utf8')) as Readonly<Record<string, readonly number[]>>;
    const errorsMs: number[] = [];
    for (const { file, sentences } of recordings) {
      const bytes = readFileSync(path.join(demoDir, file));
      const at = bytes.indexOf('data', 12, 'latin1') + 8;
      for (const { text, startMs, endMs } of sentences) {
        const from = 16 * (startMs - 200);
        const samples = Float32Array.from(
          { length: 16 * (endMs + 200) - from },
          (_, i) => bytes.readInt16LE(at + 2 * (from + i)) / 32_768,
        );
        const heard = await whisper.transcribe(samples, { words: true });
        assert.is((heard.words ?? []).map((word) => word.text).join(' '), heard.text);
        assert.is(heard.text, text);
        for (const [i, endMs] of (ends[text] ?? []).entries()) {
          errorsMs.push(Math.abs((heard.words?.[i]?.endMs ?? Number.NaN) - 200 - endMs));
        }
        let lastMs = heard.words?.[0]?.startMs;
        for (const word of heard.words ?? []) {
          assert.is(word.startMs, lastMs, `${text}: ${word.text} follows the word before`);
          assert.ok(word.endMs > word.startMs && word.prob > 0 && word.prob <= 1, `${text}: ${word.text}`);
          const middleMs = (word.startMs + word.endMs) / 2 - 200;
          assert.ok(middleMs >= 0 && middleMs <= endMs - startMs, `${text}: ${word.text} at ${middleMs} ms`);
          lastMs = word.endMs;
        }
        assert.is((await whisper.transcribe(samples)).words, undefined);
      }
    }
    await whisper.close();
    errorsMs.sort((a, b) => a - b);
    assert.is(errorsMs.length, 24, 'words that flite spoke');
    const medianMs = errorsMs[12] as number;
    assert.ok(medianMs < 100, `median ${medianMs} ms: ${errorsMs.join(' ')}`);
    assert.ok(errorsMs.filter((error) => error < 150).length >= 18, errorsMs.join(' '));
  },
);

alignment.run();
