import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compressionRatio, endsInLoop } from '../../../models/whisper/repetition.ts';

const repetition = suite('repetition');

const times = (count: number, ...phrase: number[]): number[] =>
  Array.from({ length: count }, () => phrase).flat();
const counting = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

repetition('the compression ratio is that of zlib in Python', () => {
  // python3 -c "import zlib; print(len(zlib.compress(TEXT.encode())))"
  const deflatedBytes: readonly (readonly [string, number])[] = [
    ['a', 9],
    ['turn on the kitchen lights', 34],
    ['the quick brown fox jumps over the lazy dog and runs away', 60],
    ['thank you. '.repeat(20), 22],
    ['né '.repeat(50), 15],
  ];
  for (const [text, expected] of deflatedBytes) {
    const deflated = Buffer.byteLength(text) / compressionRatio(text);
    // Node carries Chromium's zlib, whose matches may differ from the reference's by a byte
    assert.ok(Math.abs(deflated - expected) < 1.5, `${text}: ${deflated} bytes`);
  }
  assert.is(compressionRatio(''), 0);
});

repetition('one token needs a dozen, a phrase four times', () => {
  assert.not(endsInLoop(times(11, 5)));
  assert.ok(endsInLoop(times(12, 5)));
  assert.not(endsInLoop(times(5, 5, 6)), 'ten tokens of two');
  assert.ok(endsInLoop(times(6, 5, 6)));
  assert.not(endsInLoop(times(3, 1, 2, 3, 4, 5)));
  assert.ok(endsInLoop(times(4, 1, 2, 3, 4, 5)));
  assert.ok(endsInLoop(times(4, ...counting(24))));
  assert.not(endsInLoop(times(4, ...counting(25))), 'longer than a sentence');
});

repetition('only the end counts', () => {
  assert.ok(endsInLoop([...counting(30), ...times(4, 7, 8, 9)]));
  assert.not(endsInLoop([...times(4, 7, 8, 9), 1]));
  // a loop cut anywhere inside the phrase is the same loop, rotated
  assert.ok(endsInLoop([...times(5, 7, 8, 9), 7]));
});

repetition('speech is no loop', () => {
  assert.not(endsInLoop([]));
  assert.not(endsInLoop(counting(200)));
  assert.not(endsInLoop([1, 2, 3, 3, 3, 3, 3, 4]), 'no no no no no');
  assert.not(endsInLoop(times(12, 5).map((token, i) => (i === 6 ? 9 : token))));
});

repetition('agrees with the definition on random tokens of a tiny alphabet', () => {
  const defined = (tokens: readonly number[]): boolean => {
    for (let phrase = 1; phrase <= 24; phrase++) {
      for (let repeats = 4; repeats * phrase <= tokens.length; repeats++) {
        if (repeats * phrase < 12) continue;
        const tail = tokens.slice(-repeats * phrase);
        if (tail.every((token, i) => token === tail[i % phrase])) return true;
      }
    }
    return false;
  };
  let state = 1;
  let loops = 0;
  for (let round = 0; round < 3_000; round++) {
    const tokens: number[] = [];
    for (let i = 0; i < 14 + (round % 7); i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      // mostly what stood two or three before, so that loops do occur
      const back = tokens.at((round & 1) === 0 ? -3 : -2);
      tokens.push(back === undefined || state >>> 24 < 20 ? (state >>> 16) & 1 : back);
    }
    const expected = defined(tokens);
    if (expected) loops++;
    assert.is(endsInLoop(tokens), expected, tokens.join(' '));
  }
  assert.ok(loops > 300 && loops < 2_700, `${loops} loops`);
});

repetition.run();
