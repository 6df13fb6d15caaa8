import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Choices, choicesFile, chosen, stillChosen, withChoices } from '../../daemon/choices.ts';
import { loadConfig } from '../../daemon/config/config.ts';
import { Fault } from '../../daemon/faults.ts';

const test = suite('daemon/choices');
const folder = mkdtempSync(path.join(tmpdir(), 'harkd-choices-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const machine = { hostname: 'pi', cores: 4 };
const configured = loadConfig({ environment: {}, machine });
const choices: Choices = {
  language: { value: 'de', over: 'auto' },
  'vad.threshold': { value: 0.6, over: 0.5 },
  beamSize: { value: 4, over: null },
};

test('a choice counts for as long as the configuration says what it said then', () => {
  assert.equal(stillChosen(configured, choices), choices);
  const config = withChoices(configured, choices);
  assert.equal([config.language, config.vad.threshold, config.beamSize], ['de', 0.6, 4]);
  const changed = loadConfig({ environment: { HARKD_LANGUAGE: 'en', HARKD_BEAM_SIZE: '2' }, machine });
  assert.equal(Object.keys(stillChosen(changed, choices)), ['vad.threshold']);
});

test('what is set back to what is configured is no choice any more', () => {
  const back = loadConfig({ environment: { HARKD_VAD_THRESHOLD: '0.7' }, machine });
  const keys = ['language', 'vad.threshold'];
  const now = chosen(choices, configured, back, keys);
  assert.equal(now, { 'vad.threshold': { value: 0.7, over: 0.5 }, beamSize: { value: 4, over: null } });
});

test('nothing in the file is trusted', () => {
  const hostile = JSON.parse(
    '{"site":{"value":"x","over":"pi"},"mqtt.url":{"value":"mqtt://evil","over":"embedded"},"language":7,"model":null,"__proto__":{"value":1}}',
  );
  assert.equal(stillChosen(configured, hostile), {});
  const wrong = stillChosen(configured, { language: { value: 'klingon', over: 'auto' } });
  assert.throws(
    () => withChoices(configured, wrong),
    (thrown: unknown) => thrown instanceof Fault && thrown.code === 'CONFIG_INVALID',
  );
});

test('what is written is read again; a file that is none, or cannot be written, is said and no more', async () => {
  const warnings: string[] = [];
  const at = (file: string) => choicesFile(path.join(folder, file), (message) => warnings.push(message));
  assert.equal(at('new/choices.json').read(), {});
  await at('new/choices.json').write(choices);
  assert.equal(at('new/choices.json').read(), choices);
  assert.equal(warnings, []);
  for (const text of ['{"language":', '"text"', 'null', '[]', '']) {
    writeFileSync(path.join(folder, 'bad.json'), text);
    assert.equal(Object.keys(stillChosen(configured, at('bad.json').read())), [], text);
  }
  assert.is(warnings.length, 2, 'two of them are not JSON');
  for (const impossible of [path.join(folder, 'bad.json/choices.json'), '/proc/harkd/choices.json']) {
    const said = warnings.length;
    await choicesFile(impossible, (message) => warnings.push(message)).write(choices);
    assert.match(warnings[said] ?? '', /holds until the next start only/);
  }
});

test.run();
