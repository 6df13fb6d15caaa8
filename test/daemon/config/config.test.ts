import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Ajv } from 'ajv';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { checkConfig, printConfig, printSchema } from '../../../daemon/commands/config.ts';
import {
  type Config,
  defaultPaths,
  hideSecrets,
  loadConfig,
  loadConfigFrom,
} from '../../../daemon/config/config.ts';
import type { Problem } from '../../../daemon/config/problems.ts';
import { leaves, nodeAt, schema, schemaText, variableOf } from '../../../daemon/config/schema.ts';
import { Fault } from '../../../daemon/faults.ts';
import { readSources } from '../../sources.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-config-'));
const machine = { hostname: 'Pi4.local', cores: 4 };
let fileCount = 0;

function write(text: string): string {
  const file = path.join(folder, `config-${fileCount++}.yaml`);
  writeFileSync(file, text);
  return file;
}

function load(text: string, environment: Record<string, string> = {}): Config {
  return loadConfig({ path: write(text), environment, machine });
}

/** The fault of a configuration that must not load, and its problems. */
function refuse(
  text: string,
  environment: Record<string, string> = {},
): { fault: Fault; problems: Problem[] } {
  try {
    load(text, environment);
  } catch (thrown) {
    assert.instance(thrown, Fault);
    const fault = thrown as Fault;
    assert.is(fault.code, 'CONFIG_INVALID', fault.message);
    return { fault, problems: fault.cause as Problem[] };
  }
  return assert.unreachable('expected a fault') as never;
}

/** The type `Config` as a value: this file does not compile when a key is missing here or is of another type. */
type Shape<T> = [T] extends [number]
  ? 'number'
  : [T] extends [boolean]
    ? 'boolean'
    : [T] extends [readonly string[]]
      ? 'array'
      : [T] extends [string]
        ? string extends T
          ? 'string'
          : { readonly [Word in T]: true }
        : { readonly [Key in keyof T]-?: Shape<NonNullable<T[Key]>> };

const shape: Shape<Config> = {
  site: 'string',
  source: 'string',
  model: 'string',
  provider: 'string',
  threads: 'number',
  language: 'string',
  languages: 'array',
  task: { transcribe: true, translate: true },
  keyTerms: 'array',
  beamSize: 'number',
  hearAgain: 'boolean',
  stateDir: 'string',
  capture: { stallMs: 'number' },
  vad: {
    threshold: 'number',
    endThreshold: 'number',
    preRollMs: 'number',
    minSpeechMs: 'number',
    hangoverMs: 'number',
    maxSegmentS: 'number',
  },
  queue: { capacityS: 'number' },
  recognizer: {
    deadlineMs: 'number',
    loadDeadlineMs: 'number',
    attempts: 'number',
    unloadAfterS: 'number',
    eager: 'boolean',
  },
  partials: { enabled: 'boolean', intervalMs: 'number' },
  mqtt: {
    url: 'string',
    username: 'string',
    password: 'string',
    passwordFile: 'string',
    caFile: 'string',
    certFile: 'string',
    keyFile: 'string',
    serverName: 'string',
    clientId: 'string',
    baseTopic: 'string',
    healthIntervalS: 'number',
    keepaliveS: 'number',
    willDelayS: 'number',
    embeddedPort: 'number',
  },
  homeAssistant: { enabled: 'boolean', prefix: 'string', statusTopic: 'string', area: 'string' },
  hermes: { enabled: 'boolean', siteId: 'string' },
  homie: { enabled: 'boolean', prefix: 'string', id: 'string' },
  outbox: { durable: 'boolean', maxEntries: 'number', maxMib: 'number', maxAgeH: 'number' },
  record: { enabled: 'boolean', maxMib: 'number', maxAgeDays: 'number' },
  webhook: {
    url: 'string',
    preset: { json: true, rasa: true },
    headers: 'array',
    token: 'string',
    tokenFile: 'string',
    timeoutMs: 'number',
    maxAgeS: 'number',
    durable: 'boolean',
  },
  wyoming: { listen: 'string', allowLan: 'boolean' },
  http: { listen: 'string', token: 'string', tokenFile: 'string' },
  log: {
    level: { error: true, warn: true, info: true, debug: true },
    format: { auto: true, text: true, journal: true, json: true },
  },
};

