import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageDir } from '../../fixtures/daemon.ts';
import { household } from '../../fixtures/demo.ts';
import { type Heard, judge } from './heard.ts';
import { countInventions, hearSound } from './inventions.ts';
import { readSound } from './voices.ts';

const inventions = suite('texts out of nothing');

inventions('silence does not reach the recognizer', async () => {
  const recognize = async (): Promise<Heard> => {
    throw new Error('it was asked');
  };
  const silence = (length: number) => new Float32Array(length);
  const counted = countInventions('silence', 0.5, await hearSound(packageDir, silence, 0.5, recognize));
  assert.equal([counted.segments, counted.written, counted.published], [0, 0, 0]);
  assert.is(counted.minutes, 0.5);
});

inventions('what is taken for speech is counted by what became of it', async () => {
  const speech = await readSound(household);
  const answers: readonly Heard[] = [
    { text: 'one', avgLogProb: -0.5 },
    { text: 'two', avgLogProb: -0.7 },
    { text: '', avgLogProb: 0 },
  ].map((written) => judge(written, -0.6));
  let asked = 0;
  const recognize = async () => answers[asked++ % answers.length] as Heard;
  const talk = (length: number) => speech.slice(0, length);
  const counted = countInventions('talk', 0.5, await hearSound(packageDir, talk, 0.5, recognize));
  assert.ok(asked >= 3, `${asked}`);
  assert.is(counted.segments, asked);
  assert.is(counted.published, Math.ceil(asked / 3));
  assert.is(counted.written, asked - Math.floor(asked / 3));
  assert.ok(counted.examples.length <= 3 && counted.examples.every((text) => text === 'one'));
});

inventions.run();
