import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deferred } from '../../daemon/deferred.ts';
import type { Recognition, Utterance } from '../../daemon/events.ts';
import { Fault } from '../../daemon/faults.ts';
import { recentFaults } from '../../daemon/recent-faults.ts';
import { selfTest } from '../../daemon/self-test.ts';
import { fold, initialStatus } from '../../daemon/status.ts';
import { everyEvent } from '../every-event.ts';
import { faultOf } from '../faults.ts';
import { demoDir } from '../fixtures/demo.ts';

const test = suite('daemon/self-test');
const recording = { file: path.join(demoDir, 'lights.wav'), text: 'dim the bedroom lights' };
const well = [everyEvent.microphone, everyEvent.broker].reduce(fold, initialStatus);

const testWith = (transcribe: (utterance: Utterance) => Promise<Pick<Recognition, 'text'>>, status = well) =>
  selfTest({
    recording,
    recognizer: { transcribe: transcribe as (utterance: Utterance) => Promise<Recognition> },
    status: () => status,
  });

test('passes what is nearly the words, in any writing, and nothing else', async () => {
  const asked: Utterance[] = [];
  const verdict = async (text: string) =>
    (
      await testWith(async (utterance) => {
        asked.push(utterance);
        return { text };
      })()
    ).passed;
  assert.equal(
    await Promise.all(
      ['dim the bedroom lights', ' Dim the bedroom light.', 'turn up the volume', ''].map(verdict),
    ),
    [true, true, false, false],
  );
  assert.ok((asked[0]?.samples.length ?? 0) > 16_000 && asked[0]?.language === 'en');
});

test('says which part is not well', async () => {
  const words = async () => ({ text: recording.text });
  assert.ok((await testWith(words)()).passed);
  const muted = await testWith(words, fold(initialStatus, everyEvent.mute))();
  assert.equal([muted.microphone.passed, muted.broker.passed, muted.passed], [true, false, false]);
  const deaf = await testWith(words, fold(well, { ...everyEvent.microphone, state: 'lost' }))();
  assert.equal(
    [deaf.microphone, deaf.recognizer.passed, deaf.passed],
    [{ passed: false, state: 'lost', device: 'default', levelDbfs: null }, true, false],
  );
  const dead = await testWith(() => Promise.reject(new Fault('RECOGNIZER_CRASHED', 'gone', '')))();
  assert.equal([dead.recognizer.error, dead.recognizer.heard], ['RECOGNIZER_CRASHED: gone', null]);
});

test('runs once at a time, and again after it has failed', async () => {
  const held = deferred<Pick<Recognition, 'text'>>();
  const run = testWith(() => held.promise);
  const first = run();
  assert.is((await faultOf(run)).code, 'COMMAND_BUSY');
  held.resolve({ text: recording.text });
  assert.ok((await first).passed && (await run()).passed);
  const missing = selfTest({
    recording: { ...recording, file: '/nonexistent.wav' },
    recognizer: { transcribe: () => Promise.reject(new Error('never asked')) },
    status: () => well,
  });
  assert.is((await faultOf(missing)).code, 'INPUT_MISSING');
  assert.is((await faultOf(missing)).code, 'INPUT_MISSING');
});

test('the last faults are remembered, fifty of them, and nothing that was said', () => {
  const faults = recentFaults();
  for (const event of Object.values(everyEvent)) faults.publish(event);
  assert.equal(
    faults.list().map(({ code, message }) => [code, message]),
    [
      ['BROKER_UNREACHABLE', 'gone'],
      [null, 'back'],
    ],
  );
  for (let i = 0; i < 60; i++) faults.publish({ ...everyEvent.fault, message: String(i) });
  assert.equal([faults.list().length, faults.list()[0]?.message], [50, '10']);
});

test.run();
