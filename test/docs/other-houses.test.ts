/** The tables of docs/other-houses.md are what the code says and does. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hermesFor } from '../../daemon/sinks/mqtt/hermes.ts';
import { descriptionOf } from '../../daemon/sinks/mqtt/homie.ts';
import { presets } from '../../daemon/sinks/webhook/presets.ts';
import { transcriptOf } from '../fixtures/daemon-events.ts';

const root = path.join(import.meta.dirname, '../../..');
const doc = readFileSync(path.join(root, 'docs/other-houses.md'), 'utf8');

/** Cells of the rows below a head that begins so. */
function tableOf(head: string): string[][] {
  const lines = doc.split('\n');
  const first = lines.findIndex((line) => line.startsWith(`| ${head} `));
  assert.ok(first >= 0, head);
  const rows = lines.slice(first + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

const test = suite('docs/other-houses.md');

test('the topics of Hermes, with the fields of what is said', () => {
  const hermes = hermesFor({ siteId: 's', onToggle: () => undefined, onIgnored: () => undefined });
  const rows = tableOf('topic');
  const said = [hermes.captured(transcriptOf(1)), hermes.failed({ code: 'C', message: 'm' })];
  for (const { topic, payload, qos } of said) {
    const row = rows.find(([name]) => name === topic);
    const documented = /^\{([^}]*)\}/.exec(row?.[2] ?? '')?.[1]?.split(', ');
    assert.equal(documented?.toSorted(), Object.keys(JSON.parse(payload)).toSorted(), topic);
    assert.is(row?.[3], String(qos));
  }
  const heard = rows.filter(([, direction]) => direction === 'harkd hears').map(([topic]) => topic);
  assert.equal(heard.toSorted(), hermes.topics.toSorted());
  assert.is(rows.length, said.length + heard.length);
});

test('the properties of the Homie device', () => {
  const described = Object.entries(descriptionOf('x').nodes).flatMap(([node, { properties }]) =>
    Object.entries(properties as Record<string, Record<string, unknown>>).map(([name, property]) => {
      const unit = property['unit'] === undefined || property['unit'] === '#' ? '' : `, ${property['unit']}`;
      const isEvent = property['retained'] === false;
      return [
        `${node}/${name}`,
        `${property['datatype']}${unit}`,
        property['settable'] === true ? 'yes' : '',
        isEvent ? 'no' : 'yes',
        isEvent ? '0' : '1',
      ];
    }),
  );
  assert.equal(
    tableOf('property').map((row) => row.slice(0, 5)),
    described,
  );
});

test('the presets of the webhook, and what Rasa is sent', () => {
  const rows = tableOf('preset');
  assert.equal(
    rows.map(([name]) => name),
    Object.keys(presets),
  );
  const sent = JSON.parse(presets.rasa('<site>').bodyOf(transcriptOf(1, 'turn on the lamp'), false));
  assert.equal(JSON.parse(rows.find(([name]) => name === 'rasa')?.[1] ?? ''), sent);
});

test.run();
