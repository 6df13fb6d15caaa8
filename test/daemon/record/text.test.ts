import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OutputFormat } from '../../../daemon/formats.ts';
import type { RecordRange } from '../../../daemon/record/reader.ts';
import { recordText } from '../../../daemon/record/text.ts';
import { recordRig, saidAt } from '../../fixtures/record.ts';

const test = suite<{ directory: string }>('daemon/record/text');

const startMs = Date.UTC(2026, 10, 22, 18, 30);
const said = [
  saidAt(1, startMs + 10_000, 'turn on the lamp'),
  saidAt(2, startMs + 20_000, 'a --> b & c'),
  saidAt(3, startMs + 86_400_000, 'good evening'),
];

test.before(async (world) => {
  world.directory = mkdtempSync(path.join(tmpdir(), 'harkd-record-'));
  const { record } = recordRig(world.directory, startMs);
  for (const transcript of said) record.append(transcript);
  await record.close();
});
test.after(({ directory }) => rmSync(directory, { recursive: true }));

async function written(directory: string, format: OutputFormat, range: RecordRange = {}): Promise<string> {
  let text = '';
  for await (const part of recordText({ directory, onDamage: () => undefined }, format, range)) text += part;
  return text;
}

test('json is one array, whatever is in it', async ({ directory }) => {
  const text = await written(directory, 'json');
  assert.equal(JSON.parse(text), said);
  // each on a line of its own, for those who read by lines
  assert.is(text.split('\n').length, said.length + 3);
  assert.is(await written(directory, 'json', { untilMs: startMs }), '[]\n');
  assert.equal(JSON.parse(await written(directory, 'json', { limit: 1 })), said.slice(-1));
});

test('subtitles count from the first of them, over midnight too', async ({ directory }) => {
  assert.is(
    await written(directory, 'srt'),
    '1\n00:00:00,000 --> 00:00:01,500\nturn on the lamp\n\n' +
      '2\n00:00:10,000 --> 00:00:11,500\na → b & c\n\n' +
      '3\n23:59:50,000 --> 23:59:51,500\ngood evening\n',
  );
});

test('subtitles count from the time that was asked for', async ({ directory }) => {
  assert.is(
    await written(directory, 'vtt', { sinceMs: startMs, untilMs: startMs + 60_000 }),
    'WEBVTT\n\n00:00:10.000 --> 00:00:11.500\nturn on the lamp\n\n' +
      '00:00:20.000 --> 00:00:21.500\na --&gt; b &amp; c\n',
  );
});

test('subtitles of nothing are a whole file too', async ({ directory }) => {
  assert.is(await written(directory, 'vtt', { untilMs: startMs }), 'WEBVTT\n');
  assert.is(await written(directory, 'srt', { untilMs: startMs }), '');
});

test('text has the time of this place', async ({ directory }) => {
  const at = new Date(startMs + 10_000);
  const [first = ''] = (await written(directory, 'text')).split('\n');
  const [, year, month, day, hours, minutes, seconds, text] =
    /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) {2}(.*)$/.exec(first) ?? [];
  const local = new Date(
    ...([
      Number(year),
      Number(month) - 1,
      Number(day),
      Number(hours),
      Number(minutes),
      Number(seconds),
    ] as const),
  );
  assert.is(local.getTime(), at.getTime());
  assert.is(text, 'turn on the lamp');
});

test.run();
