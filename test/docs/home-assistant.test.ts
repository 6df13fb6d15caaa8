/** The blueprints and the page for Home Assistant say what the announcement says, and the templates do what they say. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDocument } from 'yaml';
import { topicsOf } from '../../daemon/mqtt-contract.ts';
import { discoveryOf } from '../../daemon/sinks/mqtt/home-assistant.ts';
import { transcriptOf } from '../fixtures/daemon-events.ts';
import { fullestDevice } from '../fixtures/home-assistant.ts';
import { jinjaMissing, render } from '../fixtures/jinja.ts';
import { announceSkip } from '../skip.ts';

const folder = path.join(import.meta.dirname, '../../../docs/home-assistant');
const page = readFileSync(path.join(folder, 'README.md'), 'utf8');
const { components } = discoveryOf('harkd/kitchen', topicsOf('harkd/kitchen'), fullestDevice);

/** `!input name` of a blueprint. */
class Input {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

type Blueprint = {
  readonly blueprint: {
    readonly name: string;
    readonly description: string;
    readonly domain: string;
    readonly input: Readonly<Record<string, { readonly name: string; readonly selector: object }>>;
  };
  readonly mode: string;
  readonly triggers: readonly { readonly trigger: string; readonly entity_id: Input }[];
  readonly variables: Readonly<Record<string, unknown>>;
  readonly conditions: readonly { readonly value_template: string }[];
  readonly actions: unknown;
};

function blueprintOf(file: string): Blueprint {
  const tag = { tag: '!input', resolve: (text: string) => new Input(text) };
  const document = parseDocument(readFileSync(path.join(folder, file), 'utf8'), { customTags: [tag] });
  assert.equal([...document.errors, ...document.warnings], []);
  return document.toJS() as Blueprint;
}
function inputsUsedIn(value: unknown): string[] {
  if (value instanceof Input) return [value.name];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(inputsUsedIn);
}

const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
const test = suite('docs/home-assistant');

test('blueprints have what Home Assistant asks of them, and use every input they ask for', () => {
  assert.equal(files.sort(), ['phrase-to-actions.yaml', 'transcript-to-assist.yaml']);
  for (const file of files) {
    const { blueprint, ...automation } = blueprintOf(file);
    assert.is(blueprint.domain, 'automation');
    assert.ok(blueprint.name !== '' && blueprint.description !== '');
    for (const input of Object.values(blueprint.input)) assert.is(Object.keys(input.selector).length, 1);
    const used = new Set(inputsUsedIn(automation));
    assert.equal([...used].sort(), Object.keys(blueprint.input).sort(), file);
    assert.equal(Object.keys(automation).sort(), [
      'actions',
      'conditions',
      'max',
      'mode',
      'triggers',
      'variables',
    ]);
    // sentences come faster than actions end
    assert.is(automation.mode, 'queued');
    const [trigger] = automation.triggers;
    assert.equal([trigger?.trigger, trigger?.entity_id.name], ['state', 'transcript']);
    assert.ok(page.includes(`(${file})`), `the page does not name ${file}`);
  }
});

test('Assist is given the text, by the action of that name', () => {
  const { actions } = blueprintOf('transcript-to-assist.yaml');
  const [first] = actions as readonly [{ action: string; data: { text: string; agent_id: Input } }];
  assert.is(first.action, 'conversation.process');
  assert.is(first.data.agent_id.name, 'agent');
  assert.is(first.data.text, '{{ trigger.to_state.attributes.text }}');
});

test('the page has every entity under its id, and no other', () => {
  const rows = [...page.matchAll(/^\| `([a-z_]+\.[a-z0-9_]+)` +\|.*\| (yes|no) +\|$/gm)];
  const shown = Object.values(components).map((component) => [
    component['default_entity_id'],
    component['enabled_by_default'] === false ? 'no' : 'yes',
  ]);
  assert.equal(
    rows.map(([, id, enabled]) => [id, enabled]),
    shown,
  );
});

if (jinjaMissing !== undefined) {
  announceSkip('conditions of the blueprints rendered by jinja', jinjaMissing);
} else {
  /** Whether an utterance passes all conditions. */
  const passes = (file: string, cases: readonly (readonly [object, object])[]): boolean[] => {
    const { conditions } = blueprintOf(file);
    return cases.map(([attributes, variables]) => {
      const all = { event_type: 'final', ...transcriptOf(1), replayed: false, ...attributes };
      const trigger = { to_state: { attributes: all } };
      const said = all.text;
      const results = render(
        conditions.map((c) => [c.value_template, { trigger, said, ...variables }] as const),
      );
      for (const result of results) assert.match(result.trim(), /^(True|False)$/);
      return results.every((result) => result.trim() === 'True');
    });
  };

  test('Assist hears what is live and sure, nothing else', () => {
    const least = { min_confidence: 0.5 };
    const cases = [
      [{ confidence: 0.91 }, least],
      [{ confidence: 0.5 }, least],
      [{ confidence: 0.49 }, least],
      [{ confidence: 0.91, replayed: true }, least],
    ] as const;
    assert.equal(passes('transcript-to-assist.yaml', cases), [true, true, false, false]);
  });

  test('a phrase is found in its words, not in parts of them', () => {
    const phrases = ['good night', 'Gute Nacht!', ''];
    const cases = [
      ['Good night.', 'anywhere', true],
      ['And so, good   NIGHT, everybody', 'anywhere', true],
      ['Ja, gute Nacht zusammen', 'anywhere', true],
      ['good nightingale', 'anywhere', false],
      ['no good', 'anywhere', false],
      ['…', 'anywhere', false],
      ['Good night, moon', 'beginning', true],
      ['A good night', 'beginning', false],
      ['"Good night"', 'whole', true],
      ['Good night, moon', 'whole', false],
    ] as const;
    const found = passes(
      'phrase-to-actions.yaml',
      cases.map(([text, match]) => [{ text }, { phrases, match }]),
    );
    assert.equal(
      cases.map(([text, match], i) => [text, match, found[i]]),
      cases.map((row) => [...row]),
    );
    assert.equal(
      passes('phrase-to-actions.yaml', [
        [
          { text: 'good night', replayed: true },
          { phrases, match: 'whole' },
        ],
      ]),
      [false],
    );
  });
}

test.run();
