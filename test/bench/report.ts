/** Results as a page of docs/bench. */
import type { Summary } from '../../daemon/bench/statistics.ts';
import { figure, type Row, renderMarkdown } from '../../daemon/bench/table.ts';
import { goals, isMet, ladderEnds, type Results, ratio, type ThreadResults } from './results.ts';

const threadsOf = ({ threads }: { readonly threads: number }): string =>
  `${threads} thread${threads === 1 ? '' : 's'}`;
const columns = (results: Results): string[] => results.threads.map(threadsOf);
const spread = ({ median, p95, min }: Summary): string =>
  `${figure(median)} (p95 ${figure(p95)}, least ${figure(min)})`;
const megabytes = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(0));

/** `chart`: file name of the picture beside the page. */
export function renderReport(results: Results, chart: string, data: string): string {
  const { machine, load, niceness, rounds, starts } = results;
  return `# Speed on ${machine.board ?? machine.cpu}, ${results.at.slice(0, 10)}

Written by \`${results.command}\`; all values with their spread are in [${data}](${data}).

${renderMarkdown(
  ['machine', ''],
  [
    ['processor', `${machine.cpu}, ${machine.cores} cores`],
    ['memory', `${Math.round(machine.memoryMb / 1000)} GB`],
    ['system', machine.kernel],
    ['Node.js', machine.node],
    ['harkd', `${results.harkd}${results.commit === undefined ? '' : `, ${results.commit}`}`],
    [
      'load (processes that want to run, one-minute mean)',
      `${load.before} before, ${load.least} to ${load.most} during the run`,
    ],
    ['priority', niceness === 0 ? 'that of every program' : `raised (nice ${niceness})`],
    ['counted', `${rounds} rounds, ${starts} starts; figures are medians unless they say otherwise`],
  ],
)}
${busyNote(results)}## What was promised

${renderMarkdown(
  ['figure', 'goal', ...columns(results), ''],
  goals.map((goal) => goalRow(goal, results)),
)}
![where the time goes](${chart})

## One command of three seconds, in the recognizer

Samples in memory to text, in one process${pinned(results)}. "${results.threads[0]?.graphs.stages.text ?? ''}": ${results.threads[0]?.graphs.stages.tokens.length ?? 0} tokens.

${renderMarkdown(['ms', ...columns(results)], stageRows(results))}
## The compiled graphs against plain ones

The same weights, sound and ${results.threads[0]?.graphs.stages.tokens.length ?? 0} forced tokens (and the end of text) through each, in turn, in one process${pinned(results)}; log-mel, encoder and decoder together. Plain graphs are what exporters write: log-mel input, two decoders, the cache concatenated, logits of the whole vocabulary out; their log-mel is computed in JavaScript. The first row is padded to 30 s, as Whisper is usually run.

${results.threads.map(ladderSection).join('\n')}
## The living daemon

\`harkd run --source stdin\` with its recognizer process and its embedded broker, and a client of that broker in another process. The clock of "client" starts when the frame that closes the segment (${figure(results.threads[0]?.living.latency.segmentMs ?? 0)} ms of sound) is written into the pipe and stops when the final arrives. Whoever spoke has waited for the hangover, 600 ms, before: by default the recognizer uses that time (\`recognizer.eager\`), so the final is ready when the pause is long enough; "not ahead" is what it takes when all work begins then. An utterance is ${figure((results.threads[0]?.living.latency.heardMs ?? 0) / 1000)} s of sound, the detector's work on it included in its CPU time.

${renderMarkdown(['', ...columns(results)], livingRows(results))}
Resident memory counts the pages of Node.js and onnxruntime that both processes map (about 60 MB) twice; "own" is memory that belongs to one process alone. ${idleNote(results)}
`;
}

function busyNote({ load, machine }: Results): string {
  if (load.most <= machine.cores) return '\n';
  return `
**Other programs were running** (load up to ${load.most} on ${machine.cores} cores): times on the clock are longer than on a quiet machine, ratios of interleaved runs and CPU times hardly are. The least of each figure comes closest to a quiet machine.

`;
}

const pinned = ({ pinnedTo }: Results): string =>
  pinnedTo === undefined ? '' : `, with one thread kept on core ${pinnedTo}`;

function goalRow(goal: (typeof goals)[number], results: Results): Row {
  const values = results.threads.map(goal.of);
  const unit = goal.unit === '' ? '' : ` ${goal.unit}`;
  const met = values.every((value) => isMet(goal, value));
  return [
    goal.what,
    `${goal.atLeast ? '≥' : '≤'} ${goal.goal}${unit}`,
    ...values.map((value) => `${figure(value)}${unit}`),
    met ? 'met' : '**missed**',
  ];
}

function stageRows(results: Results): Row[] {
  const row = (name: string, of: (results: ThreadResults) => Summary): Row => [
    name,
    ...results.threads.map((threads) => spread(of(threads))),
  ];
  return [
    row('encode (log-mel inside)', ({ graphs }) => graphs.stages.encodeMs),
    row('prefill: the prompt', ({ graphs }) => graphs.stages.prefillMs),
    row('step: a token of each text that is followed', ({ graphs }) => graphs.stages.stepMs),
    row('total', ({ graphs }) => graphs.stages.totalMs),
    row('real-time factor', ({ graphs }) => graphs.stages.rtf),
  ];
}

