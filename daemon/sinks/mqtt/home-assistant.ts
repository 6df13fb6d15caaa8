/**
 * How harkd announces itself to Home Assistant: one device with its entities, in one retained message
 * (https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, Home Assistant 2024.11 and later).
 * Only what the daemon can do: an entity without a topic behind it would be a switch without a wire.
 */
import type { Offered } from '../../events.ts';
import { homeAssistantIdOf, type Topics } from '../../mqtt-contract.ts';

export type HomeAssistantDevice = {
  /** Of harkd. */
  readonly version: string;
  /** The board it runs on. */
  readonly model?: string | undefined;
  /** For the first time Home Assistant sees it. */
  readonly area?: string | undefined;
  /** What can be chosen at present. */
  readonly offered: Offered;
  /** The threshold of the detector cannot be set below this one. */
  readonly endThreshold: number;
  /** Whether somebody would start it again. */
  readonly canRestart: boolean;
};

type Component = {
  readonly platform: 'event' | 'sensor' | 'binary_sensor' | 'switch' | 'select' | 'number' | 'button';
  readonly name: string;
  /** Of all but buttons. */
  readonly state_topic?: string;
  readonly [option: string]: string | number | boolean | readonly string[];
};

/** Home Assistant takes states of at most 255 characters; the whole text is in the attributes. */
const stateCharacters = 250;
/** Longer than anybody speaks without a pause. Only for an OFF that was lost on its way, at QoS 0. */
const speechOffDelayS = 120;

/**
 * The payload of `<prefix>/device/<id>/config` for the daemon with these topics. Abbreviations of keys are for
 * firmware; full names can be read. A null in health is rendered as `None`, which Home Assistant shows as unknown.
 */
export function discoveryOf(base: string, topics: Topics, device: HomeAssistantDevice) {
  const id = homeAssistantIdOf(base);
  const components = Object.entries({
    ...componentsOf(topics),
    ...controlsOf(topics, device),
  }).map(([key, component]) => [
    key,
    {
      ...component,
      // said once for the whole device, older versions do not hand it down, and listen at QoS 0
      qos: 1,
      unique_id: `${id}_${key}`,
      // the same in every language, so that documentation and blueprints can name it
      default_entity_id: `${component.platform}.${objectIdOf(`${id}_${key}`)}`,
    },
  ]);
  return {
    device: {
      identifiers: [id],
      name: base.replaceAll('/', ' '),
      manufacturer: 'harkd',
      sw_version: device.version,
      ...(device.model === undefined ? {} : { model: device.model }),
      ...(device.area === undefined ? {} : { suggested_area: device.area }),
    },
    origin: { name: 'harkd', sw_version: device.version },
    availability: [{ topic: topics.status, payload_available: 'online', payload_not_available: 'offline' }],
    components: Object.fromEntries(components) as Readonly<Record<string, Component>>,
  };
}

/** Entity ids are made of a-z, 0-9 and single underscores. */
function objectIdOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_|_$/g, '');
}

