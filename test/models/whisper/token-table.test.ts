import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault } from '../../../daemon/faults.ts';
import {
  readTokenTable,
  type TokenTable,
  textOf,
  writeTokenTable,
} from '../../../models/whisper/token-table.ts';
import { readTokenizer } from '../../../models/whisper/tokenizer.ts';
import { randomFrom } from '../../random.ts';

const rootDir = path.join(import.meta.dirname, '../../../..');
const tokenizer = readTokenizer(
  readFileSync(path.join(rootDir, 'test/golden/tokenizer/whisper-like.json'), 'utf8'),
  568 + 14 + 1501,
);
const file = writeTokenTable(tokenizer.table);
const test = suite('token table');

test('what was written is read again: special tokens, languages, the bytes of every token', () => {
  // where a file lies in memory does not matter
  const shifted = new Uint8Array(file.length + 3);
  shifted.set(file, 3);
  const { special, ends, bytes } = readTokenTable(shifted.subarray(3));
  assert.equal({ ends, bytes }, { ends: tokenizer.table.ends, bytes: tokenizer.table.bytes });
  assert.equal([...special.languages], [...tokenizer.special.languages]);
  // a token the model lacks is undefined, or not named
  assert.is(JSON.stringify(special), JSON.stringify(tokenizer.special));
});

test('it writes the text the tokenizer was given, and no special token', () => {
  const decode = textOf(readTokenTable(file));
  for (const text of [' turn the lights on', ' naïve café 日本', '']) {
    assert.is(decode([...tokenizer.encode(text), tokenizer.special.endOfText]), text);
  }
  const [first = 0] = tokenizer.encode(' 日');
  assert.is(decode([first]), ' ', 'a character cut off is left out');
  assert.is(decode([-1, 1e9]), '', 'ids that no token has');
});

test('a damaged file is refused, wherever it is cut or changed', () => {
  const read = (bytes: Uint8Array): TokenTable | string => {
    try {
      return readTokenTable(bytes);
    } catch (error) {
      assert.instance(error, Fault);
      return (error as Fault).code;
    }
  };
  const random = randomFrom(4);
  for (let i = 0; i < 200; i++) {
    assert.is(read(file.subarray(0, Math.floor(random() * file.length))), 'MODEL_INVALID');
  }
  for (const [at, value] of [
    [0, 0xff],
    [3, 0xff],
    [5, 0x7b],
  ] as const) {
    const changed = file.slice();
    changed[at] = value;
    assert.is(read(changed), 'MODEL_INVALID', `byte ${at}`);
  }
});

test.run();
