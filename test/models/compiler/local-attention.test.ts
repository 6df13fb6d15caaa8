/** Attention within a window against the sums written out, and in a whole model. */
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Fault } from '../../../daemon/faults.ts';
import { compile } from '../../../models/compiler/compile.ts';
import { localAttention, neighbourhoods } from '../../../models/compiler/local-attention.ts';
import { GraphBuilder } from '../../../models/graph/builder.ts';
import { provider } from '../../../providers/cpu.ts';
import type { Session } from '../../../providers/provider.ts';
import { embeddedModelDir, largestDifference, readGolden } from '../../golden.ts';
import { temporaryDir, writeGraph } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';
import { encode, float32, floats, openFused } from '../../whisper-graphs.ts';

const local = suite('local attention');
const heads = 2;
const width = 16;
const random = randomFrom(17);
const matrix = (rows: number) => Float32Array.from({ length: rows * width }, () => 4 * random() - 2);

async function openWindow(window: number): Promise<Session> {
  const graph = new GraphBuilder('test', 'test.bin');
  const [query, key, value] = ['q', 'k', 'v'].map((name) => graph.input(name, 'float32', [1, 'T', width]));
  if (query === undefined || key === undefined || value === undefined) throw new Error('three inputs');
  const near = neighbourhoods(graph, graph.shape(query, 1), window);
  graph.output('y', localAttention(graph, { query, key, value }, heads, width, near), 'float32', [
    1,
    'T',
    width,
  ]);
  return provider.open(writeGraph(temporaryDir(), 'test', 'test.bin', graph.finish('test')));
}

/** Positions that `t` of `count` hears, by the words of models/compiler/local-attention.ts. */
function heard(t: number, count: number, window: number): [number, number] {
  if (count <= window) return [0, count];
  const block = Math.floor(t / (window / 2));
  const start = (block * window) / 2 - window / 4;
  const from = start < 0 ? 0 : start + window > count ? count - window : start;
  return [from, from + window];
}

/** Softmax attention of Vaswani et al. 2017, written out in doubles. */
function attend(
  [q, k, v]: readonly [Float32Array, Float32Array, Float32Array],
  count: number,
  window: number,
) {
  const out = new Float32Array(count * width);
  const headWidth = width / heads;
  for (let t = 0; t < count; t++) {
    const [from, to] = heard(t, count, window);
    assert.ok(from <= t && t < to && from >= 0 && to <= count, `${t} hears itself`);
    if (count > window) {
      assert.ok(from === 0 || t - from >= window / 4, `${t} hears what was before`);
      assert.ok(to === count || to - t > window / 4, `${t} hears what comes`);
    }
    for (let head = 0; head < heads; head++) {
      const at = (position: number, i: number) => position * width + head * headWidth + i;
      const weights: number[] = [];
      for (let s = from; s < to; s++) {
        let score = 0;
        for (let i = 0; i < headWidth; i++) score += (q[at(t, i)] as number) * (k[at(s, i)] as number);
        weights.push(Math.exp(score / Math.sqrt(headWidth)));
      }
      const sum = weights.reduce((a, b) => a + b, 0);
      for (let i = 0; i < headWidth; i++) {
        out[at(t, i)] = weights.reduce(
          (total, weight, s) => total + (weight / sum) * (v[at(from + s, i)] as number),
          0,
        );
      }
    }
  }
  return out;
}

for (const window of [16, 20, 64]) {
  local(`a window of ${window}: sounds of every length up to three windows`, async () => {
    const session = await openWindow(window);
    for (let count = 1; count <= 3 * window; count += window > 20 ? 7 : 1) {
      const qkv = [matrix(count), matrix(count), matrix(count)] as const;
      const [q, k, v] = qkv.map((data) => float32([1, count, width], data));
      const { y } = await session.run({ q: q as never, k: k as never, v: v as never }, ['y']);
      assert.equal(y?.dims, [1, count, width]);
      const difference = largestDifference(floats(y), attend(qkv, count, window));
      assert.ok(difference < 1e-5, `${count} positions: ${difference}`);
    }
  });
}

local(
  'in a model: the same as without where the window is long enough, something else where not',
  async () => {
    const { samples } = readGolden()[0] as ReturnType<typeof readGolden>[0];
    const positions = samples.length / 320;
    const hidden = async (attentionWindow?: number) => {
      const sessions = await openFused(embeddedModelDir, temporaryDir(), { inspect: true, attentionWindow });
      return floats((await encode(sessions, samples)).outputs['hidden']);
    };
    const whole = await hidden();
    assert.ok(largestDifference(await hidden(Math.ceil(positions / 4) * 4), whole) < 1e-5);
    const narrow = await hidden(32);
    assert.is(narrow.length, whole.length);
    assert.ok(largestDifference(narrow, whole) > 1e-3);
  },
);

local('the window is part of what a model is made from, and has to make sense', () => {
  const out = path.join(temporaryDir(), 'out');
  const one = compile(embeddedModelDir, out, { attentionWindow: 512 }).model;
  assert.is(one.options.attentionWindow, 512);
  assert.is(compile(embeddedModelDir, out, { attentionWindow: 512 }).cached, true);
  assert.is.not(compile(embeddedModelDir, out, { attentionWindow: 256 }).model.key, one.key);
  for (const attentionWindow of [0, 8, 510, -512, 16.5, Number.NaN, 1e9]) {
    try {
      compile(embeddedModelDir, out, { attentionWindow });
      assert.unreachable(`${attentionWindow}`);
    } catch (thrown) {
      assert.is((thrown as Fault).code, 'USAGE_INVALID');
      assert.match((thrown as Fault).message, `${attentionWindow} positions`);
    }
  }
});

local.run();
