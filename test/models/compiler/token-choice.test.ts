/** The choice of a token inside the graph: the likeliest, and by the rules of timestamps, as an independent reference. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { TokenRules } from '../../../models/compiler/architecture.ts';
import { chooseToken } from '../../../models/compiler/token-choice.ts';
import { GraphBuilder } from '../../../models/graph/builder.ts';
import { argMax, logProbAt } from '../../../models/whisper/sampling.ts';
import { rulesAfter } from '../../../models/whisper/timestamp-rules.ts';
import { provider } from '../../../providers/cpu.ts';
import { temporaryDir, writeGraph } from '../../graph-files.ts';
import { randomFrom } from '../../random.ts';
import { readTimestampCases } from '../../timestamp-cases.ts';
import { float32, int64 } from '../../whisper-graphs.ts';

const choice = suite('choice of a token');

const noRules: TokenRules = {
  suppress: [],
  beginSuppress: [],
  noSpeech: undefined,
  endOfText: 0,
  timestamps: undefined,
};

/** A graph that chooses from logits [R, V] and does nothing else. */
async function openChoice(vocabularySize: number, tokens: TokenRules) {
  const graph = new GraphBuilder('choice', 'choice.bin');
  const logits = graph.input('logits', 'float32', ['R', vocabularySize]);
  const rules = tokens.timestamps === undefined ? undefined : graph.input('rules', 'int64', [4]);
  const [token, logProb, nextRules] = chooseToken(graph, logits, rules, { vocabularySize, tokens });
  graph.output('token', token, 'int64', [1]);
  graph.output('log_prob', logProb, 'float32', [1]);
  if (nextRules !== undefined) graph.output('next_rules', nextRules, 'int64', [4]);
  const session = await provider.open(
    writeGraph(temporaryDir(), 'choice', 'choice.bin', graph.finish('test')),
  );
  return async (logits: Float32Array, rules: readonly number[] = []) => {
    const out = await session.run(
      {
        logits: float32([logits.length / vocabularySize, vocabularySize], logits),
        ...(rules.length === 0 ? {} : { rules: int64(...rules) }),
      },
      session.outputNames,
    );
    return {
      token: Number(out['token']?.data[0]),
      logProb: Number(out['log_prob']?.data[0]),
      nextRules: Array.from(out['next_rules']?.data ?? [], Number),
    };
  };
}

// in 24 rows of 2161, 205 of 253, 40 of 47, and a prime that has no rows
for (const size of [51_864, 51_865, 1880, 1009]) {
  choice(`the likeliest of ${size}, in the last row, the first among equals`, async () => {
    const choose = await openChoice(size, noRules);
    const random = randomFrom(size);
    for (let round = 0; round < 12; round++) {
      // few different values, so that many are equal
      const other = Float32Array.from({ length: size }, () => 20);
      const logits = Float32Array.from({ length: size }, () => Math.floor(12 * random()));
      for (let i = 0; i < 50; i++) logits[Math.floor(size * random())] = Number.NEGATIVE_INFINITY;
      const at = [0, size - 1, Math.floor(size * random())][round % 4];
      if (at !== undefined) logits[at] = 13;
      const { token, logProb } = await choose(Float32Array.from([...other, ...logits]));
      assert.is(token, argMax(logits));
      assert.ok(Math.abs(logProb - logProbAt(logits, token)) < 1e-4);
    }
  });
}

choice('by the rules of timestamps, what the reference chooses', async () => {
  const reference = readTimestampCases();
  const { endOfText, firstTimestamp, noTimestamps } = reference;
  const size = reference.cases[0]?.eighths.length as number;
  const timestamps = { first: firstTimestamp, none: noTimestamps };
  const choose = await openChoice(size, { ...noRules, endOfText, timestamps });
  const chosen = { timestamp: 0, text: 0, end: 0 };
  for (const [i, { best, eighths, last, logProb: want, maxInitial, sampled }] of reference.cases.entries()) {
    const logits = Float32Array.from(eighths, (eighth) => eighth / 8);
    for (const token of reference.suppressed) logits[token] = Number.NEGATIVE_INFINITY;
    const rules = { endOfText, noTimestamps, firstTimestamp, maxInitial, last };
    const { token, logProb, nextRules } = await choose(logits, rulesAfter(sampled, rules));
    assert.is(token, best, `case ${i} after ${sampled.join(' ')}`);
    assert.ok(Math.abs(logProb - want) < 1e-5, `case ${i}: ${logProb} for ${want}`);
    // what the graph goes on by is what it would be told
    assert.equal(nextRules, [...rulesAfter([...sampled, token], rules)], `case ${i}`);
    chosen[token >= firstTimestamp ? 'timestamp' : token === endOfText ? 'end' : 'text']++;
  }
  for (const [kind, count] of Object.entries(chosen)) assert.ok(count > 10, `${kind}: ${count}`);

  const [some] = reference.cases;
  const logits = Float32Array.from(some?.eighths ?? [], (eighth) => eighth / 8);
  const { token, nextRules } = await choose(logits, [0, 0, 0, 0]);
  assert.is(token, argMax(logits), 'without rules anything may follow');
  assert.equal(nextRules, [0, 0, 0, 0]);
});

choice.run();