function shapeOf(pathOfNode: readonly string[]): unknown {
  const node = nodeAt(pathOfNode);
  if (node?.properties !== undefined) {
    const entries = Object.keys(node.properties).map((name) => [name, shapeOf([...pathOfNode, name])]);
    return Object.fromEntries(entries);
  }
  if (node?.enum !== undefined) return Object.fromEntries(node.enum.map((word) => [word, true]));
  return node?.type === 'integer' ? 'number' : node?.type;
}

const schemaTest = suite('config.schema.json');

schemaTest('is what the type Config says', () => {
  assert.equal(shapeOf([]), shape);
});

schemaTest('is a valid JSON Schema, and strict about it', () => {
  const ajv = new Ajv({ strict: true });
  ajv.addVocabulary(['x-expected', 'x-default']);
  assert.ok(ajv.validateSchema(JSON.parse(schemaText)));
  ajv.compile(JSON.parse(schemaText));
});

schemaTest('describes every key and section, refuses unknown ones, and can say what each expects', () => {
  for (const { key, path: at, node } of leaves) {
    assert.ok(node.description.length > 15, `${key} needs a description`);
    assert.ok(node.default !== undefined || node['x-default'] !== undefined, `${key} needs a default`);
    assert.ok(at.length <= 2, `${key} is deeper than the code expects`);
    if (node.type === 'integer' || node.type === 'number') {
      assert.ok(node.minimum !== undefined && node.maximum !== undefined, `${key} needs bounds`);
    } else if (node.enum === undefined && node.pattern !== undefined) {
      assert.ok(node['x-expected'] !== undefined, `${key} needs its pattern in words`);
    }
    for (const section of [[], at.slice(0, -1)]) assert.is(nodeAt(section)?.additionalProperties, false);
  }
});

schemaTest('carries the unit of every number in its name', () => {
  const unitless = [
    'threads',
    'threshold',
    'endThreshold',
    'embeddedPort',
    'maxEntries',
    'attempts',
    'beamSize',
  ];
  for (const { path: at, node } of leaves) {
    const name = at.at(-1) ?? '';
    if (node.type === 'string' || node.type === 'boolean' || node.type === 'array' || unitless.includes(name))
      continue;
    assert.match(name, /(Ms|S|H|Days|Mib)$/);
  }
});

schemaTest('gives every key a variable of its own', () => {
  assert.is(variableOf(['mqtt', 'url']), 'HARKD_MQTT_URL');
  assert.is(variableOf(['vad', 'hangoverMs']), 'HARKD_VAD_HANGOVER_MS');
  assert.is(new Set(leaves.map((leaf) => leaf.variable)).size, leaves.length);
});

schemaTest('has no key that nothing reads', () => {
  const code = readSources(['daemon'])
    .filter(({ file }) => !/config-(schema|defaults|rules)\.ts$/.test(file))
    // the type names every key, so it proves nothing
    .map(({ code: text }) => text.replaceAll(/^ *readonly .*$/gm, ''))
    .join('\n');
  const [sections, names] = [leaves.map(({ path: at }) => at[0]), leaves.map(({ path: at }) => at.at(-1))];
  for (const name of new Set([...sections, ...names])) {
    // passed on with its whole section, or named by a part of its name: each has a test of its own
    if (name === 'stallMs' || name === 'tokenFile') continue;
    assert.match(code, new RegExp(`\\b${name}\\b`), `${name} is in the schema, but no code reads it`);
  }
});

schemaTest.run();

const loadTest = suite('config');

loadTest('is complete without any file', () => {
  const { config, path: file } = loadConfigFrom({ environment: { HOME: folder }, machine });
  assert.is(file, undefined);
  assert.is(config.site, 'pi4');
  assert.is(config.mqtt.url, 'embedded');
  assert.is(config.mqtt.clientId, 'harkd-pi4');
  assert.is(config.mqtt.baseTopic, 'harkd/pi4');
  assert.is(config.mqtt.password, undefined);
  assert.is(config.threads, 4);
  for (const { key, path: at, node } of leaves) {
    const value = at.reduce<unknown>((tree, name) => (tree as Record<string, unknown>)[name], config);
    if (node.default !== undefined) assert.equal(value, node.default, key);
    else if (node['x-default'] !== 'none') assert.ok(value !== undefined, key);
  }
});

loadTest('derives the site from the host name, as far as a topic allows', () => {
  const site = (hostname: string) => loadConfig({ environment: {}, machine: { hostname, cores: 1 } }).site;
  assert.is(site('Kitchen Pi.lan'), 'kitchen-pi');
  assert.is(site('localhost'), 'home');
  assert.is(site(''), 'home');
  assert.is(site('+/#'), 'home');
});

