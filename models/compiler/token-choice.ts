/** From logits to the next token, inside the decoder graph: suppression, arg-max, and the rules of timestamps. */
import type { GraphBuilder, Value } from '../graph/builder.ts';
import type { Architecture, TokenRules } from './architecture.ts';

/**
 * [2, V] added to the logits: -infinity at what may not be written, in the first row also at what may not be first.
 */
export function suppression(graph: GraphBuilder, { shape, tokens }: Architecture): Value {
  const { vocabularySize } = shape;
  return graph.weight('suppression', 'float32', [2, vocabularySize], () => {
    const table = new Float32Array(2 * vocabularySize);
    for (const id of [...tokens.suppress, ...tokens.beginSuppress]) table[id] = Number.NEGATIVE_INFINITY;
    for (const id of tokens.suppress) table[vocabularySize + id] = Number.NEGATIVE_INFINITY;
    return table;
  });
}

const int64 = (graph: GraphBuilder, value: number, dims: readonly number[]) =>
  graph.constant(BigInt64Array.of(BigInt(value)), dims);

/** x [n, m] at `at` [n, 1]: [n, 1] */
const pick = (graph: GraphBuilder, x: Value, at: Value) =>
  graph.node('GatherElements', [x, at], { attributes: { axis: 1 } });

/** `x` [R, V] with `values` [R, n] at `ids` */
function placeAt(graph: GraphBuilder, x: Value, ids: readonly number[], values: Value): Value {
  const one = graph.constant(BigInt64Array.from(ids, BigInt), [1, ids.length]);
  const each = graph.node('Expand', [one, graph.node('Shape', [values])]);
  return graph.node('ScatterElements', [x, each, values], { attributes: { axis: 1 } });
}

/** Divides the vocabulary into rows, as near to a square as it goes. */
function rowsIn(count: number): number {
  let rows = Math.floor(Math.sqrt(count));
  while (count % rows !== 0) rows--;
  return rows;
}

/** With fewer rows than this there is nothing to win by looking for the likeliest row first. */
const fewestRows = 8;

/**
 * Where the largest of `logits` [R, count] is, [R, 1]; the first among equals. The arg-max kernel goes from number to
 * number where that for the maximum goes in vectors: first the row, then the place in it.
 */
function largest(graph: GraphBuilder, logits: Value, count: number): Value {
  const argMax = (x: Value) => graph.node('ArgMax', [x], { attributes: { axis: -1, keepdims: 1 } });
  const rows = rowsIn(count);
  if (rows < fewestRows) return argMax(logits);
  const columns = count / rows;
  const square = graph.reshape(logits, [-1, rows, columns]);
  const row = argMax(graph.reduceMax(square, 'last', false));
  const inRow = graph.node('GatherND', [square, row], { attributes: { batch_dims: 1 } });
  return graph.add(graph.mul(row, graph.int64s(columns)), argMax(inRow));
}

/** The likeliest of `logits` [R, count]: where it is, and the logarithm of its probability, both [R, 1]. */
function likeliest(
  graph: GraphBuilder,
  logits: Value,
  count: number,
): { readonly at: Value; readonly logProb: Value } {
  const at = largest(graph, logits, count);
  return { at, logProb: graph.log(pick(graph, graph.softmax(logits), at)) };
}

/** A token int64 [1], its log-probability float32 [1], and `timestamp_rules` of the one after it, if there are any. */
type Choice = readonly [token: Value, logProb: Value, ...rules: Value[]];

/** The choice from the last row of `logits` [R, V], by `timestamp_rules` if the model writes timestamps. */
export function chooseToken(
  graph: GraphBuilder,
  logits: Value,
  rules: Value | undefined,
  { vocabularySize, tokens }: { readonly vocabularySize: number; readonly tokens: TokenRules },
): Choice {
  const likeliestOfAll = (): [Value, Value] => {
    const { at, logProb } = likeliest(graph, logits, vocabularySize);
    const ofLast = (x: Value) => graph.reshape(graph.gather(x, graph.int64s(-1), 0), [1]);
    return [ofLast(at), ofLast(logProb)];
  };
  const { timestamps } = tokens;
  if (timestamps === undefined || rules === undefined) return likeliestOfAll();
  const expected = graph.squeeze(graph.gather(rules, graph.int64s(0), 0), 0);
  return graph.either(
    graph.node('Equal', [expected, int64(graph, 0, [])]),
    () => [...likeliestOfAll(), graph.identity(rules)],
    () => chooseByTimestamps(graph, logits, rules, { ...tokens, timestamps }, vocabularySize),
  ) as [Value, Value, Value];
}

/** The logit of what is ruled out: far below any, and still a number in sums. */
const ruledOut = -1e30;

type RulesWithTimestamps = TokenRules & { readonly timestamps: NonNullable<TokenRules['timestamps']> };

