import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Config, loadConfig } from '../../../daemon/config/config.ts';
import {
  differences,
  effectOf,
  liveKeys,
  merged,
  optionKeys,
  patched,
  selected,
} from '../../../daemon/config/live.ts';
import { leaves } from '../../../daemon/config/schema.ts';
import { Fault } from '../../../daemon/faults.ts';

const test = suite('daemon/config/live');
const environment = { HARKD_MQTT_USERNAME: 'harkd', HARKD_MQTT_PASSWORD: 'secret' };
const config = loadConfig({ environment, machine: { hostname: 'pi', cores: 4 } });

function refused(patch: object, keys = optionKeys): string {
  try {
    patched(config, patch, keys, 'options');
  } catch (thrown) {
    assert.instance(thrown, Fault);
    assert.is((thrown as Fault).code, 'CONFIG_INVALID');
    return (thrown as Fault).message;
  }
  return assert.unreachable(`${JSON.stringify(patch)} was taken`) as never;
}

test('what can be changed is known by key or by section, and nothing of addresses and secrets is', () => {
  assert.is(effectOf('vad.threshold'), 'segment');
  assert.is(effectOf('recognizer.eager'), 'ahead');
  assert.is(effectOf('recognizer.deadlineMs'), undefined);
  for (const { key, node } of leaves) {
    const section = key.split('.')[0] ?? '';
    if (node.writeOnly || ['mqtt', 'http', 'stateDir', 'log', 'outbox'].includes(section)) {
      assert.not(liveKeys.includes(key), key);
    }
  }
  assert.ok(
    optionKeys.includes('keyTerms') && !optionKeys.includes('model') && !optionKeys.includes('source'),
  );
});

test('a patch changes what it names and nothing else', () => {
  const next = patched(config, { vad: { threshold: 0.6 }, keyTerms: ['Anna'] }, optionKeys, 'options');
  assert.equal(differences(config, next), ['keyTerms', 'vad.threshold']);
  assert.is(next.mqtt.password, 'secret');
  assert.is(next.vad.hangoverMs, config.vad.hangoverMs);
  assert.is(next.partials, config.partials, 'what is as it was is the same object');
  assert.is(config.vad.threshold, 0.5, 'the one before is as it was');
  assert.equal(patched(config, {}, optionKeys, 'options'), config);
  assert.equal(patched(config, { language: null }, optionKeys, 'options'), config);
  assert.equal(differences(next, merged(next, config, ['keyTerms'])), ['keyTerms']);
  assert.is(JSON.stringify(selected(next, ['vad.threshold'])), '{"vad":{"threshold":0.6}}');
});

test('every problem of a patch is told, by its key', () => {
  const text = refused({
    vad: { threshold: 2, treshold: 1 },
    language: 7,
    mqtt: { password: 'x' },
    site: 'a',
  });
  for (const part of [
    'vad.threshold is 2',
    'did you mean vad.threshold',
    'language is 7',
    'mqtt.password',
    'site',
  ]) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
  assert.not.match(text, 'secret');
  assert.match(refused({ vad: { endThreshold: 0.9 } }), /at most vad.threshold/);
  assert.match(refused({ languages: ['de'], language: 'en' }), /one of languages/);
  assert.match(refused({ model: 'tiny' }), /model is "tiny", expected one of language/);
  for (const hostile of [
    '{"vad":[]}',
    '{"vad":"x"}',
    '{"vad":{"__proto__":{"threshold":1}}}',
    '{"__proto__":{"a":1}}',
  ]) {
    refused(JSON.parse(hostile));
  }
  assert.is(({} as { threshold?: number }).threshold, undefined);
});

test('a configuration that is shared cannot be written to', () => {
  const next: Config = patched(config, { vad: { threshold: 0.6 } }, optionKeys, 'options');
  assert.throws(() => Object.assign(next.vad, { threshold: 0.1 }));
  assert.throws(() => Object.assign(next, { site: 'x' }));
});

test.run();