loadTest('takes lists from the file, from variables parted by commas, and from options', () => {
  const file = write('keyTerms: [Anna, living room]\nlanguages:\n  - en\n  - de\nbeamSize: 3\n');
  const config = loadConfig({ path: file, environment: {}, machine });
  assert.equal(config.keyTerms, ['Anna', 'living room']);
  assert.equal(config.languages, ['en', 'de']);
  assert.is(config.beamSize, 3);
  const environment = { HARKD_KEY_TERMS: 'Oskar, pantry ,', HARKD_LANGUAGES: 'fr' };
  const above = loadConfig({ path: file, environment, machine });
  assert.equal(above.keyTerms, ['Oskar', 'pantry']);
  assert.equal(above.languages, ['fr']);
  const overrides = { keyTerms: ['Marlowe'] };
  assert.equal(loadConfig({ path: file, environment, machine, overrides }).keyTerms, ['Marlowe']);

  const { problems } = refuse('keyTerms: [Anna, 7, ""]\nlanguages: english\nlanguage: de\n');
  assert.equal(
    problems.map(({ key, expected }) => [key, expected]),
    [
      ['languages', 'a list of language codes such as [en, de]'],
      ['keyTerms', 'a list of up to 1000 names and words'],
    ],
  );
  assert.match(problems[1]?.where ?? '', /:1$/);
  const apart = refuse('language: fr\nlanguages: [en, de]\n');
  assert.match(apart.fault.message, 'language is "fr", expected auto, or one of languages, which are en, de');
});

loadTest('puts the file above the defaults, variables above the file, options above both', () => {
  const text = 'site: attic\nvad: { threshold: 0.6, hangoverMs: 700 }\nmqtt:\n  url: mqtt://a\n';
  const environment = { HARKD_VAD_HANGOVER_MS: '800', HARKD_MQTT_URL: 'mqtt://b', HARKD_SITE: '' };
  const overrides = { mqtt: { url: 'mqtt://c', clientId: undefined }, source: undefined };
  const config = loadConfig({ path: write(text), environment, overrides, machine });
  assert.is(config.site, 'attic');
  assert.is(config.vad.threshold, 0.6);
  assert.is(config.vad.hangoverMs, 800);
  assert.is(config.vad.endThreshold, 0.35);
  assert.is(config.mqtt.url, 'mqtt://c');
  assert.is(config.mqtt.clientId, 'harkd-attic');
  assert.is(config.source, 'alsa');
});

loadTest('keeps the default of a key or section without a value', () => {
  const config = load('vad:\nmqtt:\n  url:\n  keepaliveS: 20\n');
  assert.is(config.vad.threshold, 0.5);
  assert.is(config.mqtt.url, 'embedded');
  assert.is(config.mqtt.keepaliveS, 20);
});

loadTest('state is kept where systemd, XDG or home have a place for it', () => {
  const stateDir = (environment: Record<string, string>) => load('', environment).stateDir;
  const XDG_STATE_HOME = '/home/a/state';
  assert.is(stateDir({ STATE_DIRECTORY: '/var/lib/harkd:/x', XDG_STATE_HOME }), '/var/lib/harkd');
  assert.is(stateDir({ XDG_STATE_HOME, HOME: '/home/a' }), '/home/a/state/harkd');
  assert.is(stateDir({ XDG_STATE_HOME: 'relative', HOME: '/home/a' }), '/home/a/.local/state/harkd');
  assert.is(load('stateDir: /srv/harkd', { XDG_STATE_HOME }).stateDir, '/srv/harkd');
});

loadTest('what waits for a broker elsewhere is kept on disk, unless it is said otherwise', () => {
  assert.is(load('').outbox.durable, false);
  assert.is(load('outbox: { durable: true }').outbox.durable, true);
  assert.is(load('mqtt: { url: mqtt://a }').outbox.durable, true);
  assert.is(load('mqtt: { url: mqtt://a }\noutbox: { durable: false }').outbox.durable, false);
});

loadTest('cannot be changed by whoever gets it', () => {
  const config = load('');
  assert.throws(() => {
    (config as { site: string }).site = 'x';
  }, /read only/);
  assert.throws(() => {
    (config.mqtt as { url: string }).url = 'x';
  }, /read only/);
});