function componentsOf(topics: Topics): Readonly<Record<string, Component>> {
  const diagnostic = { entity_category: 'diagnostic' } as const;
  const seldomWanted = { ...diagnostic, enabled_by_default: false } as const;
  /** A number of health. */
  const gauge = (name: string, value: string, unit?: string) =>
    ({
      platform: 'sensor',
      name,
      state_topic: topics.health,
      value_template: `{{ value_json.${value} }}`,
      state_class: 'measurement',
      ...(unit === undefined ? {} : { unit_of_measurement: unit }),
    }) as const;

  return {
    transcript: {
      platform: 'event',
      name: 'Transcript',
      icon: 'mdi:text-recognition',
      state_topic: topics.transcript,
      event_types: ['final'],
    },
    last_transcript: {
      platform: 'sensor',
      name: 'Last transcript',
      icon: 'mdi:comment-text-outline',
      state_topic: topics.transcript,
      value_template: `{{ value_json.text[:${stateCharacters}] }}`,
      json_attributes_topic: topics.transcript,
    },
    speech: {
      platform: 'binary_sensor',
      name: 'Speech',
      device_class: 'sound',
      state_topic: topics.speech,
      off_delay: speechOffDelayS,
    },
    mute: {
      platform: 'switch',
      name: 'Mute',
      icon: 'mdi:microphone-off',
      state_topic: topics.mute,
      command_topic: topics.muteSet,
      payload_on: 'ON',
      payload_off: 'OFF',
    },
    microphone: {
      platform: 'binary_sensor',
      name: 'Microphone',
      device_class: 'connectivity',
      state_topic: topics.health,
      // while it is tried again it is what it was (an empty rendering is ignored); of one that is closed nobody knows
      value_template:
        "{% set state = value_json.microphone.state %}{{ 'ON' if state == 'listening' else '' if state == 'opening' else 'None' if state in ['muted', 'closed'] else 'OFF' }}",
      ...diagnostic,
    },
    problem: {
      platform: 'binary_sensor',
      name: 'Problem',
      device_class: 'problem',
      state_topic: topics.health,
      value_template: "{{ 'ON' if value_json.faults else 'OFF' }}",
      json_attributes_topic: topics.health,
      json_attributes_template: "{{ {'faults': value_json.faults} | tojson }}",
      ...diagnostic,
    },
    throttled: {
      platform: 'binary_sensor',
      name: 'Throttled',
      device_class: 'problem',
      state_topic: topics.health,
      value_template:
        "{% set now = value_json.throttled.now %}{{ 'None' if now is none else 'ON' if now else 'OFF' }}",
      ...diagnostic,
    },
    cpu_temperature: {
      ...gauge('CPU temperature', 'cpuTempC', '°C'),
      device_class: 'temperature',
      ...diagnostic,
    },
    latency: {
      ...gauge('Latency', 'latencyMs.p50', 'ms'),
      device_class: 'duration',
      icon: 'mdi:timer-outline',
      ...diagnostic,
    },
    latency_p95: {
      ...gauge('Latency of the slowest 5 %', 'latencyMs.p95', 'ms'),
      device_class: 'duration',
      icon: 'mdi:timer-alert-outline',
      ...seldomWanted,
    },
    real_time_factor: {
      ...gauge('Real-time factor', 'rtf.p50'),
      icon: 'mdi:speedometer',
      suggested_display_precision: 2,
      ...diagnostic,
    },
    real_time_factor_p95: {
      ...gauge('Real-time factor of the slowest 5 %', 'rtf.p95'),
      icon: 'mdi:speedometer-slow',
      suggested_display_precision: 2,
      ...seldomWanted,
    },
    dropped: {
      ...gauge('Dropped', 'queue.dropped + value_json.mqtt.outboxDropped'),
      // starts again at 0 with the daemon
      state_class: 'total_increasing',
      icon: 'mdi:comment-remove-outline',
      ...diagnostic,
    },
    started: {
      platform: 'sensor',
      name: 'Started',
      device_class: 'timestamp',
      state_topic: topics.info,
      value_template: '{{ value_json.startedAt }}',
      ...diagnostic,
    },
    model: {
      platform: 'sensor',
      name: 'Model',
      icon: 'mdi:brain',
      state_topic: topics.info,
      value_template: '{{ value_json.model.name }}',
      ...diagnostic,
    },
    provider: {
      platform: 'sensor',
      name: 'Provider',
      icon: 'mdi:chip',
      state_topic: topics.info,
      value_template: '{{ value_json.provider.active }}',
      ...diagnostic,
    },
    queue: {
      ...gauge('Waiting speech', 'queue.depthS', 's'),
      device_class: 'duration',
      icon: 'mdi:tray-full',
      ...seldomWanted,
    },
    waiting: {
      ...gauge('Transcripts waiting for the broker', 'mqtt.outbox'),
      icon: 'mdi:tray-arrow-up',
      ...seldomWanted,
    },
    reconnects: {
      ...gauge('Broker reconnects', 'mqtt.reconnects'),
      state_class: 'total_increasing',
      icon: 'mdi:lan-disconnect',
      ...seldomWanted,
    },
    overruns: {
      ...gauge('Lost sound', 'microphone.overruns'),
      state_class: 'total_increasing',
      icon: 'mdi:microphone-question',
      ...seldomWanted,
    },
    recognizer_restarts: {
      ...gauge('Recognizer restarts', 'recognizer.restarts'),
      state_class: 'total_increasing',
      icon: 'mdi:restart-alert',
      ...seldomWanted,
    },
    memory: { ...gauge('Memory', 'rssMb', 'MB'), device_class: 'data_size', ...seldomWanted },
    load: { ...gauge('Load', 'load'), icon: 'mdi:gauge', ...seldomWanted },
    level: { ...gauge('Level', 'microphone.levelDbfs', 'dBFS'), icon: 'mdi:waveform', ...seldomWanted },
  };
}