/** What `applyTimestampRules` (models/whisper/timestamp-rules.ts) leaves, chosen from. */
function chooseByTimestamps(
  graph: GraphBuilder,
  logits: Value,
  rules: Value,
  { endOfText, timestamps }: RulesWithTimestamps,
  vocabularySize: number,
): Choice {
  const { first, none } = timestamps;
  const rule = (at: Value) => graph.gather(rules, at, 0);
  const [expected, latest] = [rule(graph.int64s(0)), rule(graph.int64s(1))];
  /** One of five, by what is expected: anything, a first timestamp, text or the end of a piece, text, a next piece. */
  const byExpected = (...values: readonly number[]) => graph.gather(graph.int64s(...values), expected, 0);
  const isExpected = (value: number) => graph.node('Equal', [expected, graph.int64s(value)]);
  const where = (condition: Value, yes: Value, no: Value) => graph.node('Where', [condition, yes, no]);
  const out = graph.scalar(ruledOut);
  const row = graph.gather(logits, graph.int64s(-1), 0);

  const words = graph.slice(row, 1, 0, first);
  const text = none === undefined ? words : placeAt(graph, words, [none], graph.reshape(out, [1, 1]));
  const word = likeliest(graph, text, first);
  const wordLogit = pick(graph, text, word.at);
  const end = int64(graph, endOfText, [1, 1]);
  const endLogit = pick(graph, row, end);
  const [isFirst, isNext] = [isExpected(1), isExpected(4)];
  /** Of text that may follow: all of it, none, or the end only. */
  const allowedText = (all: Value) => where(isFirst, out, where(isNext, endLogit, all));
  const textLogit = allowedText(wordLogit);
  const textSum = allowedText(graph.sub(wordLogit, word.logProb));
  const textToken = where(isNext, end, word.at);

  // the first no later than its limit, a next piece may begin where one ended, all else takes time, and no time is left
  // after the end of the sound; where text is expected, no timestamp may follow
  const from = byExpected(0, 0, 1, vocabularySize, 0);
  const earliest = graph.add(from, graph.mul(byExpected(0, 0, 1, 0, 1), latest));
  const most = graph.min(rule(byExpected(3, 2, 3, 3, 3)), rule(graph.int64s(3)));
  const count = vocabularySize - first;
  const steps = graph.constant(
    BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
    [1, count],
  );
  const inTime = graph.node('And', [
    graph.node('GreaterOrEqual', [steps, earliest]),
    graph.node('LessOrEqual', [steps, most]),
  ]);
  const times = where(inTime, graph.slice(row, 1, first, vocabularySize), out);
  const time = likeliest(graph, times, count);
  const timeSum = graph.sub(pick(graph, times, time.at), time.logProb);

  // where timestamps together are likelier than the likeliest text, it is one
  const isTime = graph.node('Greater', [timeSum, textLogit]);
  const token = where(isTime, graph.add(time.at, graph.int64s(first)), textToken);
  const sum = graph.node('ReduceLogSumExp', [graph.concat([textSum, timeSum], 1), graph.int64s(1)]);
  const logProb = where(isTime, time.logProb, graph.sub(textLogit, sum));

  // after text it ends a piece; any other begins one
  const wasTime = graph.reshape(isTime, [1]);
  const next = where(wasTime, byExpected(0, 3, 4, 3, 3), graph.int64s(2));
  const lately = where(wasTime, graph.reshape(time.at, [1]), latest);
  const nextRules = graph.concat([next, lately, graph.slice(rules, 0, 2, 4)], 0);
  return [graph.reshape(token, [1]), graph.reshape(logProb, [1]), nextRules];
}

/**
 * The no-speech probability [R] by the logits before suppression, where `phase` is the first; 0 where it is not, for
 * nobody asks. What was suppressed is computed once more, from `hidden` [R, D].
 */
export function noSpeechProbability(
  graph: GraphBuilder,
  logits: Value,
  hidden: Value,
  phase: Value,
  { decoder, shape, tokens }: Architecture,
): Value {
  const { modelWidth } = shape;
  const { read } = decoder.head ?? decoder.embedding;
  const ids = [...new Set([...tokens.suppress, ...tokens.beginSuppress])];
  const columns = (): Float32Array => {
    const matrix = new Float32Array(modelWidth * ids.length);
    for (const [column, id] of ids.entries()) {
      for (const [i, value] of read(id * modelWidth, modelWidth).entries())
        matrix[i * ids.length + column] = value;
    }
    return matrix;
  };
  const first = graph.node('Equal', [graph.squeeze(phase, 0), int64(graph, 0, [])]);
  const [probability] = graph.either(
    first,
    () => {
      let raw = logits;
      if (ids.length > 0) {
        const weight = graph.weight('suppressed', 'float32', [modelWidth, ids.length], columns);
        raw = placeAt(graph, logits, ids, graph.matMul(hidden, weight));
      }
      return [graph.gather(graph.softmax(raw), int64(graph, tokens.noSpeech as number, []), 1)];
    },
    () => [graph.identity(graph.constant(new Float32Array(1)))],
  );
  return probability as Value;
}