loadTest('lists every problem with its place, value, expectation and hint', () => {
  const text = `site: Kitchen Sink
vad:
  treshold: 0.5
  endThreshold: high
  hangoverMs: 64.5
hangoverMs: 500
log: { level: loud }
capture: 5
mqtt:
  keepaliveS: 1
  password: 1234
`;
  const { fault, problems } = refuse(text, {
    HARKD_THREADS: 'many',
    HARKD_MQTT_ULR: 'x',
    HARKD_ZZZZZZZZ: '1',
  });
  const seen = problems.map(
    ({ where, key, got, hint }) => `${where.replace(/^.*yaml/, 'file')} ${key} ${got} ${hint}`,
  );
  assert.equal(seen.sort(), [
    'HARKD_THREADS threads "many" left out it is the number of cores, at most 4',
    'environment HARKD_MQTT_ULR no such variable did you mean HARKD_MQTT_URL?',
    'environment HARKD_ZZZZZZZZ no such variable unset it',
    'file:1 site "Kitchen Sink" left out it is the host name, as far as it is made of these characters, else home',
    'file:10 mqtt.keepaliveS 1 left out it is 30',
    'file:11 mqtt.password (hidden) put it in quotes',
    'file:3 vad.treshold no such key did you mean vad.threshold?',
    'file:4 vad.endThreshold "high" left out it is 0.35',
    'file:5 vad.hangoverMs 64.5 left out it is 600',
    'file:6 hangoverMs no such key did you mean vad.hangoverMs?',
    'file:7 log.level "loud" left out it is info',
    'file:8 capture 5 ',
  ]);
  assert.match(fault.message, /^12 problems in the configuration:\n/);
  assert.match(fault.message, /vad\.hangoverMs is 64\.5, expected a whole number from 100 to 5000/);
  assert.match(fault.message, /log\.level is "loud", expected one of error, warn, info, debug/);
  assert.match(fault.message, /capture is 5, expected a section/);
  assert.not.match(fault.message, /1234/);
  assert.is(fault.exitCode, 78);
});

loadTest('names the line and column of what is not YAML', () => {
  const { fault } = refuse('site: a\nvad: { threshold: 0.5\nmqtt:\n  url: x\n');
  assert.match(fault.message, /\.yaml:\d+:\d+: the file is not YAML/);
  assert.match(refuse('site: a\nsite: b\n').fault.message, /:2:1: .*unique/i);
  assert.match(refuse('- a\n- b\n').fault.message, /got a list/);
  assert.match(refuse('just words').fault.message, /got "just words"/);
  assert.match(refuse('site: *nowhere').fault.message, /nowhere/);
});

loadTest('checks keys that bind each other', () => {
  const message = (text: string) => refuse(text).fault.message;
  assert.match(
    message('vad: { threshold: 0.3 }'),
    /vad\.endThreshold is 0\.35, expected at most vad\.threshold/,
  );
  assert.match(
    message('vad: { minSpeechMs: 500, maxSegmentS: 2 }'),
    /vad\.minSpeechMs is 500, expected less than a fourth of vad\.maxSegmentS, which is 2/,
  );
  assert.match(message('mqtt: { password: x }'), /mqtt\.username is not set, expected a user name/);
  assert.match(
    message('mqtt: { username: u, password: x, passwordFile: /y }'),
    /mqtt\.passwordFile is "\/y", expected nothing beside mqtt\.password/,
  );
  assert.match(message('mqtt: { url: "mqtt://[bad" }'), /IPv6/);
  for (const [url, refused] of [
    ['mqtt://a', true],
    ['ws://a', true],
    ['mqtts://a', false],
    ['wss://a', false],
    ['embedded', false],
  ] as const) {
    const text = `mqtt: { url: "${url}", serverName: broker.test }`;
    if (refused)
      assert.match(message(text), /mqtt\.serverName is "broker\.test", expected an mqtt\.url with TLS/);
    else assert.is(load(text).mqtt.serverName, 'broker.test');
  }
  assert.match(
    message('mqtt: { url: mqtts://a, certFile: /a }'),
    /mqtt\.certFile is "\/a", expected mqtt\.keyFile beside it/,
  );
  assert.match(message('mqtt: { url: mqtts://a, keyFile: /a }'), /expected mqtt\.certFile beside it/);
  assert.match(message('mqtt: { url: mqtts://a, caFile: /nowhere }'), /mqtt\.caFile is \/nowhere \(ENOENT\)/);
});

