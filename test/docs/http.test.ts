import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { captionSettings } from '../../daemon/sinks/http/page/settings.ts';
import { everyEvent } from '../every-event.ts';
import { ask, httpRig, listenToStream, wellEvents } from '../fixtures/http.ts';
import { docsDir } from './configuration-page.ts';

const page = readFileSync(path.join(docsDir, 'http.md'), 'utf8');
const section = (title: string): string => page.split(/^##+ /m).find((text) => text.startsWith(title)) ?? '';
const rowsOf = (text: string): string[][] =>
  [...text.matchAll(/^\| `(.*)\|$/gm)].map(([, row = '']) =>
    `\`${row}`.split(/ *\| */).map((cell) => cell.trim()),
  );
const bare = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');

const test = suite('docs/http.md');

test('lists the paths there are', async () => {
  const rig = await httpRig({ readRecord: async function* () {} });
  const paths = rowsOf(page.split('\n## ')[0] ?? '').map(([cell]) => bare(cell));
  assert.equal(paths, [
    ...['/', '/status', '/events', '/metrics', '/healthz'],
    ...['/transcripts.json', '/transcripts.srt', '/transcripts.vtt', 'POST /mute'],
  ]);
  for (const target of paths) {
    const [method, name] = target.startsWith('POST ') ? ['POST', target.slice(5)] : ['HEAD', target];
    assert.not.equal([404, 405].includes((await ask(rig.sink.port, name, { method })).status), true, target);
  }
  await rig.sink.close(0);
});

test('lists the metrics there are, with their types', async () => {
  const rig = await httpRig();
  rig.tell(...wellEvents, ...Object.values(everyEvent));
  const { text } = await ask(rig.sink.port, '/metrics');
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const listed = rowsOf(section('Metrics')).map(([name, type]) => `${bare(name)} ${type}`);
  assert.equal(listed.toSorted(), types.toSorted());
  await rig.sink.close(0);
});

test('lists the events there are', async () => {
  const rig = await httpRig({ beatMs: 20 });
  const listening = await listenToStream(rig.sink.port);
  rig.tell(...wellEvents, ...Object.values(everyEvent));
  await listening.until('final', 1);
  await listening.until('beat', 1);
  const kinds = new Set(listening.all.map(({ kind }) => kind));
  assert.equal(
    rowsOf(section('Events'))
      .map(([kind]) => bare(kind))
      .toSorted(),
    [...kinds].toSorted(),
  );
  listening.close();
  await rig.sink.close(0);
});

test('knows the defaults of the captions page', () => {
  const defaults = new Map(rowsOf(section('Captions')).map(([name, , value]) => [bare(name), bare(value)]));
  assert.equal([...defaults.keys()], ['lines', 'size', 'theme', 'hold', 'token']);
  const usual = captionSettings(new URLSearchParams());
  assert.is(defaults.get('lines'), String(usual.lines));
  assert.is(defaults.get('theme'), usual.theme);
  assert.is(captionSettings(new URLSearchParams({ hold: defaults.get('hold') ?? '' })).holdMs, usual.holdMs);
  assert.is(captionSettings(new URLSearchParams({ hold: '1ms' })).holdMs, 1);
});

test('shows pictures that exist', () => {
  const pictures = [...page.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, file = '']) => file);
  assert.ok(pictures.length >= 6);
  for (const file of pictures) assert.ok(existsSync(path.join(docsDir, file)), file);
});

test.run();
