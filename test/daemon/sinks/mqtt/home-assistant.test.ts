import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../../../daemon/config/config.ts';
import { discoveryTopicOf, homeAssistantIdOf, topicsOf } from '../../../../daemon/mqtt-contract.ts';
import { discoveryOf } from '../../../../daemon/sinks/mqtt/home-assistant.ts';
import { publicationsFor } from '../../../../daemon/sinks/mqtt/publications.ts';
import { infoPayload, initialStatus } from '../../../../daemon/status.ts';
import { healthOf, transcriptOf } from '../../../fixtures/daemon-events.ts';
import { fullestDevice, leastDevice } from '../../../fixtures/home-assistant.ts';
import { jinjaMissing, render } from '../../../fixtures/jinja.ts';
import { announceSkip } from '../../../skip.ts';

const root = path.join(import.meta.dirname, '../../../../..');
const schemaFile = path.join(root, 'test/fixtures/home-assistant-discovery.schema.json');
const validate = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync(schemaFile, 'utf8')));

const base = 'harkd/kitchen';
const topics = topicsOf(base);
const discovery = discoveryOf(base, topics, fullestDevice);
const components = Object.entries(discovery.components);

type Payload = ReturnType<typeof copy>;
const copy = () => JSON.parse(JSON.stringify(discovery));

/** What stands on a topic. `known`: with every number measured. */
function messageOn(topic: string, known: boolean): Record<string, unknown> {
  if (topic === topics.transcript) return { event_type: 'final', ...transcriptOf(1), replayed: false };
  if (topic === topics.health) {
    const measured = {
      rssMb: 182.4,
      cpuTempC: 61.2,
      throttled: { now: false, sinceBoot: true },
      rtf: { p50: 0.281, p95: 0.35 },
      latencyMs: { p50: 420, p95: 900 },
      queue: { depthS: 1.5, oldestMs: 10, dropped: 2 },
    };
    const health = known ? healthOf(measured) : { ...healthOf(), load: null, rssMb: null };
    const microphone = known ? health.microphone : { ...health.microphone, levelDbfs: null };
    return { ...health, microphone, mqtt: { reconnects: 1, outbox: 3, outboxDropped: 4 } };
  }
  if (topic === `${topics.response}self-test`)
    return { status: known ? 'ok' : 'error', data: { passed: known } };
  if (topic === topics.info) {
    const config = loadConfig({ environment: {}, machine: { hostname: 'pi', cores: 4 } });
    const machine = { board: undefined, arch: 'arm64', cores: 4, memoryMb: 4000, node: 'v20' };
    const startedAtMs = Date.UTC(2026, 10, 22, 7, 30);
    const info = infoPayload(initialStatus, { version: '1.2.3', startedAtMs, machine, config });
    return known ? { ...info, provider: { ...info.provider, active: 'cpu' } } : info;
  }
  throw new Error(`nothing in JSON on ${topic}`);
}

const test = suite('daemon/sinks/mqtt/home-assistant');

test('the payload follows the rules of Home Assistant, in its least and its fullest form', () => {
  const least = discoveryOf('harkd/küche 2', topicsOf('harkd/küche 2'), leastDevice);
  for (const payload of [discovery, least]) {
    assert.ok(validate(JSON.parse(JSON.stringify(payload))), JSON.stringify(validate.errors, undefined, 2));
  }
  assert.is(discovery.device.suggested_area, 'Kitchen');
  assert.not('suggested_area' in least.device);
  assert.ok(JSON.stringify(discovery).length < 16_384, 'brokers for small devices take no more');
});