loadTest('a webhook is one address, shown nowhere, with headers that are about the message', () => {
  const message = (text: string) => refuse(`webhook: { ${text} }`).fault.message;
  for (const url of [
    'ftp://a',
    'http://',
    'https://me:hunter2@a/',
    'http://a b',
    'http://[bad/',
    'http://a/#x',
  ]) {
    const text = message(`url: "${url}"`);
    assert.match(text, /webhook\.url is \(hidden\), expected an address such as https:\/\/host\/path/, url);
    assert.not.match(text, /hunter2/);
  }
  assert.match(message('headers: ["Content-Length: 5"]'), /no content-length among them/);
  for (const header of [
    'hunter2',
    'X-Key:',
    'X Key: hunter2',
    'X-Key: hunter2\\r\\nY: z',
    'X-Key: hünter2',
  ]) {
    const text = message(`headers: ["${header}"]`);
    assert.match(text, /webhook\.headers is \(hidden\), expected a list/, header);
    assert.not.match(text, /h[uü]nter2/);
  }
  assert.match(message('token: x, tokenFile: /y'), /nothing beside webhook\.token/);

  const text =
    'webhook: { url: "http://a/api/webhook/hunter2?x=@", headers: ["X-Key: hunter2"], token: hunter2 }';
  const config = load(text);
  assert.is(config.webhook.url, 'http://a/api/webhook/hunter2?x=@');
  assert.not.match(JSON.stringify(hideSecrets(config)), /hunter2/);
  assert.equal(hideSecrets(load('')).webhook.headers, [], 'what is not set is not hidden');
});

loadTest('what Rasa is told is what was just said, unless it is said otherwise', () => {
  assert.is(load('webhook: { preset: rasa }').webhook.maxAgeS, 30);
  assert.is(load('webhook: { preset: rasa, maxAgeS: 5 }').webhook.maxAgeS, 5);
  assert.is(load('').webhook.maxAgeS, undefined);
});

loadTest('takes user name and password out of the address', () => {
  const config = load('mqtt: { url: "mqtt://me:hunter%402@host:1884" }');
  assert.is(config.mqtt.url, 'mqtt://host:1884');
  assert.is(config.mqtt.username, 'me');
  assert.is(config.mqtt.password, 'hunter@2');
  assert.is(load('mqtt: { url: "mqtt://me@host", password: x }').mqtt.username, 'me');
});

loadTest('never repeats a password that is in an address', () => {
  for (const mqtt of [
    'url: "http://me:hunter2@host"',
    'url: "mqtt://me:hunter2@[bad"',
    'url: "mqtt://me:hunter2%zz@host"',
    'url: "mqtt://:hunter2@host"',
    'url: "mqtt://me:hunter2@host", username: you',
    'url: "mqtt://me:hunter2@host", password: hunter2',
    'url: "mqtt://me:hunter2@host", passwordFile: /x',
    'username: 5, url: "mqtt://me:hunter2@host", vad: "mqtt://me:hunter2@host"',
  ]) {
    const { fault } = refuse(`mqtt: { ${mqtt} }`);
    assert.not.match(fault.message, /hunter2/);
  }
});

loadTest('reads the password from its file', () => {
  const secretFile = path.join(folder, 'password');
  writeFileSync(secretFile, 'hunter2\n');
  const text = `mqtt: { url: mqtt://a, username: me, passwordFile: ${secretFile} }`;
  assert.is(load(text).mqtt.password, 'hunter2');
  writeFileSync(secretFile, '\n');
  assert.match(refuse(text).fault.message, /which is empty/);
  rmSync(secretFile);
  assert.match(refuse(text).fault.message, /mqtt\.passwordFile is .*ENOENT/);
});

loadTest('lets others than this machine have sound recognised only when it is told to', () => {
  const of = (text: string) => load(`wyoming: { ${text} }`).wyoming.listen;
  for (const listen of ['127.0.0.1:10300', 'localhost:10300', '[::1]:10300', 'off']) {
    assert.is(of(`listen: "${listen}"`), listen);
  }
  for (const listen of ['0.0.0.0:10300', ':10300', 'kitchen.lan:10300', '192.168.1.5:10300']) {
    const { fault } = refuse(`wyoming: { listen: "${listen}" }`);
    assert.match(
      fault.message,
      /wyoming\.listen is ".*", expected a loopback address.*wyoming\.allowLan: true/,
    );
    assert.is(of(`listen: "${listen}", allowLan: true`), listen);
  }
  assert.match(refuse('wyoming: { listen: "10300" }').fault.message, /HOST:PORT such as 127\.0\.0\.1:10300/);
});

