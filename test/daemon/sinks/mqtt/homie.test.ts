import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { homieIdOf } from '../../../../daemon/mqtt-contract.ts';
import { descriptionOf } from '../../../../daemon/sinks/mqtt/homie.ts';

const root = path.join(import.meta.dirname, '../../../../..');
const schemaFile = path.join(root, 'test/fixtures/homie-description.schema.json');
const validate = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync(schemaFile, 'utf8')));

const test = suite('daemon/sinks/mqtt/homie');

type Document = ReturnType<typeof copy>;
const copy = () => JSON.parse(JSON.stringify(descriptionOf('harkd kitchen')));

test('the description follows the rules of the convention', () => {
  assert.ok(validate(copy()), JSON.stringify(validate.errors, undefined, 2));
});

test('the rules are rules: what breaks one is refused', () => {
  const broken: Record<string, (document: Document) => void> = {
    'no version of the convention': (d) => delete d.homie,
    'the version with its patch level': (d) => (d.homie = '5.0.0'),
    'another convention': (d) => (d.homie = '4.0'),
    'a version that is no whole number': (d) => (d.version = '7'),
    'no name': (d) => delete d.name,
    'an id with a capital': (d) => (d.nodes.Health = d.nodes.health),
    'an id with a low line': (d) => (d.nodes.health.properties.cpu_temp = d.nodes.health.properties.waiting),
    'a datatype nobody knows': (d) => (d.nodes.health.properties.waiting.datatype = 'number'),
    'a truth with one name': (d) => (d.nodes.microphone.properties.mute.format = 'muted'),
    'a range that is none': (d) => (d.nodes.health.properties.waiting.format = '0-10'),
    'a unit that nobody must know': (d) => (d.nodes.health.properties.latency.unit = 'seconds'),
    'a flag that is a word': (d) => (d.nodes.microphone.properties.mute.settable = 'true'),
    'a root of itself': (d) => (d.root = 'harkd-kitchen'),
  };
  for (const [what, spoil] of Object.entries(broken)) {
    const document = copy();
    spoil(document);
    assert.not(validate(document), what);
  }
});

test('another document has another version, the same one the same', () => {
  assert.equal(descriptionOf('harkd kitchen'), descriptionOf('harkd kitchen'));
  assert.is.not(descriptionOf('harkd kitchen').version, descriptionOf('harkd attic').version);
});

test('a base topic becomes an id', () => {
  for (const [base, id] of [
    ['harkd/kitchen', 'harkd-kitchen'],
    ['House/Living Room_2/', 'house-living-room-2'],
    ['küche', 'k-che'],
    ['音', 'harkd'],
  ] as const) {
    assert.is(homieIdOf(base), id);
    assert.match(homieIdOf(base), /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
  }
});

test.run();