test('the rules are rules: what breaks one is refused', () => {
  const broken: Record<string, (payload: Payload) => void> = {
    'no device': (p) => delete p.device,
    'no origin': (p) => delete p.origin,
    'no name of the origin': (p) => delete p.origin.name,
    'support at no address': (p) => (p.origin.support_url = 'harkd.example'),
    'nothing that identifies': (p) => delete p.device.identifiers,
    'no components': (p) => (p.components = {}),
    'a component without platform': (p) => delete p.components.speech.platform,
    'a component that is listened to at QoS 0 by older versions': (p) => delete p.components.speech.qos,
    'a component without unique_id': (p) => delete p.components.speech.unique_id,
    'a device of a component': (p) => (p.components.speech.device = p.device),
    'a key with a slash': (p) => (p.components['a/b'] = p.components.speech),
    'an id with a dot': (p) => (p.components.speech.unique_id = 'a.b'),
    'an entity id of another platform': (p) => (p.components.speech.default_entity_id = 'sensor.a'),
    'an entity id in capitals': (p) => (p.components.speech.default_entity_id = 'binary_sensor.A'),
    'an event without types': (p) => delete p.components.transcript.event_types,
    'a retained event': (p) => (p.components.transcript.retain = true),
    'a switch without a command': (p) => delete p.components.mute.command_topic,
    'a retained command': (p) => (p.components.mute.retain = true),
    'a sensor without a topic': (p) => delete p.components.level.state_topic,
    'a wildcard in a topic': (p) => (p.components.level.state_topic = 'harkd/+/health'),
    'an expiry beside a retained state': (p) => (p.components.level.expire_after = 90),
    'degrees of nothing': (p) => (p.components.cpu_temperature.unit_of_measurement = 'degrees'),
    'a timestamp that is measured': (p) => (p.components.started.state_class = 'measurement'),
    'a unit without a number': (p) => delete p.components.level.state_class,
    'a sensor that can be set': (p) => (p.components.level.entity_category = 'config'),
    'a select without options': (p) => (p.components.language.options = []),
    'an option twice': (p) => (p.components.language.options = ['en', 'en']),
    'a select that shows nothing': (p) => delete p.components.speech_model.state_topic,
    'a number without bounds': (p) => delete p.components.vad_threshold.max,
    'a button that presses nothing': (p) => delete p.components.restart.command_topic,
    'a button with a state': (p) => (p.components.restart.state_topic = 'a/b'),
    'an availability without a topic': (p) => delete p.availability[0].topic,
    'an abbreviation': (p) => (p.components.level.stat_t = 'a'),
  };
  for (const [what, breakIt] of Object.entries(broken)) {
    const payload = copy();
    breakIt(payload);
    assert.not(validate(payload), what);
  }
});

test('every id is there once, and two daemons share none', () => {
  const other = discoveryOf('harkd/kitchen-2', topicsOf('harkd/kitchen-2'), fullestDevice);
  const ids = [discovery, other].flatMap((payload) =>
    Object.values(payload.components).flatMap((c) => [c['unique_id'], c['default_entity_id']]),
  );
  assert.is(new Set(ids).size, ids.length);
  assert.is(components.length * 4, ids.length);
  assert.is(discoveryTopicOf('homeassistant', base), 'homeassistant/device/harkd_kitchen/config');
  const bases = ['harkd/a', 'harkd/ä', 'harkd/ö', 'harkd/日本', 'harkd/中国', 'harkd/a b', 'harkd/a.b'];
  assert.is(new Set(bases.map(homeAssistantIdOf)).size, bases.length);
  for (const name of bases) assert.match(homeAssistantIdOf(name), /^[a-zA-Z0-9_-]+$/);
});

test('every topic is one on which the daemon speaks or listens', () => {
  const make = publicationsFor(topics, 'boot');
  const settings = { language: 'auto', model: 'embedded', microphone: 'default' };
  const entry = { id: 'a', createdAtMs: 0, bootId: 'boot', body: JSON.stringify(transcriptOf(1)) };
  const health = { ...healthOf(), mqtt: { reconnects: 0, outbox: 0, outboxDropped: 0 } };
  const spoken = [
    make.status('online'),
    make.info({}),
    make.health(health, 90),
    ...make.transcript(entry, false),
    make.speech(true),
    make.mute(true),
    make.language(settings),
    make.model(settings),
    make.microphone(settings),
    make.answer('self-test', { status: 'ok', data: {} }, undefined),
  ];
  const heard: string[] = [
    ...[topics.muteSet, topics.languageSet, topics.modelSet, topics.microphoneSet],
    ...['options', 'restart', 'reload', 'self-test'].map((name) => topics.request + name),
  ];
  for (const [key, component] of components) {
    if ('command_topic' in component) assert.ok(heard.includes(String(component['command_topic'])), key);
    if (component.platform === 'button') continue;
    const sent = spoken.find(({ topic }) => topic === component.state_topic);
    assert.ok(sent !== undefined, `${key}: nobody speaks on ${component.state_topic}`);
    if (component.platform === 'event') assert.not(sent.retain, key);
  }
  assert.equal(
    discovery.availability.map(({ topic }) => topic),
    [topics.status],
  );
});