loadTest('serves the web page elsewhere with a token only, and reads that from its file', () => {
  const message = (text: string) => refuse(text).fault.message;
  for (const listen of ['127.0.0.1:8080', 'localhost:8080', '[::1]:8080', 'off', '127.1.2.3:0'])
    assert.is(load(`http: { listen: "${listen}" }`).http.listen, listen);
  for (const listen of ['0.0.0.0:8080', ':8080', '[::]:8080', 'kitchen.lan:80', '192.168.1.5:80']) {
    const text = `http: { listen: "${listen}" }`;
    assert.match(message(text), /http\.listen is ".*", expected a loopback address/);
    assert.is(load(`${text.slice(0, -1)}, token: 0123456789abcdef }`).http.listen, listen);
  }
  for (const listen of [
    '8080',
    '127.0.0.1',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    '::1:8080',
    'http://a:1',
    'a:1/x',
  ])
    assert.match(message(`http: { listen: "${listen}" }`), /expected off, or HOST:PORT/, listen);

  const tokenFile = path.join(folder, 'token');
  const text = `http: { listen: ":8080", tokenFile: ${tokenFile} }`;
  writeFileSync(tokenFile, '0123456789abcdef\r\n');
  assert.is(load(text).http.token, '0123456789abcdef');
  writeFileSync(tokenFile, 'hunter2\n');
  assert.match(message(text), /http\.tokenFile is .*not 16 to 200 printable characters/);
  assert.not.match(message(text), /hunter2/);
  assert.match(message('http: { token: hunter2 }'), /http\.token is \(hidden\)/);
  assert.match(
    message(`${text.slice(0, -1)}, token: 0123456789abcdef }`),
    /expected nothing beside http\.token/,
  );
  rmSync(tokenFile);
});

loadTest('takes the first file of the usual places', () => {
  assert.equal(defaultPaths({ HOME: '/h', XDG_CONFIG_HOME: '/x' }), [
    '/x/harkd/config.yaml',
    '/h/.config/harkd/config.yaml',
    '/etc/harkd/config.yaml',
  ]);
  assert.equal(defaultPaths({ XDG_CONFIG_HOME: 'relative' }), ['/etc/harkd/config.yaml']);
  const file = write('site: from-variable\n');
  assert.is(loadConfig({ environment: { HARKD_CONFIG: file } }).site, 'from-variable');
});

loadTest('says which file cannot be read', () => {
  const unreadable = (file: string, expected: RegExp) => {
    try {
      loadConfig({ path: file, environment: {} });
      assert.unreachable();
    } catch (thrown) {
      assert.is((thrown as Fault).code, 'CONFIG_UNREADABLE');
      assert.match((thrown as Fault).message, expected);
    }
  };
  unreadable('/nonexistent/harkd.yaml', /^\/nonexistent\/harkd\.yaml: no such file$/);
  unreadable(folder, /EISDIR/);
});

loadTest('commands: check, print without secrets, schema', () => {
  const file = write('site: attic\nmqtt: { url: mqtt://a, username: me, password: hunter2 }\n');
  const input = { path: file, environment: {}, machine };
  assert.is(checkConfig(input), `ok: ${file}\n`);
  const printed = printConfig(input);
  assert.not.match(printed, /hunter2/);
  assert.is(parse(printed).mqtt.password, '(hidden)');
  assert.is(parse(printed).mqtt.username, 'me');
  assert.equal(JSON.parse(printConfig(input, 'json')), parse(printed));
  assert.is(loadConfig(input).mqtt.password, 'hunter2', 'hiding must not touch the configuration itself');
  assert.is(JSON.parse(printSchema()).$id, schema.$id);
});

loadTest('print names what was chosen over MQTT since', () => {
  const stateDir = path.join(folder, 'state');
  const input = { path: write(`stateDir: ${stateDir}\n`), environment: {}, machine };
  assert.not.match(printConfig(input), /chosen/);
  mkdirSync(stateDir);
  const choices = { language: { value: 'de', over: 'auto' }, model: { value: 'a', over: 'another' } };
  writeFileSync(path.join(stateDir, 'choices.json'), JSON.stringify(choices));
  assert.match(printConfig(input), /^# but for what was chosen over MQTT: language$/m);
});

loadTest.after(() => rmSync(folder, { recursive: true }));
loadTest.run();
