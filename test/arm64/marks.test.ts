import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { joinMarks, Marks, ratesOf, readMarks, type Stretch } from './marks.ts';

const marks = suite('marks of counted stretches');
const encoder = (amount: number): Stretch => ({ what: 'encoder', unit: 'second', amount });
const token = (amount: number): Stretch => ({ what: 'token', unit: 'token', amount });

marks('a stretch has the instructions between its two marks', () => {
  const lines = readMarks('100 10\n700 400\n1000 400\n1250 580\n');
  assert.equal(joinMarks([encoder(3), token(6)], lines), [
    { ...encoder(3), all: 600, inLibrary: 390 },
    { ...token(6), all: 250, inLibrary: 180 },
  ]);
});

marks('a rate is of one unit, and of the run that took least', () => {
  const counted = [
    { ...token(4), all: 480, inLibrary: 400 },
    { ...encoder(2), all: 90, inLibrary: 80 },
    { ...token(2), all: 220, inLibrary: 202 },
  ];
  assert.equal(ratesOf(counted), {
    token: { unit: 'token', runs: 2, all: 110, inLibrary: 100 },
    encoder: { unit: 'second', runs: 1, all: 45, inLibrary: 40 },
  });
});

marks('a mark too many or too few is an error, not a shift of everything after it', () => {
  const three = readMarks('1 0\n2 0\n3 0\n');
  assert.throws(() => joinMarks([encoder(1)], three), /expected 2 marks for 1 stretches, got 3/);
  assert.throws(() => joinMarks([encoder(1), token(1)], three), /expected 4 marks for 2 stretches, got 3/);
});

marks('what another thread wrote between does not count as a stretch', () => {
  assert.throws(() => joinMarks([encoder(1)], readMarks('500 1\n20 0\n')), /encoder took -480 instructions/);
});

marks('a file of something else is refused', () => {
  assert.throws(() => readMarks('100\n'), /expected two numbers of instructions, got "100"/);
});

marks('stretches are kept in order, with what they came to', async () => {
  const umask = process.umask();
  const kept = new Marks();
  const said = await kept.around(
    async () => 7,
    (tokens) => token(tokens),
  );
  await kept.around(
    () => 3,
    (seconds) => encoder(seconds),
  );
  process.umask(umask);
  assert.is(said, 7);
  assert.equal(kept.stretches, [token(7), encoder(3)]);
});

marks.run();