test('every field a template asks for is in the message', () => {
  let fields = 0;
  for (const [key, component] of components) {
    for (const [option, template] of Object.entries(component)) {
      if (!option.endsWith('template')) continue;
      for (const [, dotted = ''] of String(template).matchAll(/value_json\.([A-Za-z0-9.]+)/g)) {
        fields += 1;
        let value: unknown = messageOn(component.state_topic ?? '', true);
        for (const name of dotted.split('.')) {
          assert.ok(Object.hasOwn(value as object, name), `${key}: no ${dotted} in ${component.state_topic}`);
          value = (value as Record<string, unknown>)[name];
        }
      }
    }
  }
  assert.ok(fields >= 20, `only ${fields}`);
});

if (jinjaMissing !== undefined) {
  announceSkip('templates rendered by jinja', jinjaMissing);
} else {
  const valueTemplate = (key: string) => String(discovery.components[key]?.['value_template']);

  test('templates give what was measured, and None for what was not', () => {
    const templated = components.filter(([, component]) => 'value_template' in component);
    const rendered = (known: boolean) => {
      const texts = render(
        templated.map(([, component]) => [
          String(component['value_template']),
          { value_json: messageOn(component.state_topic ?? '', known) },
        ]),
      );
      return Object.fromEntries(templated.map(([key], i) => [key, texts[i]]));
    };
    assert.equal(rendered(true), {
      last_transcript: 'sentence 1',
      microphone: 'ON',
      problem: 'OFF',
      throttled: 'OFF',
      cpu_temperature: '61.2',
      latency: '420',
      latency_p95: '900',
      real_time_factor: '0.281',
      real_time_factor_p95: '0.35',
      dropped: '6',
      started: '2026-11-22T07:30:00.000Z',
      model: 'embedded',
      provider: 'cpu',
      queue: '1.5',
      waiting: '3',
      reconnects: '1',
      overruns: '0',
      recognizer_restarts: '0',
      memory: '182.4',
      load: '0.4',
      level: '-50',
      vad_threshold: '0.5',
      hangover: '600',
      self_test_failed: 'OFF',
    });
    const unknown = Object.entries(rendered(false)).filter(([, text]) => text === 'None');
    assert.equal(
      unknown.map(([key]) => key),
      [
        'throttled',
        'cpu_temperature',
        'latency',
        'latency_p95',
        'real_time_factor',
        'real_time_factor_p95',
        'provider',
        'memory',
        'load',
        'level',
      ],
    );
  });

  test('a microphone that is tried again stays what it was; of one that is muted nobody knows', () => {
    const states = { listening: 'ON', lost: 'OFF', ended: 'OFF', opening: '', muted: 'None', closed: 'None' };
    const jobs = Object.keys(states).map(
      (state) => [valueTemplate('microphone'), { value_json: { microphone: { state } } }] as const,
    );
    assert.equal(render(jobs), Object.values(states));
  });

  test('a number becomes an option, and a self-test that could not be made is none that failed', () => {
    const commandOf = (key: string) => String(discovery.components[key]?.['command_template']);
    const test = (message: object) => [valueTemplate('self_test_failed'), { value_json: message }] as const;
    const texts = render([
      [commandOf('vad_threshold'), { value: 0.57 }],
      [commandOf('hangover'), { value: 800.0 }],
      test({ status: 'ok', data: { passed: false } }),
      test({ status: 'error', data: { code: 'COMMAND_BUSY' } }),
    ]);
    assert.equal(JSON.parse(texts[0] ?? ''), { options: { vad: { threshold: 0.57 } } });
    assert.equal(JSON.parse(texts[1] ?? ''), { options: { vad: { hangoverMs: 800 } } });
    assert.equal(texts.slice(2), ['ON', '']);
  });

  test('a fault is a problem, with its words in the attributes', () => {
    const faults = [
      { component: 'microphone', code: 'MICROPHONE_LOST', message: 'it\'s "gone" <b>', hint: 'plug it in' },
    ];
    const { problem } = discovery.components;
    const variables = { value_json: { faults } };
    const [state, attributes] = render([
      [valueTemplate('problem'), variables],
      [String(problem?.['json_attributes_template']), variables],
    ]);
    assert.is(state, 'ON');
    assert.equal(JSON.parse(attributes ?? ''), { faults });
  });

  test('a long transcript is cut to what a state may be, by characters and not by bytes', () => {
    const text = 'Zwölf Äpfel 🍎 '.repeat(40);
    const [state = ''] = render([[valueTemplate('last_transcript'), { value_json: { text } }]]);
    assert.is([...state].length, 250);
    assert.ok(text.startsWith(state));
  });
}

test.run();