function ladderSection(results: ThreadResults): string {
  const { ladder } = results.graphs;
  const { plain } = ladderEnds(results);
  const rows = ladder.map((rung): Row => {
    return [
      rung.name,
      rung.melMs.median === 0 ? 'inside' : figure(rung.melMs.median),
      figure(rung.encodeMs.median),
      figure(rung.decodeMs.median),
      spread(rung.totalMs),
      `${figure(ratio(plain.totalMs, rung.totalMs))}x`,
      `${figure(plain.totalMs.min / rung.totalMs.min)}x`,
    ];
  });
  const header = [threadsOf(results), 'log-mel', 'encode', 'decode', 'total, ms', 'of medians', 'of least'];
  return `${renderMarkdown(header, rows)}\n${attribution(results)}\n`;
}

/** How much comes from what: ratios of neighbours multiply to the whole, so logarithms share it out. */
export function attribution(results: ThreadResults): string {
  const [padded, plain, fused, quantised] = results.graphs.ladder;
  if (padded === undefined || plain === undefined || fused === undefined || quantised === undefined)
    return '';
  const whole = ratio(padded.totalMs, quantised.totalMs);
  const part = (name: string, slow: typeof padded, fast: typeof padded): string => {
    const factor = ratio(slow.totalMs, fast.totalMs);
    return `${name} ${figure(factor)}x (${Math.round((100 * Math.log(factor)) / Math.log(whole))} %)`;
  };
  const without = (padded.encodeMs.median + padded.decodeMs.median) / quantised.totalMs.median;
  return `${figure(whole)}x = ${[
    part('length', padded, plain),
    part('graphs (fusion, log-mel and arg-max inside, cache in place)', plain, fused),
    part('int8 weights', fused, quantised),
  ].join(
    ' · ',
  )}; shares are of the logarithm. Were the plain side's log-mel free, it would be ${figure(without)}x.`;
}

function livingRows(results: Results): Row[] {
  const row = (name: string, of: (results: ThreadResults) => string): Row => [
    name,
    ...results.threads.map(of),
  ];
  return [
    row('end of speech to final, client, ms', ({ living }) => spread(living.latency.clientMs)),
    row('the same as the daemon says (`latencyMs`), ms', ({ living }) => spread(living.latency.reportedMs)),
    row('CPU time of both processes for an utterance, ms', ({ living }) => spread(living.latency.cpuMs)),
    row('**not ahead**: end of speech to final, client, ms', ({ notAhead }) => spread(notAhead.clientMs)),
    row('as the daemon says, ms', ({ notAhead }) => spread(notAhead.reportedMs)),
    row('threads waited for a core meanwhile, ms', ({ notAhead }) => spread(notAhead.waitMs)),
    row('CPU time of both processes for an utterance, ms', ({ notAhead }) => spread(notAhead.cpuMs)),
    row('start to ready, on the clock, ms', ({ starts }) => spread(starts.wallMs)),
    row('CPU time of both processes for it, ms', ({ starts }) => spread(starts.cpuMs)),
    row('resident at start, MB', ({ living }) => megabytes(living.memoryAtStart.rssMb)),
    row(
      'resident after all utterances, MB',
      ({ living: { memory } }) =>
        `${megabytes(memory.rssMb)} = ${megabytes(memory.daemon.rssMb)} + ${megabytes(memory.recognizer.rssMb)}`,
    ),
    row(
      'own, MB',
      ({ living: { memory } }) =>
        `${megabytes(memory.daemon.anonymousMb)} + ${megabytes(memory.recognizer.anonymousMb)}`,
    ),
    row('proportional (PSS), MB', ({ living }) => megabytes(living.memory.pssMb)),
    row('detector, a frame, one after the other, ms', ({ graphs }) => spread(graphs.detector.frameMs)),
    row('detector, a frame every 32 ms, CPU ms', ({ graphs }) => spread(graphs.detector.pacedCpuMs)),
    row('detector, six frames every 192 ms, CPU ms a frame', ({ graphs }) =>
      spread(graphs.detector.silenceCpuMs),
    ),
    row('CPU time in a minute of quiet, s', ({ living: { idle } }) =>
      idle === undefined
        ? '-'
        : `${figure(idle.cpuSecondsPerMinute)} (${figure((idle.daemonShare + idle.recognizerShare) * 100)} % of a core)`,
    ),
  ];
}

function idleNote({ threads }: Results): string {
  const idle = threads.find(({ living }) => living.idle !== undefined)?.living.idle;
  if (idle === undefined) return '';
  return `Quiet was heard at the pace of a microphone for ${Math.round(idle.measuredS)} s and is carried on to a minute; it comes through a pipe in frames of 32 ms, and arecord's own share is not in it. PSS shares out pages among all processes that map them, other programs' too.`;
}