/** What can be changed and asked for. */
function controlsOf(
  topics: Topics,
  { offered, endThreshold, canRestart }: HomeAssistantDevice,
): Readonly<Record<string, Component>> {
  const config = { entity_category: 'config' } as const;
  const option = (path: string) => ({
    state_topic: topics.info,
    value_template: `{{ value_json.config.${path} }}`,
    command_topic: `${topics.request}options`,
  });
  const request = (command: string) => ({
    platform: 'button' as const,
    command_topic: `${topics.request}${command}`,
    payload_press: '{}',
  });

  return {
    language: {
      platform: 'select',
      name: 'Language',
      icon: 'mdi:translate',
      state_topic: topics.language,
      command_topic: topics.languageSet,
      options: offered.language,
      ...config,
    },
    // `model` and `microphone` are what works at present: a sensor, and whether it is connected
    speech_model: {
      platform: 'select',
      name: 'Speech model',
      icon: 'mdi:brain',
      state_topic: topics.model,
      command_topic: topics.modelSet,
      options: offered.model,
      ...config,
    },
    microphone_device: {
      platform: 'select',
      name: 'Microphone device',
      icon: 'mdi:microphone-settings',
      state_topic: topics.microphone,
      command_topic: topics.microphoneSet,
      options: offered.microphone,
      ...config,
    },
    vad_threshold: {
      platform: 'number',
      name: 'Speech threshold',
      icon: 'mdi:account-voice',
      ...option('vad.threshold'),
      command_template: "{{ {'options': {'vad': {'threshold': value}}} | tojson }}",
      min: endThreshold,
      max: 0.95,
      step: 0.01,
      mode: 'slider',
      ...config,
    },
    hangover: {
      platform: 'number',
      name: 'Silence that ends an utterance',
      icon: 'mdi:timer-pause-outline',
      ...option('vad.hangoverMs'),
      command_template: "{{ {'options': {'vad': {'hangoverMs': value | int}}} | tojson }}",
      unit_of_measurement: 'ms',
      min: 100,
      max: 5000,
      step: 50,
      mode: 'box',
      ...config,
    },
    ...(canRestart
      ? { restart: { ...request('restart'), name: 'Restart', device_class: 'restart', ...config } }
      : {}),
    reload: {
      ...request('reload'),
      name: 'Reload configuration',
      icon: 'mdi:file-refresh-outline',
      ...config,
    },
    self_test: {
      ...request('self-test'),
      name: 'Self-test',
      icon: 'mdi:stethoscope',
      entity_category: 'diagnostic',
    },
    self_test_failed: {
      platform: 'binary_sensor',
      name: 'Self-test failed',
      device_class: 'problem',
      state_topic: `${topics.response}self-test`,
      // an empty rendering is ignored: one that could not be made says nothing
      value_template: "{{ '' if value_json.status != 'ok' else 'OFF' if value_json.data.passed else 'ON' }}",
      json_attributes_topic: `${topics.response}self-test`,
      json_attributes_template: '{{ value_json.data | tojson }}',
      entity_category: 'diagnostic',
    },
  };
}
