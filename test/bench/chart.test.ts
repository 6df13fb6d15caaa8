import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chartOf, renderChart } from './chart.ts';
import { sample } from './sample.ts';

const chart = suite('chart');

/** Throws unless every element is closed, in order, and text holds no bare markup. Answers the elements. */
function parse(svg: string): { name: string; attributes: Record<string, string> }[] {
  const elements: { name: string; attributes: Record<string, string> }[] = [];
  const open: string[] = [];
  let rest = svg.trim();
  while (rest !== '') {
    const text = /^[^<]*/.exec(rest)?.[0] ?? '';
    assert.not.match(text, /&(?!(amp|lt|gt|quot);)|>/, 'bare & or > in text');
    rest = rest.slice(text.length);
    if (rest === '') break;
    const tag = /^<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z][\w:-]*="[^"<]*")*)(\/?)>/.exec(rest);
    if (tag === null) throw new Error(`not a tag: ${rest.slice(0, 80)}`);
    const [whole, closes, name = '', written = '', empty] = tag;
    rest = rest.slice(whole.length);
    if (closes === '/') assert.is(open.pop(), name);
    else {
      const attributes = [...written.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
      elements.push({ name, attributes: Object.fromEntries(attributes) });
      if (empty === '') open.push(name);
    }
  }
  assert.equal(open, []);
  return elements;
}

chart('is well-formed, and everything lies inside', () => {
  const elements = parse(chartOf(sample, 80));
  const [svg] = elements;
  assert.is(svg?.name, 'svg');
  const [width = 0, height = 0] = [svg?.attributes['width'], svg?.attributes['height']].map(Number);
  const rects = elements.filter(({ name }) => name === 'rect');
  for (const { attributes } of rects) {
    const [x = 0, y = 0, w = 0, h = 0] = ['x', 'y', 'width', 'height'].map((key) => Number(attributes[key]));
    assert.ok(x >= 0 && w > 0 && x + w <= width, JSON.stringify(attributes));
    assert.ok(y >= 0 && h > 0 && y + h <= height, JSON.stringify(attributes));
  }
  for (const { attributes } of elements.filter(({ name }) => name === 'text')) {
    assert.ok(Number(attributes['x']) >= 0 && Number(attributes['x']) < width - 40);
    assert.ok(Number(attributes['y']) > 0 && Number(attributes['y']) <= height);
  }
});

chart('bars are as long as what they stand for', () => {
  const panel = {
    title: 'x',
    names: ['one', 'two'],
    bars: [
      { label: 'a', parts: [10, 30], note: '' },
      { label: 'b', parts: [0, 20], note: '' },
    ],
  };
  const bars = parse(renderChart([panel], ''))
    .filter(({ name, attributes }) => name === 'rect' && attributes['height'] === '16')
    .map(({ attributes }) => Number(attributes['width']));
  const [ten = 0, thirty = 0, twenty = 0, ...more] = bars;
  assert.equal(more, [], 'nothing is drawn for nothing');
  assert.ok(Math.abs(thirty - 3 * ten) < 0.2 && Math.abs(twenty - 2 * ten) < 0.2);
});

chart('what is written in it cannot break out', () => {
  const panel = { title: '<script>"&', names: ['</svg>'], bars: [{ label: '&lt;', parts: [1], note: '>' }] };
  const svg = renderChart([panel], '</title>');
  parse(svg);
  assert.match(svg, /&lt;script&gt;&quot;&amp;/);
  assert.match(svg, /&amp;lt;/);
});

chart.run();
