/** Patches of options from anybody on the broker: each is taken whole or refused by a fault, and nothing else changes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../daemon/config/config.ts';
import { differences, optionKeys, patched } from '../../daemon/config/live.ts';
import { leaves } from '../../daemon/config/schema.ts';
import { Fault } from '../../daemon/faults.ts';
import { randomFrom } from '../random.ts';
import { timeBox } from '../time-box.ts';

const test = suite('fuzz: options');
const seed = 20261122;
const config = loadConfig({ environment: {}, machine: { hostname: 'pi', cores: 4 } });

test('no patch gets past the schema, or changes what is no option', () => {
  const random = randomFrom(seed);
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const values = [
    0,
    0.4,
    0.7,
    1,
    -1,
    200,
    1e9,
    '',
    'en',
    'auto',
    'x',
    true,
    false,
    [],
    ['de'],
    [1],
    {},
    { a: 1 },
  ];
  const names = ['__proto__', 'constructor', 'toString', 'a', ...leaves.flatMap(({ path }) => path)];
  const options = leaves.filter(({ key }) => optionKeys.includes(key));
  const before = JSON.stringify(config);
  const another = timeBox(3000, 1000);
  const outcomes = { taken: 0, refused: 0 };
  for (let round = 0; round < 20_000 && another(); round++) {
    const patch: Record<string, unknown> = {};
    for (let keys = 1 + Math.floor(random() * 3); keys > 0; keys--) {
      const leaf = pick(random() < 0.7 ? options : leaves).path;
      const path = random() < 0.9 ? leaf : [pick(names), pick(names)].slice(0, 1 + Math.floor(random() * 2));
      const [first = '', second] = path;
      const value = pick(values);
      // as JSON.parse does: `__proto__` is a key like any other
      const inner =
        second === undefined ? value : JSON.parse(`{${JSON.stringify(second)}:${JSON.stringify(value)}}`);
      Object.defineProperty(patch, first, { value: inner, enumerable: true, configurable: true });
    }
    try {
      const next = patched(config, patch, optionKeys, 'options');
      outcomes.taken++;
      for (const key of differences(config, next)) assert.ok(optionKeys.includes(key), key);
      // what is taken is a configuration
      patched(next, {}, optionKeys, 'options');
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      assert.is(thrown.code, 'CONFIG_INVALID');
      outcomes.refused++;
    }
  }
  assert.ok(outcomes.taken > 10 && outcomes.refused > 10, JSON.stringify(outcomes));
  assert.is(JSON.stringify(config), before);
  assert.is(Object.keys(Object.prototype).length, 0);
});

test.run();
