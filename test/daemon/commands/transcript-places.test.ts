import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { placeTranscripts } from '../../../daemon/commands/transcript-places.ts';
import { Fault } from '../../../daemon/faults.ts';

const test = suite('places of transcripts');
let folder: string;
test.before.each(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'harkd-places-'));
});
test.after.each(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => path.join(folder, name);
function refusal(files: readonly string[], output: string): Fault {
  try {
    placeTranscripts(files, output, 'srt');
  } catch (thrown) {
    assert.instance(thrown, Fault);
    return thrown as Fault;
  }
  throw new Error(`${files} were placed at ${output}`);
}

test('a file for one, a folder for several, named after their inputs', () => {
  assert.equal([...placeTranscripts(['a/talk.wav'], at('x.srt'), 'srt')], [['a/talk.wav', at('x.srt')]]);
  const several = placeTranscripts(['a/talk.wav', 'b/note.mp3'], at('new/deep'), 'text');
  assert.equal([...several.values()], [at('new/deep/talk.txt'), at('new/deep/note.txt')]);
  assert.ok(existsSync(at('new/deep')));
  assert.equal([...placeTranscripts(['talk.wav'], folder, 'vtt').values()], [at('talk.vtt')]);
  assert.equal(
    [...placeTranscripts(['talk.wav'], `${at('other')}/`, 'json').values()],
    [at('other/talk.json')],
  );
});

test('nothing that is there or wanted is overwritten', () => {
  const input = at('talk.wav');
  writeFileSync(input, '');
  assert.match(refusal([input], input).message, /would overwrite the input/);
  assert.match(
    refusal(['a/talk.wav', 'b/talk.mp3'], at('out')).message,
    /would overwrite that of a\/talk\.wav/,
  );
  assert.match(refusal(['a.wav', 'b.wav'], input).message, /is a file, a folder for 2 files expected/);
  assert.match(refusal(['a.wav'], '/dev/null').message, /is a device or a pipe/);
  for (const fault of [refusal([input], input), refusal(['a.wav'], '/dev/null')]) {
    assert.is(fault.code, 'USAGE_INVALID');
  }
  assert.is(refusal(['a.wav', 'b.wav'], path.join(input, 'under')).code, 'OUTPUT_UNWRITABLE');
});

test.run();
